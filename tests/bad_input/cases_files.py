"""Bad files: runs, artifacts and images."""

from __future__ import annotations

import json

from tests.bad_input.case import Case, Content, case, fifo, folder, link_to, slow_case
from tests.bad_input.contents import BUDGET, RUN, image, npz, pictures, run_with, run_without


def _run(content: bytes, *words: str) -> tuple[Case, ...]:
    """A run that neither gate nor report takes."""
    return (
        case(
            "gate run --budget budget.toml", "run.json", *words, files={"run/run.json": content, "budget.toml": BUDGET}
        ),
        case("report run", "run.json", *words, files={"run/run.json": content}),
    )


_FIRST = ("candidates", 0)
_RUNS = (
    *_run(b"", "json"),
    *_run(b"{}"),
    *_run(b"[]"),
    *_run(b"null"),
    *_run(RUN[: len(RUN) // 2], "json"),
    *_run(RUN + b"}"),
    *_run(b"\xff" + RUN),
    *_run(b"[" * 100_000),
    *_run(b'{"a":' * 100_000),
    *_run(run_with("schema_version", value=2), "schema_version"),
    *_run(run_without("schema_version"), "schema_version"),
    *_run(run_without("candidates"), "candidates"),
    *_run(run_without(*_FIRST, "status"), "status"),
    *_run(run_with(*_FIRST, "status", value="fine"), "status"),
    *_run(run_with(*_FIRST, "scheme", value="int3"), "scheme", "int3"),
    *_run(run_with("selected", value="nothing/here"), "selected", "nothing/here"),
    *_run(run_with("selected_for", value={"host": "nothing/here"}), "nothing/here"),
    *_run(run_with("tied", value={"host": ["nothing/here"]}), "nothing/here"),
    *_run(run_with("seed", value="0"), "seed"),
    *_run(run_with("seed", value=True), "seed"),
    *_run(run_with("seed", value=10**400), ""),
    *_run(run_with(*_FIRST, "measurements", 0, "peak_rss_bytes", value=10**400), ""),
    *_run(run_with(*_FIRST, "measurements", 0, "latency_ms", "p50", value="fast"), "p50"),
    *_run(run_with(*_FIRST, "artifact", "size_bytes", value=1.5), "size_bytes"),
    *_run(run_with("candidates", value={}), "candidates"),
    *_run(run_with("host", value=None), "host"),
    *_run(RUN.replace(b'"seed": 0', b'"seed": NaN'), ""),
    *_run(RUN.replace(b'"seed": 0', b'"seed": ' + b"9" * 5000), ""),
)

_RUN_PLACES = (
    *(case(f"{name} nowhere{rest}", "nowhere", files={"budget.toml": BUDGET})
      for name, rest in (("gate", " --budget budget.toml"), ("report", ""), ("clean", ""))),
    *(case(f"{name} empty{rest}", "empty", files={"budget.toml": BUDGET, "empty": folder})
      for name, rest in (("gate", " --budget budget.toml"), ("report", ""), ("clean", ""))),
    *(case(f"{name} pipe{rest}", "pipe", files={"budget.toml": BUDGET, "pipe": fifo})
      for name, rest in (("gate", " --budget budget.toml"), ("report", ""), ("clean", ""))),
    *(case(f"{name} loop{rest}", "loop", files={"budget.toml": BUDGET, "loop": link_to("loop")})
      for name, rest in (("gate", " --budget budget.toml"), ("report", ""), ("clean", ""))),
    case("gate run --budget budget.toml", "run.json", files={"budget.toml": BUDGET, "run/run.json": fifo}),
    case("gate run --budget budget.toml", "run.json", files={"budget.toml": BUDGET, "run/run.json": link_to("/dev/zero")}),
    case("gate run --budget budget.toml", "run.json", files={"budget.toml": BUDGET, "run/run.json": folder}),
    case("clean run", "run", files={"run/run.json": RUN}),
    case("clean run", "run", files={"run/begin.json": "{"}),
    case("clean run", "run", files={"run/begin.json": "[]"}),
    case("clean run", "not ended", files={"run/begin.json": '{"spec_sha256": "x"}'}),
    case("report run --out report.txt", "report.txt", files={"run/run.json": RUN, "report.txt": "mine"}),
    case("report run --out /proc/nowhere", "/proc/nowhere", files={"run/run.json": RUN}),
    case("report run --evidence nowhere.json", "nowhere.json", files={"run/run.json": RUN}),
    case("report run --evidence e.json", "e.json", "not JSON", files={"run/run.json": RUN, "e.json": "{"}),
    case("report run --evidence run/run.json", "not a document that a report shows", files={"run/run.json": RUN}),
    case("report run --evidence e.json", "e.json", files={"run/run.json": RUN, "e.json": fifo}),
    case("report run --evidence e.json", "layers", files={"run/run.json": RUN, "e.json": '{"layers": 1, "recipe": 1, "scheme": 1}'}),
    case("compress digits_cnn --out full --export onnx", "full", files={"full/mine.txt": "mine"}),
    case("compress digits_cnn --out file --export onnx", "file", files={"file": "mine"}),
    case("compress digits_cnn --out /proc/nowhere --export onnx", "/proc/nowhere"),
)  # fmt: skip

_ARTIFACT_COMMANDS = (
    "inspect {}",
    "bench {}",
    "bench {} --pipeline generated",
    "eval {} --data digits --mean 0.5 --std 0.5",
    "profile {} --device raspberry-pi-5",
)
_ARTIFACT_PLACES: tuple[tuple[str, dict[str, Content]], ...] = (
    ("nowhere.onnx", {}),
    ("modle.onnx", {"model.onnx": b""}),
    ("folder.onnx", {"folder.onnx": folder}),
    ("pipe.onnx", {"pipe.onnx": fifo}),
    ("loop.tflite", {"loop.tflite": link_to("loop.tflite")}),
    ("lost.xml", {"lost.xml": link_to("nowhere.xml")}),
)
_PLACES = (
    *(
        case(command.format(name), name, *[known for known in files if known == "model.onnx"], files=files)
        for command in _ARTIFACT_COMMANDS
        for name, files in _ARTIFACT_PLACES
    ),
    *(
        case(command.format(name), name, ".tflite", files={name: b"x"})
        for command in _ARTIFACT_COMMANDS[:4]
        for name in ("model.pt", "model", "model.h5", "model.bin")
    ),
)

_DAMAGED = (
    ("m.onnx", b""), ("m.onnx", b"nonsense"), ("m.onnx", bytes(64)), ("m.onnx", b"\x08\x07" + b"\xff" * 64),
    ("m.tflite", b""), ("m.tflite", b"nonsense"), ("m.tflite", b"\x1c\0\0\0TFL3" + bytes(64)),
    ("m.tflite", b"\xff" * 64),
    ("m.xml", b""), ("m.xml", b"nonsense"), ("m.xml", b"<net/>"), ("m.xml", b"<?xml version='1.0'?><net name='a'>"),
    ("m.xml", b"<net name='\xff' version='11'><layers/><edges/></net>"),
)  # fmt: skip
_ARTIFACTS = tuple(
    slow_case(command.format(name), name, files={name: content})
    for command in _ARTIFACT_COMMANDS
    for name, content in _DAMAGED
)


def _data(source: str, words: tuple[str, ...], *entries: tuple[str, Content]) -> Case:
    return case(f"compress digits_cnn --data {source}", *words, files=dict(entries))


def _label_csv(text: str | bytes, *words: str) -> Case:
    return _data("data", ("labels.csv", *words), ("data/labels.csv", text), ("data/a.png", image()))


def _npz(words: tuple[str, ...], content: bytes) -> Case:
    return _data("images.npz", ("images.npz", *words), ("images.npz", content))


_IMAGES = (
    _data("nowhere", ("nowhere", "digits")),
    _data("digit", ("digit", "digits")),
    _data("digits:tset", ("tset", "did you mean test")),
    _data("noise:0", ("noise",)),
    _data("noise:x", ("noise",)),
    _data("noise:" + "9" * 5000, ("noise",)),
    _data("calibration:digit", ("did you mean digits",)),
    _data("empty", ("no images", "empty"), ("empty", folder)),
    _data("file.txt", ("file.txt",), ("file.txt", "x")),
    _data("pipe", ("pipe",), ("pipe", fifo)),
    _data("pipe.npz", ("pipe.npz",), ("pipe.npz", fifo)),
    _data("zero.npz", ("zero.npz",), ("zero.npz", link_to("/dev/zero"))),
    _data("loop", ("loop",), ("loop", link_to("loop"))),
    _data("lost", ("lost",), ("lost", link_to("nowhere"))),
    _data("data", ("broken",), *((f"data/{label}/a.png", b"nonsense") for label in range(10))),
    _data("data", ("broken",), *((f"data/{label}/a.png", image()[:60]) for label in range(10))),
    _data("data", ("broken",), *((f"data/{label}/a.png", b"") for label in range(10))),
    _data("data", ("class folder",), ("data/0/a.png", image()), ("data/1", folder)),
    _label_csv("", "file"),
    _label_csv("file\na.png\n", "class_index"),
    _label_csv("name,label\na.png,0\n", "file"),
    _label_csv("file,class_index\n"),
    _label_csv("file,class_index\na.png,zero\n", "zero"),
    _label_csv("file,class_index\na.png,0.0\n", "0.0"),
    _label_csv("file,class_index\na.png,\n", "class_index"),
    _label_csv("file,class_index\na.png,²\n", "²"),
    _label_csv("file,class_index\na.png," + "9" * 5000 + "\n"),
    _data("data", ("class",), ("data/labels.csv", "file,class_index\na.png,10\n"), ("data/a.png", image())),
    _label_csv("file,class_index\nb.png,0\n", "b.png"),
    _label_csv("file,class_index\na.png,0\na.png,0\n", "twice"),
    _label_csv("file,class_index\n../../etc/passwd,0\n", "passwd"),
    _label_csv("file,class_index\n/etc/passwd,0\n", "passwd"),
    _label_csv(b"file,class_index\n\xff.png,0\n"),
    _label_csv("file,class_index\n\0,0\n"),
    _label_csv('file,class_index\n"a.png,0\n'),
    _label_csv("file,class_index\n" + "a" * 200_000 + ",0\n"),
    _npz((), b""),
    _npz((), b"nonsense"),
    _npz((), b"PK\3\4" + bytes(60)),
    _npz((), npz(images=pictures(20))[:200]),
    _npz(("images",), npz(pictures=pictures())),
    _npz(("images",), npz()),
    _npz(("uint8",), npz(images=pictures() / 255.0, labels=[0, 1])),
    _npz(("nan",), npz(images=pictures() * float("nan"), labels=[0, 1])),
    _npz(("channels last",), npz(images=pictures().transpose(0, 3, 1, 2), labels=[0, 1])),
    _npz(("alpha",), npz(images=pictures(8).reshape(-1, 16, 16, 4)[:2], labels=[0, 1])),
    _npz(("images[None]",), npz(images=pictures()[0], labels=[0])),
    _npz(("labels",), npz(images=pictures(), labels=[0])),
    _npz(("labels",), npz(images=pictures(), labels=[0.0, 1.0])),
    _npz(("labels",), npz(images=pictures(), labels=[-1, 1])),
    _npz(("labels",), npz(images=pictures(), labels=["a", "b"])),
    _npz(("labels",), npz(images=pictures(), labels=[[0], [1]])),
    _npz(("classes",), npz(images=pictures(), labels=[0, 10])),
    _npz((), npz(images=pictures(0), labels=[])),
    _npz((), npz(images=pictures(2, 0), labels=[0, 1])),
)

_EXPLAINED = (
    case("explain digits_vit a.png", "a.png", files={"a.png": b"nonsense"}),
    case("explain digits_vit a.png", "a.png", files={"a.png": b""}),
    case("explain digits_vit folder", "folder", files={"folder": folder}),
    case("explain digits_vit pipe", "pipe", files={"pipe": fifo}),
    case("explain digits_vit loop", "loop", files={"loop": link_to("loop")}),
    case("explain digits_vit a.pgn", "a.png", files={"a.png": image()}),
    case("explain digits_vit a.png --out a.png", "a.png", files={"a.png": image()}),
)

_ACCURACY = (*_FIRST, "accuracy")


def _gate(content: bytes, *words: str, more: str = "", exit: int = 1, **files: Content) -> Case:
    """A run that the gate reads, and judges by a budget with limits on size, accuracy and latency."""
    limits = BUDGET + "accuracy_drop_points = 50.0\n[devices.host]\nlatency_p50_ms = 1000.0\n"
    placed = {f"run/{name}": made for name, made in files.items()}
    return case(
        f"gate run --budget budget.toml {more}", *words,
        files={"run/run.json": content, "budget.toml": limits, **placed}, exit=exit,
    )  # fmt: skip


_TWINS = json.loads(RUN)
_TWINS["candidates"] *= 2
_ARTIFACT = json.loads(RUN)["candidates"][0]["artifact"]["path"]
_JUDGED = (
    _gate(RUN, "judged without its artifacts", exit=0),
    _gate(RUN, "judged without its artifacts", more="--require-artifacts"),
    _gate(RUN, "was changed after the run", exit=2, **{_ARTIFACT: bytes(100)}),
    _gate(RUN, "is not a file", exit=2, **{_ARTIFACT: folder}),
    _gate(run_with(*_FIRST, "artifact", "files", value=["../../etc/passwd"]), "outside of its folder", exit=2),
    _gate(json.dumps(_TWINS).encode(), "two have the id", exit=2),
    _gate(run_with(*_ACCURACY, "top1", value=5.0), "top-1 is 5.0"),
    _gate(run_with(*_ACCURACY, "top1", value=-0.1), "top-1 is -0.1"),
    _gate(run_with(*_ACCURACY, "drop_points", value=-1e300), "not possible"),
    _gate(run_with(*_ACCURACY, "drop_points", value=None), "accuracy drop"),
    _gate(run_with(*_ACCURACY, "samples", value=0), "not evaluated"),
    _gate(run_with(*_FIRST, "artifact", value=None), "there is no artifact"),
    _gate(run_with(*_FIRST, "artifact", "size_bytes", value=-5), "size"),
    _gate(run_with(*_FIRST, "verification", value=None), "was not verified"),
    _gate(run_with(*_FIRST, "status", value="rejected"), "rejected"),
    _gate(run_with(*_FIRST, "measurements", value=[]), "latency"),
    _gate(run_with(*_FIRST, "measurements", 0, "samples_ms", value=[]), "latency"),
    _gate(run_with(*_FIRST, "measurements", 0, "latency_ms", "p50", value=0.0), "latency"),
    _gate(run_without(*_ACCURACY, "top1"), "top1", exit=2),
    _gate(RUN.replace(b'"seed": 0', b'"seed": 1, "seed": 0'), "given twice", exit=2),
)

_LIMITS = {
    "run/run.json": RUN,
    "old/run.json": RUN.replace(b'"schema_version": 1', b'"schema_version": 0'),
    "b.toml": BUDGET,
}
_BUDGETS = (
    case("gate run --budget b.toml --baseline old", "old/run.json", "schema_version", files=_LIMITS),
    case("gate run --budget b.toml --baseline gone", "gone", files=_LIMITS),
    case("gate old gone --budget b.toml", "old/run.json", "gone", files=_LIMITS),
    case("gate run --budget b.toml --inconclusive maybe", "--inconclusive", files=_LIMITS),
    case("gate run --budget b.toml --junit x --sarif x", "given for two outputs", files=_LIMITS),
    case("gate run --budget b.toml --junit run", "run", files=_LIMITS),
    case(
        "gate run --budget b.toml",
        "unknown device",
        "did you mean host",
        files={**_LIMITS, "b.toml": "[devices.hots]\nlatency_p50_ms = 1\n"},
    ),
    case(
        "gate run --budget b.toml",
        "matches no candidate",
        files={**_LIMITS, "b.toml": "[artifacts.x]\nsize_bytes = 1\n"},
    ),
    case(
        "gate run --budget b.toml",
        "relative to a baseline",
        files={**_LIMITS, "b.toml": 'size_bytes = {max_increase = "1 %"}\n'},
    ),
    case(
        "gate run --budget b.toml",
        "contradicts itself",
        files={**_LIMITS, "b.toml": "size_bytes = {max = 1, min = 2}\n"},
    ),
    case(
        "gate run --budget b.toml",
        "did you mean latency_p50_ms",
        files={**_LIMITS, "b.toml": "[devices.host]\nlatency_p50 = 1\n"},
    ),
    case("budget init run --out b.toml", "b.toml exists", files=_LIMITS),
    case("budget init old", "schema_version", files=_LIMITS),
    case("budget init gone", "gone", files=_LIMITS),
    case("budget init run --candidate 9", "no rank 9", files=_LIMITS),
    case("budget explain gone.toml", "gone.toml", files=_LIMITS),
    case("budget explain b.toml --candidate 1", "--candidate needs a run", files=_LIMITS),
    case("budget explain b.toml old", "schema_version", files=_LIMITS),
    case("budget nothing", "nothing"),
)

CASES: tuple[Case, ...] = (*_JUDGED, *_BUDGETS, *_RUNS, *_RUN_PLACES, *_PLACES, *_ARTIFACTS, *_IMAGES, *_EXPLAINED)
