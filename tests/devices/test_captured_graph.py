from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from edgevit.artifacts.make import ExportJob, export_float
from edgevit.backends import get_backend
from edgevit.devices.captured_graph import captured_graph
from edgevit.devices.features import FEATURES, features
from edgevit.devices.kernels import kernels
from edgevit.model.program.capture import capture, save_program
from edgevit.pipeline.model_inputs import open_model
from edgevit.spec.spec import ModelSpec
from edgevit.spec.toml_files import validate


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, 1, 1, groups=8)
        self.linear = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu_(self.norm(self.conv(x)))
        x = x + nn.functional.silu(self.depthwise(x))
        logits: torch.Tensor = self.linear(x.mean((2, 3)))
        return logits


def test_macs_and_families_of_a_small_network() -> None:
    graph = captured_graph(Network(), (3, 16, 16))
    assert graph.macs == 8 * 8 * 8 * 27 + 8 * 8 * 8 * 9 + 8 * 5
    assert [kernel.family for kernel in kernels(graph)] == ["conv", "depthwise", "elementwise", "pooling", "linear"]
    assert {tensor.name for tensor in graph.tensors if tensor.constant} != set()
    assert graph.tensor[graph.inputs[0]].shape == (1, 3, 16, 16)
    assert graph.tensor[graph.outputs[0]].shape == (1, 5)


MAY_DIFFER = {
    "tflite": ("moved_layout", "kernels_layout", "moved_elementwise", "kernels_elementwise"),
    "openvino": ("moved_layout", "kernels_layout"),
    "onnx": (),
}
"""Images are turned to channels last, and LiteRT's converter folds an addition into the stem; OpenVINO's reader removes
transposes in front of its attention op."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits_cnn", "digits_vit"])
@pytest.mark.parametrize("backend", ["onnx", "openvino", "tflite"])
def test_an_exported_artifact_has_the_features_of_the_captured_graph(name: str, backend: str, tmp_path: Path) -> None:
    model = open_model(validate(ModelSpec, {"name": name}, "test"), seed=0)
    save_program(capture(model.module, model.preprocessing.input_size), tmp_path / "model.pt2")
    chosen = get_backend(backend)
    artifact = export_float(ExportJob(chosen.name, tmp_path / "model.pt2", tmp_path / "artifact")).main
    exported = features(kernels(chosen.read_graph(artifact)))
    captured = features(
        kernels(captured_graph(model.module, (model.preprocessing.channels, *model.preprocessing.input_size)))
    )
    differing = {feature for feature in FEATURES if exported[feature] != captured[feature]}
    assert differing <= set(MAY_DIFFER[backend])
    for feature in differing:
        assert exported[feature] == pytest.approx(captured[feature], rel=0.25, abs=8192)
