"""Bad models: factories that fail, modules that are no classifiers, and weights that cannot be read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.bad_input.case import Case, case, fifo, folder, link_to, slow_case
from tests.bad_input.contents import FACTORY, npz


def _factory(text: str, *words: str) -> Case:
    """A module ``mine`` whose factory ``make`` is called."""
    return slow_case("compress mine:make --random-weights", *words, files={"mine.py": text})


def _replaced(old: str, new: str) -> str:
    assert old in FACTORY
    return FACTORY.replace(old, new)


_FACTORIES = (
    _factory("", "mine", "make"),
    _factory("def mak():\n    return None\n", "did you mean mak"),
    _factory("make = 3\n", "make"),
    _factory("def make(:\n", "mine"),
    _factory("import nowhere_to_be_found\n", "nowhere_to_be_found"),
    _factory("raise KeyError('depth')\n", "KeyError", "mine.py", "line 1"),
    _factory("def make():\n    raise KeyError('depth')\n", "KeyError", "mine.py", "line 2"),
    _factory("def make():\n    open('nowhere.pth')\n", "nowhere.pth", "mine.py"),
    _factory("def make():\n    return 1 / 0\n", "ZeroDivisionError", "mine.py", "line 2"),
    _factory("def make():\n    raise SystemExit\n", "mine.py"),
    _factory("import sys\ndef make():\n    sys.exit()\n", "mine.py"),
    _factory("import sys\nsys.exit(0)\n", "mine.py"),
    _factory("import argparse\nargparse.ArgumentParser().parse_args()\ndef make(): pass\n", "NoneType"),
    _factory("import os\ndef make():\n    os.kill(os.getpid(), 11)\n", "mine"),
    _factory("import os\ndef make():\n    os._exit(0)\n", "mine"),
    _factory("def make():\n    return make()\n", "RecursionError", "mine.py"),
    _factory("def make():\n    return None\n", "NoneType", "torch.nn.Module"),
    _factory("def make():\n    return {}\n", "dict", "torch.nn.Module"),
    _factory("def make(width):\n    return None\n", "make", "width"),
    _factory(FACTORY + "make = Tiny\nmake = make()\n", "mine"),
    _factory(
        _replaced("return self.head(", "raise ValueError('no')\n        return self.head("), "ValueError", "mine.py"
    ),
    _factory(_replaced("return self.head(", "return 1 / 0\n        return self.head("), "ZeroDivisionError", "mine.py"),
    _factory(_replaced(".mean((2, 3))", ""), "mine"),
    _factory(_replaced("Conv2d(3, 4", "Conv2d(4, 4"), "channels"),
    _factory(_replaced("return self.head(", "return None\n        return self.head("), "returns no tensor"),
    _factory(_replaced("    default_cfg", "    other_cfg"), "input_size"),
    _factory(_replaced("'input_size': (3, 16, 16), ", ""), "input_size"),
    _factory(_replaced("(0.5,) * 3, 'std'", "'x', 'std'"), "mean"),
)

_NAMES = (
    case("compress mine:", "mine", files={"mine.py": FACTORY}),
    case("compress :make", "make"),
    case("compress mine:make:again", "mine", files={"mine.py": FACTORY}),
    case("compress mine.py:make", "mine", files={"mine.py": FACTORY}),
    case("compress mine.py", "mine:", files={"mine.py": FACTORY}),
    slow_case("compress min:make --random-weights", "did you mean mine", files={"mine.py": FACTORY}),
    slow_case("compress mine:mak --random-weights", "did you mean make", files={"mine.py": FACTORY}),
    slow_case("compress mine:make --pretrained", "does not load all its weights", files={"mine.py": FACTORY}),
    case("compress ..mine:make", "mine", files={"mine.py": FACTORY}),
    case("compress model.onnx", "model.onnx", "PyTorch", files={"model.onnx": b""}),
    case("compress model.tflite", "model.tflite", "PyTorch", files={"model.tflite": b""}),
    case("compress model.xml", "model.xml", "PyTorch", files={"model.xml": b""}),
    case("compress model.pt", "model.pt", files={"model.pt": b""}),
    case("compress .", "model"),
    case("compress folder", "model", files={"folder": folder}),
    case("compress " + "x" * 5000, "unknown model"),
    case("compress 'digits cnn'", "did you mean digits_cnn"),
    case("compress DIGITS_CNN", "did you mean digits_cnn"),
)

_WEIGHTS = (
    case("compress digits_cnn --weights nowhere.pt", "nowhere.pt"),
    case("compress digits_cnn --weights weigths.pt", "weights.pt", files={"weights.pt": b""}),
    case("compress digits_cnn --weights folder", "folder", files={"folder": folder}),
    case("compress digits_cnn --weights pipe.pt", "pipe.pt", files={"pipe.pt": fifo}),
    case("compress digits_cnn --weights loop.pt", "loop.pt", files={"loop.pt": link_to("loop.pt")}),
    case("compress digits_cnn --weights lost.pt", "lost.pt", files={"lost.pt": link_to("nowhere.pt")}),
    case("compress digits_cnn --weights zero.pt", "zero.pt", files={"zero.pt": link_to("/dev/zero")}),
    case("compress digits_cnn --weights model.onnx", "model.onnx", files={"model.onnx": b"x"}),
    *(
        case(f"compress digits_cnn --weights w.{suffix}", f"w.{suffix}", files={f"w.{suffix}": content})
        for suffix in ("pt", "pth", "safetensors", "bin")
        for content in (b"", b"nonsense", b"PK\3\4" + bytes(40), b"\x80\x02." + bytes(9), b"\xff" * 64, b"{}")
    ),
)

_EXPORTED = tuple(
    replace(
        slow_case(
            f"export mine:make --random-weights --export onnx --out run{number}", *words, files={"mine.py": text}
        ),
        makes=("run*",),  # to be resumed
    )
    for number, (text, *words) in enumerate(
        (
            (
                _replaced("return self.head(", "if x.sum() > 0:\n            x = x * 2\n        return self.head("),
                "mine.py",
            ),
            (_replaced("return self.head(", "x = x[x[:, 0, 0, 0] > -9]\n        return self.head("), "mine.py"),
            (_replaced("return self.head(", "x = x * float(x.sum())\n        return self.head("), "mine.py"),
        )
    )
)

_CLASSES = np.arange(12, dtype=np.float32).reshape(3, 4) + 1
_CLASS_NAMES = np.array(["a", "b", "c"])
_ZERO_SHOT = "compress test_vit --random-weights --class-embeddings classes.npz"

_REPOSITORIES = (
    case("compress hf-hub:timm/resnet18.a1_in1k", "would be downloaded from huggingface.co/timm/resnet18", "--pretrained", "local-dir:"),
    case("compress hf-hub:timm/resnet18.a1_in1k --random-weights", "would be downloaded", "--pretrained"),
    case("compress transformers:google/vit-base-patch16-224", "would be downloaded", "--pretrained", "transformers:FOLDER"),
    case("compress transformers:", "names no model"),
    case("compress transformers:folder", "transformers cannot load", "save_pretrained", files={"folder": folder}),
    case("compress local-dir:nowhere", "nowhere", "no folder"),
    case("compress local-dir:folder", "config.json", "save_for_hf", files={"folder": folder}),
    case("compress local-dir:mine", "timm cannot make", files={"mine/config.json": "{"}),
    case("models local-dir:nowhere", "no folder"),
    case("models hf-hub:timm/resnet18", "would be downloaded"),
    case(_ZERO_SHOT, "no such file of class embeddings", "classes.npz"),
    case(_ZERO_SHOT, "classes.npz", "numpy.savez", files={"classes.npz": b"nonsense"}),
    case(_ZERO_SHOT, "no 'names'", files={"classes.npz": npz(embeddings=_CLASSES)}),
    case(_ZERO_SHOT, "names of 3 classes", files={"classes.npz": npz(embeddings=_CLASSES, names=_CLASS_NAMES[:2])}),
    case(_ZERO_SHOT, "'a' twice", files={"classes.npz": npz(embeddings=_CLASSES, names=np.array(["a", "b", "a"]))}),
    case(_ZERO_SHOT, "NaN", files={"classes.npz": npz(embeddings=_CLASSES * np.float32("nan"), names=_CLASS_NAMES)}),
    case("compress digits_vit --class-embeddings classes.npz", "features of width 10", "width 4", files={"classes.npz": npz(embeddings=_CLASSES, names=_CLASS_NAMES)}),
)  # fmt: skip

CASES: tuple[Case, ...] = (*_REPOSITORIES, *_FACTORIES, *_NAMES, *_WEIGHTS, *_EXPORTED)
