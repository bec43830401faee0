"""A run is tied to all that its stages read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline import pins as module  # noqa: E402
from edgevit.pipeline.pins import pin_inputs  # noqa: E402
from edgevit.run.folder import RunFolder  # noqa: E402
from tests.factories import make_run  # noqa: E402
from tests.pipeline.contexts import CONTRACT_32, digits_spec, make_inputs, noise  # noqa: E402


def test_a_run_is_tied_to_its_images(tmp_path: Path) -> None:
    given = digits_spec()
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given, data=RunData(noise(3), None)))
        pin_inputs(folder, make_inputs(given, data=RunData(noise(3), None)))
        with pytest.raises(UsageError, match="the evaluation images changed"):
            pin_inputs(folder, make_inputs(given, data=RunData(noise(2), None)))


def linear(weight: float) -> Model:
    """A model whose name is that of a factory."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3072, 2))
    nn.init.constant_(module[1].weight, weight)
    nn.init.constant_(module[1].bias, 0.0)
    return Model("tests.pipeline.test_pins:linear", module.eval(), CONTRACT_32, 2, random_weights=False)


class Negated(nn.Module):
    """Computes the opposite with the same weights under the same names."""

    def __init__(self, module: nn.Sequential) -> None:
        super().__init__()
        self.inner = module

    def state_dict(self, *arguments: Any, **given: Any) -> Any:
        return self.inner.state_dict(*arguments, **given)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return -self.inner(images)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"data": RunData(noise(3, (0, 1, 1)), noise(2))}, "the evaluation images changed"),
        ({"data": RunData(noise(3, (0, 1, 0)).select(("1", "0", "2")), noise(2))}, "the evaluation images changed"),
        ({"data": RunData(noise(3, (0, 1, 0)), noise(2).select(("1", "0")))}, "the calibration images changed"),
        ({"training_images": TuningImages(noise(4, (1, 0, 0, 0)), noise(2))}, "the training images changed"),
        ({"training_images": TuningImages(noise(4, (0, 0, 0, 0)), noise(3))}, "the training, kept apart images changed"),
        ({"tuning_images": TuningImages(noise(3), noise(2))}, "the fine-tuning images changed"),
        ({"tuning_images": TuningImages(noise(2), noise(3))}, "the kept-apart images changed"),
        ({"model": linear(2.0)}, "the (output|weights) of the model changed"),
        ({"model": replace(linear(1.0), module=Negated(linear(1.0).module))}, "the output of the model changed"),
        ({"model": replace(linear(1.0), preprocessing=replace(CONTRACT_32, crop_pct=0.9))}, "the preprocessing of the model"),
        ({"teacher": linear(2.0)}, "of the teacher changed"),
        ({"host": replace(make_run().host, cpu="Other CPU")}, "the processor changed .* began: it was .*, and is Other CPU"),
        ({"host": replace(make_run().host, isa=("avx2",))}, "the processor changed"),
        ({"host": replace(make_run().host, python="3.9.1")}, "installed versions changed .* Python was .*, and is 3.9.1"),
    ],
)  # fmt: skip
def test_a_run_is_tied_to_all_that_its_stages_read(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    given = digits_spec()
    before: dict[str, Any] = {
        "data": RunData(noise(3, (0, 1, 0)), noise(2)),
        "training_images": TuningImages(noise(4, (0, 0, 0, 0)), noise(2)),
        "tuning_images": TuningImages(noise(2), noise(2)),
        "model": linear(1.0),
        "teacher": linear(1.0),
    }
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given, **before))
        pin_inputs(folder, make_inputs(given, **before))
        with pytest.raises(UsageError, match=told):
            pin_inputs(folder, make_inputs(given, **(before | changes)))


def test_a_run_is_tied_to_the_versions_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = digits_spec()
    monkeypatch.setattr(module, "tool_versions", lambda: {"onnxruntime": "0.2"})
    with RunFolder(tmp_path / "run", given, (), False) as folder:
        pin_inputs(folder, make_inputs(given))
        monkeypatch.setattr(module, "tool_versions", lambda: {"onnxruntime": "0.1"})
        with pytest.raises(UsageError, match=r"installed versions changed .* onnxruntime was 0.2, and is 0.1$"):
            pin_inputs(folder, make_inputs(given))
