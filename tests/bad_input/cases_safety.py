"""Files that want to be run, written through or read from outside; names that want to be markup; results among images."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import TensorProto, helper

from tests.bad_input.case import Case, Content, case, fifo, folder, link_to, slow_case
from tests.bad_input.contents import FACTORY, RUN, image

_HARMFUL = "open('mark', 'w').close()\nraise SystemExit(9)\n"
_MODULES = ("json", "typing", "ctypes", "numpy", "pydantic", "onnx", "onnxruntime", "openvino", "torch", "timm", "PIL")
"""Names of modules that files of the current folder have; none may be imported."""


def _shadows(**more: Content) -> Mapping[str, Content]:
    return {**{f"{name}.py": _HARMFUL for name in _MODULES}, **more}


def _outside(place: str) -> bytes:
    """A model of ONNX that keeps its weight in another file."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", "64")):
        weight.external_data.add(key=key, value=value)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()  # type: ignore[no-any-return]


_IMPORTS = (
    slow_case("bench m.onnx", "m.onnx", files=_shadows(**{"m.onnx": b"nonsense"})),
    slow_case("inspect m.onnx", "m.onnx", files=_shadows(**{"m.onnx": b"nonsense"})),
    slow_case("inspect m.tflite", "m.tflite", files=_shadows(**{"m.tflite": b"nonsense"})),
    slow_case("compress mine:make --random-weights", "KeyError", "mine.py", files=_shadows(**{"mine.py": "{}['a']\n"})),
)

_PLACES = tuple(
    slow_case(f"{command} m.onnx", "m.onnx", files={"m.onnx": _outside(place), "secret": bytes(64)})
    for command in ("inspect", "bench")
    for place in ("../secret", "/etc/passwd", "a/../../here/secret")
)

_EXPORT = "export digits_cnn --export onnx --resume --out run"
_LINKS = (
    slow_case(_EXPORT, "run/.lock is a link", files={"mine": "mine", "run/.lock": link_to("../mine")}),
    slow_case(_EXPORT, "is not what edgevit wrote", files={"run/begin.json": "{}", "run/logs/run.log": link_to("/x")}),
    case(_EXPORT, "holds no run", files={"run/work": link_to("/tmp")}),
    case(_EXPORT, "is a file, not a folder", files={"run": "mine"}),
    case(_EXPORT, "is a file, not a folder", files={"run": fifo}),
    case("clean run", "is not a run folder", files={"run/.lock": link_to("/etc/passwd")}),
)

_FACTORIES = (
    slow_case(
        "compress mine:make --random-weights --set model.factory_seconds=6",
        "mine:make", "no result within 6 s", "model.factory_seconds", files={"mine.py": "while True: pass\n"},
    ),
    slow_case(
        "compress mine:make --random-weights --json",
        "KeyError", files={"mine.py": "print('noise')\ndef make():\n    return {}['a']\n"},
    ),
    slow_case("compress mine:make --random-weights", "EOFError", files={"mine.py": "input()\n"}),
    slow_case("compress mine:net --random-weights", "def make(): return net", files={"mine.py": FACTORY + "net = make()\n"}),
    case("compress mine:make --random-weights --set model.factory_seconds=1e300", "factory_seconds"),
)  # fmt: skip

_IMAGES: Mapping[str, Content] = {f"data/{name}/a.png": image() for name in ("Bee", "Cat")}
_AMONG = (
    case("compress digits_cnn --data data --out data/Seen", "among the images", files=_IMAGES),
    case("compress digits_cnn --data data --out data", "among the images", files=_IMAGES),
    case("export digits_cnn --calibration data --out data/Seen", "among the images", files=_IMAGES),
    case("explain digits_vit data/Bee/a.png --out data/Seen", "would count as a class", files=_IMAGES),
    case("report run.json --out data/Seen", "would count as a class", files={**_IMAGES, "run.json": RUN}),
    case(
        "sensitivity digits_cnn --calibration data --scheme static_wi8_ai8 --export onnx --out data/Seen",
        "among the images", files=_IMAGES,
    ),
)  # fmt: skip

_NAMES = (
    case("inspect '\x1b[31mred.onnx'", "\\x1b[31mred.onnx"),
    case("report '\x07bell'", "\\x07bell"),
    case("gate '\u202egnp.exe' --budget b.toml", "\\u202egnp.exe", files={"b.toml": "size_bytes = 1\n"}),
    case("clean '\x1b]0;title\x07'", "\\x1b]0;title\\x07", files={"\x1b]0;title\x07": folder}),
)

CASES: tuple[Case, ...] = (*_IMPORTS, *_PLACES, *_LINKS, *_FACTORIES, *_AMONG, *_NAMES)
