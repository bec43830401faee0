"""Contents of good files, for cases to spoil."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from edgevit.results.run import run_to_json
from tests.factories import make_run

RUN = run_to_json(make_run())
BUDGET = "size_bytes = 8_000_000\n"
FACTORY = (
    "import torch\n"
    "class Tiny(torch.nn.Module):\n"
    "    default_cfg = {'input_size': (3, 16, 16), 'mean': (0.5,) * 3, 'std': (0.5,) * 3}\n"
    "    def __init__(self):\n"
    "        super().__init__()\n"
    "        self.conv = torch.nn.Conv2d(3, 4, 3, stride=2)\n"
    "        self.head = torch.nn.Linear(4, 10)\n"
    "    def forward(self, x):\n"
    "        return self.head(self.conv(x).relu().mean((2, 3)))\n"
    "def make():\n"
    "    return Tiny()\n"
)
"""A module with a good factory, ``make``."""


def run_with(*path: str | int, value: Any) -> bytes:
    """Returns a run.json in which one value is replaced."""
    document = json.loads(RUN)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(document).encode()


def run_without(*path: str | int) -> bytes:
    """Returns a run.json that lacks one key."""
    document = json.loads(RUN)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return json.dumps(document).encode()


def image(kind: str = "PNG", size: int = 16, shade: int = 100) -> bytes:
    """Returns an encoded image of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (size, size), (shade, shade // 2, 10)).save(stream, kind)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    """Returns an .npz with these arrays."""
    stream = io.BytesIO()
    np.savez(stream, **{name: np.asarray(array) for name, array in arrays.items()})
    return stream.getvalue()


def pictures(count: int = 2, size: int = 16) -> np.ndarray:
    """Returns images uint8 [count, size, size, 3]."""
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def classifier_onnx(size: int = 32) -> bytes:
    """Returns a model of ONNX that takes float32 [1, 3, size, size] and gives 10 logits."""
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])
    logits = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])
    weights = helper.make_tensor("w", TensorProto.FLOAT, [3, 10], [number / 30 for number in range(30)])
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["means"]),
        helper.make_node("Flatten", ["means"], ["row"]),
        helper.make_node("MatMul", ["row", "w"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [image], [logits], [weights])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(made.SerializeToString())
