"""Models of timm in a folder, and the rule that nothing is downloaded unless it is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
timm = pytest.importorskip("timm")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of timm with random weights, as timm saves it for a repository."""
    from timm.models import save_for_hf

    torch.manual_seed(3)
    model = timm.create_model("test_vit", num_classes=4)
    path = tmp_path_factory.mktemp("saved") / "mine"
    save_for_hf(model, str(path), model_config={"label_names": ["a", "b", "c", "d"]})
    return path


def test_a_folder_is_a_model_with_its_weights(folder: Path) -> None:
    model = load_model(ModelSpec(name=f"local-dir:{folder}"))
    torch.manual_seed(3)
    expected = timm.create_model("test_vit", num_classes=4).eval()
    images = torch.randn(2, 3, *model.preprocessing.input_size)
    torch.testing.assert_close(model.module(images), expected(images))
    assert (model.num_classes, model.random_weights, model.class_names) == (4, False, ("a", "b", "c", "d"))


def test_a_folder_may_get_other_weights_and_another_input(folder: Path) -> None:
    model = load_model(
        ModelSpec(
            name=f"local-dir:{folder}", random_weights=True, preprocessing=PreprocessingOverrides(input_size=(96, 96))
        )
    )
    assert (model.random_weights, model.preprocessing.input_size, model.class_names) == (True, (96, 96), ())
    assert model.module(torch.zeros(1, 3, 96, 96)).shape == (1, 4)


def test_a_model_of_four_channels(folder: Path) -> None:
    four = PreprocessingOverrides(channels=4, mean=(0.5,), std=(0.25,))
    model = load_model(ModelSpec(name="test_vit", random_weights=True, preprocessing=four))
    assert model.preprocessing.channels == 4
    assert model.module(torch.zeros(1, 4, *model.preprocessing.input_size)).shape == (1, 1000)


def test_another_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    for name, message in (("nowhere", "is no folder"), ("", "has no config.json")):
        with pytest.raises(UsageError, match=message):
            load_model(ModelSpec(name=f"local-dir:{tmp_path / name}"))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UsageError, match="timm cannot make local-dir"):
        load_model(ModelSpec(name=f"local-dir:{tmp_path}"))
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "test_vit", "num_classes": 4}))
    with pytest.raises(UsageError, match="could not get pretrained weights|timm cannot make"):
        load_model(ModelSpec(name=f"local-dir:{tmp_path}"))


@pytest.mark.parametrize("name", ["hf-hub:timm/resnet18.a1_in1k", "transformers:google/vit-base-patch16-224"])
def test_a_repository_is_not_downloaded_unless_it_is_asked_for(name: str) -> None:
    for given in ({}, {"random_weights": True}, {"weights": Path("w.safetensors")}):
        with pytest.raises(UsageError, match="would be downloaded from huggingface.co/") as caught:
            load_model(ModelSpec.model_validate({"name": name, **given}))
        assert caught.value.hint and "--pretrained" in caught.value.hint and ":FOLDER" in caught.value.hint


def test_a_repository_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(UsageError, match="could not get pretrained weights of hf-hub:a/b: OSError: no route") as caught:
        load_model(ModelSpec(name="hf-hub:a/b", pretrained=True))
    assert caught.value.hint and "offline" in caught.value.hint
