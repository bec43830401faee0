"""Images, labels and weights that would give a wrong figure without a word, or a wrong cause."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.bad_input.case import Case, Content, case, fifo, folder, link_to
from tests.bad_input.contents import classifier_onnx, image, npz

_TEN = tuple(map(str, range(10)))


def _classes(*names: str, kind: str = "png", root: str = "data") -> dict[str, Content]:
    """A folder of one image of its own in each of these class folders."""
    shades = enumerate(names)
    return {f"{root}/{name}/a.{kind}": image("JPEG" if kind != "png" else "PNG", shade=20 * n) for n, name in shades}


def _data(*words: str, options: str = "", **entries: Any) -> Case:
    return case(f"compress digits_cnn --data data{options}", *words, files=entries["files"])


_FOLDERS = (
    _data("3 class folders, the model 10 classes", "classes.txt", files=_classes("a", "b", "c")),
    _data("9 class folders", "--class-offset 1", files=_classes(*_TEN[1:])),
    _data("11 class folders, the model 10 classes", files=_classes(*map(str, range(11)))),
    _data("2 names in classes.txt", files={**_classes("a", "b"), "data/classes.txt": "a\nb\n"}),
    _data("lacks the class folder b", "did you mean", files={**_classes("a", "b"), "data/classes.txt": "a\nbb\n"}),
    _data("line 2: 'a' is listed twice", files={**_classes("a", "b"), "data/classes.txt": "a\na\nb\n"}),
    _data("line 2: it is empty", files={**_classes("a", "b"), "data/classes.txt": "a\n\nb\n"}),
    _data("classes.txt", "UTF-8", files={**_classes("a", "b"), "data/classes.txt": b"\xff\n"}),
    _data("classes.txt", "named pipe", files={**_classes("a", "b"), "data/classes.txt": fifo}),
    _data("classes.txt", "folder", files={**_classes("a", "b"), "data/classes.txt": folder}),
    _data("b.png", "nowhere.png", "does not exist", files={**_classes(*_TEN), "data/0/b.png": link_to("nowhere.png")}),
    _data("b.png", "leads back to itself", files={**_classes(*_TEN), "data/0/b.png": link_to("b.png")}),
    _data("b.png", "named pipe", files={**_classes(*_TEN), "data/0/b.png": fifo}),
    _data("b.png", "device", files={**_classes(*_TEN), "data/0/b.png": link_to("/dev/zero")}),
    _data("holds no images that are read", ".heic", files={**_classes(*_TEN), "data/x/a.heic": b"x"}),
    _data("no images", ".heic: 2", files={"data/a.heic": b"x", "data/b.heic": b"x"}),
    _data("no images", files={"data/._a.png": b"x"}),
    _data("data/left", files=_classes("a", "b", root="data/left")),
    _data("train", "data/train", files=_classes("a", "b", root="data/train")),
)

_LABELS = (
    *(
        case("compress digits_cnn --data data" + options, "data", *words, files={"data/labels.csv": text, "data/a.png": image(), "data/b.png": image(shade=9)})
        for text, options, words in (
            ("file,class_index\na.png,1\nb.png,10\n", "", ("label 10", "--class-offset -1")),
            ("file,class_index\na.png,-1\nb.png,1\n", "", ("line 2", "--class-offset -1")),
            ("file,class_index\na.png,0\nb.png,9\n", " --class-offset 1", ("label 9 (class offset 1)", "without --class-offset 1")),
            ("file,class_index\na.png,0\nb.png,9\n", " --class-offset -1", ("label 0 (class offset -1)",)),
            ("files;class_index\na.png;0\nb.png;1\n", "", ("rename 'files' to 'file'",)),
            ("file class_index\na.png 0\nb.png 1\n", "", ("class_index", "commas")),
            ("file,class_index,file\na.png,0,b.png\n", "", ("file twice",)),
            ("file,class_index\naa.png,0\nb.png,1\n", "", ("did you mean a.png",)),
            ("file,class_index\na.png,0\nb.png,0\n", "", ("one class",)),
        )
    ),
    case("compress digits_cnn --data data", "labels.csv", "named pipe", files={"data/labels.csv": fifo, "data/a.png": image()}),
    case("compress digits_cnn --data data", "labels.csv", "folder", files={"data/labels.csv": folder, "data/a.png": image()}),
    case("compress digits_cnn --data data", "labels.csv", "nowhere", files={"data/labels.csv": link_to("nowhere"), "data/a.png": image()}),
    case("compress digits_cnn --data data", "line 2: 'a.png'", "nowhere", files={"data/labels.csv": "file,class_index\na.png,0\n", "data/a.png": link_to("nowhere")}),
)  # fmt: skip


def _same(count: int) -> bytes:
    return npz(
        images=np.repeat(np.arange(2, dtype=np.uint8), count)[:, None, None] * np.ones((4, 4), np.uint8),
        labels=[0, 1] * count,
    )


_SETS = (
    case("compress digits_cnn --data a.npz --calibration b.npz", "2 calibration images", files={"a.npz": _same(1), "b.npz": _same(1)}),
    case("compress digits_cnn --data a.npz --calibration 0%", "between 0 % and 100 %", files={"a.npz": _same(2)}),
    case("compress digits_cnn --data a.npz --calibration 50%", "empty", files={"a.npz": npz(images=np.zeros((4, 4, 4), np.uint8), labels=[0, 1, 0, 1])}),
    case("compress digits_cnn --data a.npz --samples 9", "a.npz has 4", files={"a.npz": _same(2)}),
    case("compress digits_cnn --expect-top1 0.9 --data digits", "percent", "90"),
    case("compress digits_cnn --expect-top1 101 --data digits", "expect_top1"),
)  # fmt: skip

_NORMALIZATION = (
    *(
        case(f"eval m.tflite --data digits {options}", *words, files={"m.tflite": b"x"})
        for options, words in (
            ("--mean 127.5 --std 127.5", ("--mean 0.5 --std 0.5",)),
            (
                "--mean 123.675,116.28,103.53 --std 58.395,57.12,57.375",
                ("--mean 0.485,0.456,0.406", "--std 0.229,0.224,0.225"),
            ),
            ("--mean 0.5 --std 255", ("--std 1",)),
            ("--mean -1 --std 1", ("from 0 to 1",)),
            ("--mean 0.5 0.5 0.5 --std 0.5", ("commas",)),
            ("--mean '0.5 0.5 0.5' --std 0.5", ("commas",)),
            ("--mean 0.5", ("--std",)),
            ("--mean nan --std 1", ("mean",)),
        )
    ),
    case(
        "eval m.onnx --data digits --mean 0.5,0.5 --std 0.5",
        "mean has 2 values",
        "3 channels",
        files={"m.onnx": classifier_onnx()},
    ),
    case("compress digits_cnn --set model.preprocessing.mean=[127.5,127.5,127.5]", "--mean 0.5"),
)


def _weights(make: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """What writes a torch file made of the weights of the bundled model."""

    def write(path: Path) -> None:
        torch = __import__("torch")
        from safetensors.torch import load_file

        from edgevit.model.bundled import BUNDLED_MODELS

        torch.save(make(load_file(str(BUNDLED_MODELS["digits_cnn"].weights))), path)

    return write


def _with(state: dict[str, Any], change: Callable[[Any], Any]) -> dict[str, Any]:
    name = _largest(state)
    return {**state, name: change(state[name])}


def _largest(state: dict[str, Any]) -> str:
    return max(state, key=lambda name: int(state[name].numel()))


def _numpy_object() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([{}]), allow_pickle=True)
    return stream.getvalue()


_CHECKPOINTS = tuple(
    case(f"compress digits_cnn --weights w.pt{options}", "w.pt", *words, files={"w.pt": _weights(make)})
    for make, options, words in (
        (lambda state: {"student": state, "teacher": _with(state, lambda one: one + 1)}, "", ("several models",)),
        (lambda state: {"state_dict": state, "state_dict_ema": {"a": state[next(iter(state))]}}, "", ("--no-ema",)),
        (
            lambda state: {"state_dict": {f"model.{key}": one for key, one in state.items() if key != _largest(state)}},
            "",
            ("missing",),
        ),
        (lambda state: {**state, "more": state[next(iter(state))]}, "", ("unexpected", "more")),
        (lambda state: _with(state, lambda one: one[..., :1]), "", ("of another shape",)),
        (lambda state: _with(state, lambda one: one.cfloat()), "", ("of another kind", "complex64")),
        (lambda state: _with(state, lambda one: one.to_sparse()), "", ("of another kind", "sparse")),
        (lambda state: _with(state, lambda one: one.to("meta")), "", ("of another kind", "without values")),
        (lambda state: _with(state, lambda one: one.long()), "", ("of another kind", "int64")),
        (lambda state: _with(state, lambda one: one * float("nan")), "", ("NaN",)),
        (lambda state: list(state.values()), "", ("state dict",)),
        (lambda state: {"epoch": 3}, "", ("state dict",)),
        (lambda state: __import__("torch").nn.Linear(2, 2), "", ("torch.nn.modules.linear.Linear", "state_dict()")),
        (lambda state: {"model": __import__("fractions").Fraction(1, 2)}, "", ("fractions.Fraction",)),
    )
)

_OWN = (
    case("compress digits_cnn --data digits --class-offset -2", "--class-offset"),
    case("compress digits_cnn --no-ema", "--no-ema", "--weights FILE"),
    case("compress digits_cnn --weights w.pt", "w.pt", files={"w.pt": _numpy_object()}),
)

_ARRAYS = (
    case("compress digits_cnn --data a.npz", "uint8 [n, h, w, 3]", "float32 [2, 8, 8, 3]", "input = array", files={"a.npz": npz(images=np.zeros((2, 8, 8, 3), np.float32), labels=[0, 1])}),
    case("compress digits_cnn --data a.npz", "uint8 [2, 8, 8, 4]", "images[..., :3]", files={"a.npz": npz(images=np.zeros((2, 8, 8, 4), np.uint8), labels=[0, 1])}),
    case("compress digits_cnn --calibration a.npz", "uint8 [2, 3, 8, 8]", "layout=", files={"a.npz": npz(images=np.zeros((2, 3, 8, 8), np.uint8))}),
    case("compress digits_cnn --calibration a.npz", "layout", "NHWC or NCHW", files={"a.npz": npz(images=np.zeros((2, 3, 8, 8), np.uint8), layout="CHW")}),
    case("compress digits_cnn --data digits --set model.preprocessing.input=array", "images of 8 bits", ".npz"),
    case("compress digits_cnn --data a.npz --set model.preprocessing.input=array", "float32 [n, 32, 32, 3]", "not resized", files={"a.npz": npz(images=np.zeros((2, 8, 8, 3), np.float32), labels=[0, 1])}),
    case("compress digits_cnn --set model.preprocessing.input=arrays", "image", "array"),
    case("compress digits_cnn --set model.preprocessing.input=array --set model.preprocessing.crop_pct=0.9", "crop_pct", "no effect"),
    case("compress digits_cnn --set model.preprocessing.input=array --tokens resolution:24", "resolution:24", "arrays"),
    case("compress digits_cnn --set model.preprocessing.channels=0", "channels", "greater than 0"),
    case("compress digits_cnn --set model.preprocessing.channels=4", "no mean, std of 4 channels", "[model.preprocessing]"),
    case("compress digits_cnn --set model.preprocessing.channels=4 --set 'model.preprocessing.mean=[0.5]' --set 'model.preprocessing.std=[0.5]'", "takes images of 3 channels, not 4"),
    case("compress digits_cnn --set 'model.preprocessing.mean=[0.5,0.5]'", "mean has 2 values", "3 channels"),
    case("compress digits_cnn --set 'model.preprocessing.mean=[]'", "mean"),
    case("eval m.tflite --data digits --input arrays", "image", "array", files={"m.tflite": b"x"}),
    case("eval m.tflite --data digits --input array --crop-mode squash", "crop_mode", "no effect", files={"m.tflite": b"x"}),
)  # fmt: skip

_TILES = (
    case("compress digits_cnn --data digits --tiles size=32,overlap=0.1", "size, overlap and reduce", "reduce=mean"),
    case("compress digits_cnn --data digits --tiles size=32,overlap=0.1,reduce=median", "reduce", "mean"),
    case("compress digits_cnn --data digits --tiles size=32,overlap=1,reduce=mean", "overlap", "0.9"),
    case("compress digits_cnn --data digits --tiles size=32,overlap=0.1,reduce=mean --tokens evit:0.7@1", "token plans", "--tokens none"),
    case("compress digits_cnn --set 'model.preprocessing.tiles={size=32,overlap=0.1}'", "reduce"),
    case("compress digits_cnn --set 'model.preprocessing.tiles={size=8,overlap=0.1,reduce=\"max\"}'", "size", "16"),
    case("eval m.tflite --data digits --tiles 224", "size, overlap and reduce", "--tiles size=224", files={"m.tflite": b"x"}),
    case("eval m.tflite --data digits --tiles size=big,overlap=0.1,reduce=max", "pixels", files={"m.tflite": b"x"}),
    case("classify m.tflite a.png --tiles size=32,size=32,overlap=0.1,reduce=max", "each once", files={"m.tflite": b"x"}),
    case("bench m.tflite --tiles size=32,overlap=0.1,reduce=max", "--tiles is for --pipeline", files={"m.tflite": b"x"}),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_ARRAYS, *_FOLDERS, *_LABELS, *_SETS, *_NORMALIZATION, *_TILES, *_CHECKPOINTS, *_OWN)
