"""What lies in the folder of a run is named from there."""

from __future__ import annotations

from pathlib import Path

from edgevit.pipeline.stored_spec import stored_spec
from edgevit.spec.spec import Spec


def spec(folder: Path) -> Spec:
    """The spec of a call with everything in memory."""
    inputs = folder / "inputs"
    return Spec.model_validate(
        {
            "model": {"name": str(inputs / "Net-0.pt2"), "preprocessing": {"crop_pct": 0.9}},
            "data": {"evaluation": str(inputs / "evaluation-0.npz"), "calibration": "20%"},
            "export": {"labels": str(inputs / "labels-0.txt"), "backends": ["onnxruntime"]},
            "seed": 3,
        }
    )


def test_the_digest_does_not_depend_on_the_folder() -> None:
    here, there = (stored_spec(spec(folder), folder) for folder in (Path("/a/run"), Path("/b/another")))
    assert here == there
    assert here.sha256 == there.sha256
    assert here.model.name == "inputs/Net-0.pt2"
    assert here.data.evaluation == "inputs/evaluation-0.npz"
    assert here.export.labels == Path("inputs/labels-0.txt")
    assert (here.seed, here.data.calibration, here.model.preprocessing.crop_pct) == (3, "20%", 0.9)


def test_what_lies_elsewhere_keeps_its_name() -> None:
    given = spec(Path("/a/run"))
    assert stored_spec(given, Path("/a")) is given
    assert stored_spec(given, Path("/a/ru")) is given
