"""``edgevit.compress`` in Python: a module and images in memory, resumed, and settings that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

import edgevit  # noqa: E402
from edgevit.api.progress import ProgressEvent  # noqa: E402
from edgevit.data.digits import load_split  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.spec.spec import BudgetSpec, ModelSpec, Spec  # noqa: E402

DIGITS = load_split("test")
PIXELS = np.stack([np.asarray(image) for image in DIGITS.images[:40]])
LABELS = DIGITS.labels[:40]
CALIBRATION = np.stack([np.asarray(image) for image in load_split("train").images[:16]])


class Renamed(nn.Module):
    """The digits network as a class that no other process knows."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_model(ModelSpec(name="digits_cnn")).module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images)


def test_a_module_and_arrays_become_a_run_that_can_be_resumed(tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    out = tmp_path / "run"

    def call(resume: bool = False) -> edgevit.Run:
        return edgevit.compress(
            Renamed(),
            out,
            preprocessing=load_model(ModelSpec(name="digits_cnn")).preprocessing,
            evaluation=(PIXELS, LABELS),
            calibration=CALIBRATION,
            export=["onnx"],
            schemes=["static_wi8_ai8"],
            labels=[f"digit {digit}" for digit in range(10)],
            budget=BudgetSpec(max_drop=5.0),
            quick=True,
            resume=resume,
            progress=events.append,
        )

    run = call()
    assert run.folder == out
    assert run.chosen is not None
    assert run.chosen.file is not None
    assert run.chosen.file.is_file()
    assert run.baseline.top1 is not None
    assert run.baseline.top1 > 0.9
    assert run.spec["budget"]["max_drop"] == 5.0
    assert str(run.selected) in repr(run)
    assert [row["id"] for row in run.to_rows() if row["chosen"]] == [run.selected]
    assert edgevit.load_run(out) == run
    assert "capture original" in [event.text for event in events]
    assert edgevit.load(run.chosen.file).classify(PIXELS[0])[0][0] == f"digit {LABELS[0]}"
    assert run.chosen.file.with_name("use.py").is_file()
    begun = {path.name for path in (out / "inputs").iterdir()}
    assert call(resume=True) == run
    assert {path.name for path in (out / "inputs").iterdir()} == begun


def test_a_whole_spec_takes_no_settings_beside_it(tmp_path: Path) -> None:
    spec = Spec(model=ModelSpec(name="digits_vit"))
    with pytest.raises(UsageError, match="a whole spec is given, and evaluation, passes beside it"):
        edgevit.compress(spec, tmp_path / "run", evaluation="digits", tokens="evit:0.7@2")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weights": "w.safetensors"}, "a module has its weights and classes, and weights is given"),
        ({"evaluation": [PIXELS[0].astype(np.float64)]}, "normalized already"),
        ({"export": ["coreml"]}, "coreml"),
        ({}, "Renamed states no input_size"),
    ],
)
def test_what_does_not_fit_leaves_nothing(
    settings: dict[str, object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = dict(settings) if not settings or "weights" in settings else {"preprocessing": PREPROCESSING, **settings}
    with pytest.raises(UsageError, match=said):
        edgevit.compress(Renamed(), **given)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


PREPROCESSING = edgevit.Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
