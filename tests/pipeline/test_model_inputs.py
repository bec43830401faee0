"""The model and the teacher of a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.bundled import BUNDLED_MODELS  # noqa: E402
from edgevit.pipeline.inputs import open_inputs  # noqa: E402
from edgevit.pipeline.model_inputs import input_files, open_model  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402
from tests.pipeline.contexts import digits_spec  # noqa: E402


def test_files_of_weights_are_what_a_run_reads(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"x")
    given = digits_spec(
        model={"name": "vit_tiny_patch16_224", "weights": str(weights)},
        distill={"teacher": {"name": "digits_cnn"}},
        data={"train": "digits:train"},
    )
    assert input_files(given) == (BUNDLED_MODELS["digits_cnn"].weights, weights)
    weights.unlink()
    assert input_files(given) == (BUNDLED_MODELS["digits_cnn"].weights,)


@pytest.mark.parametrize("name", ["model.onnx", "folder/model.tflite", "MODEL.XML"])
def test_an_exported_file_is_neither_a_model_nor_weights(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is a file for .*, not a PyTorch model") as caught:
        open_model(ModelSpec(name=name), 0)
    assert caught.value.hint and "--weights FILE" in caught.value.hint and "edgevit inspect" in caught.value.hint
    with pytest.raises(UsageError, match=f"{name} is a file for .*, not a PyTorch model"):
        open_model(ModelSpec(name="digits_vit", weights=tmp_path / name), 0)


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"distill": {"teacher": {"name": "digits_cnn"}}}, "distillation needs images to train on"),
        (
            {
                "distill": {"teacher": {"name": "resnet18", "random_weights": True}},
                "data": {"train": "digits:train"},
            },
            "the teacher has 1000 classes, the model 10",
        ),
        (
            {"distill": {"teacher": {"name": "net.pt2"}}, "data": {"train": "digits:train"}},
            r"the teacher .*net\.pt2 is a captured program, which takes one image at a time",
        ),
    ],
)
def test_what_does_not_fit_is_refused(sections: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_inputs(digits_spec(**sections), Silent())
