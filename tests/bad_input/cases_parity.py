"""Result sets that are none, or cannot be compared."""

from __future__ import annotations

from tests.bad_input.case import case, fifo, folder
from tests.bad_input.contents import image, npz

_GOOD = npz(logits=[[1.0, 0.0]], names=["a.png"])

CASES = (
    case("parity nowhere.npz b.npz", "nowhere.npz", files={"b.npz": _GOOD}),
    case("parity b.npzz b.npz", "b.npzz", "b.npz", files={"b.npz": _GOOD}),
    case("parity a.npz a.npz", "with itself", files={"a.npz": _GOOD}),
    case("parity a.npz b.npz", "b.npz is no result set", files={"a.npz": _GOOD, "b.npz": b"PK\x03\x04"}),
    case("parity a.npz b.npz", "b.npz", files={"a.npz": _GOOD, "b.npz": fifo}),
    case("parity a.npz b.npz", "b.npz", files={"a.npz": _GOOD, "b.npz": folder}),
    case("parity a.npz b.npz", 'no array "logits"', files={"a.npz": _GOOD, "b.npz": npz(images=[1])}),
    case(
        "parity a.npz b.npz",
        "no image in common",
        files={"a.npz": _GOOD, "b.npz": npz(logits=[[1.0, 0.0]], names=["b.png"])},
    ),
    case(
        "parity a.npz b.npz",
        "a.npz lacks 1 of 2 images: b.png",
        "--allow-missing",
        files={"a.npz": _GOOD, "b.npz": npz(logits=[[1.0, 0.0]] * 2, names=["a.png", "b.png"])},
    ),
    case(
        "parity a.npz b.npz",
        "nothing tells which image",
        "--match position",
        files={"a.npz": _GOOD, "b.npz": npz(logits=[[1.0, 0.0]])},
    ),
    case("parity a.npz b.npz --match order", "unknown match", files={"a.npz": _GOOD, "b.npz": _GOOD}),
    case("parity a.npz b.npz --min-agreement 0.98", "is not a percentage", files={"a.npz": _GOOD, "b.npz": _GOOD}),
    case("parity a.npz b.npz --min-snr inf", "--min-snr inf", files={"a.npz": _GOOD, "b.npz": _GOOD}),
    case("parity a.json b.npz", "names no saved outputs", files={"a.json": "{}", "b.npz": _GOOD}),
    case("eval m.onnx --data digits --save-outputs out.csv", "out.csv", "out.npz", files={"m.onnx": b""}),
    case("eval m.onnx --data digits --save-outputs out.npz", "out.npz is a folder", files={"m.onnx": b"", "out.npz": folder}),
    case(
        "eval m.onnx --data digits --data b --save-outputs out.npz",
        "one set of images",
        files={"m.onnx": b"", "b/a.png": image()},
    ),
    case("eval m.onnx --data digits --corruptions noise --save-outputs out.npz", "--save-outputs", files={"m.onnx": b""}),
)  # fmt: skip
