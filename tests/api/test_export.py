"""``edgevit.export`` makes verified artifacts of a module in memory, and tells what it does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

import edgevit  # noqa: E402

PLAIN = edgevit.Preprocessing((16, 16), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear", 1.0, "center")


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


def test_a_module_becomes_verified_files_in_memory_with_progress(tmp_path: Path) -> None:
    events: list[edgevit.ProgressEvent] = []
    module = small()
    module.class_names = ["a", "b", "c"]
    run = edgevit.export(module, tmp_path / "run", preprocessing=PLAIN, export=["onnx"], progress=events.append)
    (candidate,) = run.candidates
    assert (candidate.status, candidate.scheme) == ("ok", "fp32")
    assert candidate.verification is not None and candidate.verification.passed
    assert candidate.file is not None
    answers = edgevit.load(candidate.file).classify(np.zeros((16, 16, 3), np.uint8))
    assert {name for name, _ in answers} == {"a", "b", "c"}
    kinds = [event.kind for event in events]
    assert kinds.index("plan") < kinds.index("candidate")
    finished = [event.text for event in events if event.kind == "stage" and event.done == event.total]
    assert f"export {candidate.id}" in finished
    assert len(finished) == len(set(finished))


def test_an_image_tower_with_class_embeddings_takes_pixels(tmp_path: Path) -> None:
    classes = tmp_path / "classes.npz"
    np.savez(classes, embeddings=np.eye(2, 4, dtype=np.float32), names=["cat", "dog"])
    tower = small()[:-1]
    run = edgevit.export(
        tower,
        tmp_path / "run",
        preprocessing=PLAIN,
        class_embeddings=classes,
        embed_preprocessing=True,
        export=["onnx"],
    )
    (candidate,) = run.candidates
    assert candidate.file is not None
    (taken,) = onnxruntime.InferenceSession(candidate.file).get_inputs()
    assert (taken.type, taken.shape) == ("tensor(uint8)", [1, 16, 16, 3])
    answers = edgevit.load(candidate.file).classify(np.zeros((16, 16, 3), np.uint8))
    assert {name for name, _ in answers} == {"cat", "dog"}


def test_a_spec_keeps_its_own_schemes(tmp_path: Path) -> None:
    spec = edgevit.Spec.model_validate(
        {"model": {"name": "digits_cnn"}, "export": {"schemes": ["static_wi8_ai16"], "backends": ["openvino"]}}
    )
    with pytest.raises(edgevit.UsageError, match="has no scheme 'static_wi8_ai16'"):
        edgevit.export(spec, tmp_path / "run")
    with pytest.raises(edgevit.UsageError, match="a whole spec is given, and export beside it"):
        edgevit.export(spec, tmp_path / "run", export=["onnx"])


def test_an_exception_of_the_callback_ends_the_call(tmp_path: Path) -> None:
    def stop(event: edgevit.ProgressEvent) -> None:
        if event.kind == "plan":
            raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        edgevit.export(small(), tmp_path / "run", preprocessing=PLAIN, export=["onnx"], progress=stop)


@pytest.mark.slow
def test_equal_calls_in_two_folders_give_equal_files(tmp_path: Path) -> None:
    made = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        run = edgevit.export(
            small(), tmp_path / name / "run", preprocessing=PLAIN, export=["onnx"], labels=["a", "b", "c"]
        )
        (candidate,) = run.candidates
        assert candidate.file is not None
        made.append((run.spec_sha256, candidate.file.read_bytes()))
        assert run.spec["model"]["name"].startswith("inputs/")
    assert made[0] == made[1]
