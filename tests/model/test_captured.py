"""A captured program as a model by name: loaded as it is, and refused where it is none."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.captured import save_captured  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.results.output import Output  # noqa: E402
from edgevit.spec.resolve import resolve_spec  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402

# isort: split
from tests.models import SIDE, vit  # noqa: E402

CONTRACT = PreprocessingOverrides(input_size=(SIDE, SIDE), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_a_program_has_its_weights(tmp_path: Path) -> None:
    module = vit().eval()
    save_captured(module, (SIDE, SIDE), tmp_path / "model.pt2")
    spec = ModelSpec(name=str(tmp_path / "model.pt2"), preprocessing=CONTRACT)
    loaded = load_model(spec).module
    image = torch.rand(1, 3, SIDE, SIDE)
    with torch.no_grad():
        assert torch.allclose(loaded(image), module(image), atol=1e-5)
    with pytest.raises(UsageError, match="is a captured program, which has its weights and classes") as caught:
        load_model(spec.model_copy(update={"random_weights": True}))
    assert "random_weights" in str(caught.value.hint)


@pytest.mark.parametrize(("content", "said"), [(None, "captured program"), (b"text", "is not a program")])
def test_what_is_no_program_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        load_model(ModelSpec(name=str(path), preprocessing=CONTRACT))


def test_a_relative_path_in_a_spec_starts_at_its_folder(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text('[model]\nname = "model.pt2"\n')
    assert resolve_spec(tmp_path / "spec.toml", None, {}).model.name == str(tmp_path / "model.pt2")


class Several(torch.nn.Module):
    """Returns a map and what is pooled of it."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Returns both by name."""
        return {"zoom": images * 2, "pooled": images.mean((2, 3))}


def test_a_program_keeps_the_names_of_its_outputs(tmp_path: Path) -> None:
    save_captured(Several(), (SIDE, SIDE), tmp_path / "model.pt2")
    model = load_model(ModelSpec(name=str(tmp_path / "model.pt2"), preprocessing=CONTRACT))
    assert model.outputs == (Output("zoom", (3, SIDE, SIDE)), Output("pooled", (3,)))
    image = torch.rand(1, 3, SIDE, SIDE)
    assert torch.equal(model.module(image)["zoom"], image * 2)


def test_a_program_of_one_output_in_a_tuple_is_a_classifier(tmp_path: Path) -> None:
    class InTuple(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            return (images.mean((2, 3)),)

    torch.export.save(torch.export.export(InTuple(), (torch.rand(1, 3, SIDE, SIDE),)), tmp_path / "model.pt2")
    spec = ModelSpec(name=str(tmp_path / "model.pt2"), preprocessing=CONTRACT)
    assert load_model(spec).num_classes == 3
    assert load_model(spec.model_copy(update={"num_classes": 0})).outputs == (Output("output", (3,)),)
