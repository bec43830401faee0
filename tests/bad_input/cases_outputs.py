"""Models that are no classifiers, masks, and files that are compared: what does not fit together."""

from __future__ import annotations

from tests.bad_input.case import case, slow_case
from tests.bad_input.contents import image

_RUN = "compress digits_cnn --export onnx --scheme fp32"
_NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.make = make
        self.conv = nn.Conv2d(3, 4, 3)
        self.default_cfg = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    def forward(self, images):
        return self.make(self.conv(images))

def maps(): return Net(lambda found: {"map": found, "pooled": found.mean((2, 3))})
def decided(): return Net(lambda found: {"map": found.argmax(1)})
def boxes(): return Net(lambda found: {"boxes": found[0, :, 0]})
def twice(): return Net(lambda found: {"input": found})
def nothing(): return Net(lambda found: {})
"""
_OTHER = "compress nets:maps --random-weights --export onnx --scheme fp32"
_FILES = {"nets.py": _NETS, "photos/a.png": image(), "photos/b.png": image(shade=9)}

CASES = (
    case(f"{_RUN} --data digits --masks masks", "--masks is given, and digits_cnn is a classifier", "leave it out"),
    case(f"{_RUN} --masks masks", "data.masks (--masks)", "--data"),
    case(f"{_RUN} --data digits --data digits:calibration --masks masks", "data.masks (--masks) belongs to one set"),
    case(f"{_RUN} --data digits --metric miou", "compares with masks", "--masks DIR"),
    case(f"{_RUN} --data digits --metric snr", "the largest drop is not said", "--max-drop"),
    case(f"{_RUN} --data digits --metric cosin", "unknown metric: 'cosin'", "did you mean cosine"),
    case(f"{_RUN} --set model.num_classes=-1", "num_classes"),
    case(f"{_RUN} --set model.features_only=true", "features_only of digits_cnn is not possible", "package.module:factory"),
    case("eval nowhere.onnx --data digits --reference digits.onnx", "nowhere.onnx"),
    slow_case(f"{_OTHER} --tokens evit:0.7@4", "nets:maps is no classifier", "map [4, 14, 14]", "--tokens none", files=_FILES),
    slow_case(f"{_OTHER} --calibration photos --metric top1", "is for classifiers", "cosine", files=_FILES),
    slow_case(f"{_OTHER} --expect-top1 80", "--expect-top1 is given", "it has no top-1", files=_FILES),
    slow_case("compress nets:decided --random-weights", "int64", "before an argmax", files=_FILES),
    slow_case("compress nets:boxes --random-weights", "without an axis of the batch", files=_FILES),
    slow_case("compress nets:twice --random-weights", "input is the name of its input too", files=_FILES),
    slow_case("compress nets:nothing --random-weights", "the model returns no tensor", files=_FILES),
)  # fmt: skip
