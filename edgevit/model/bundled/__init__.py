"""The models that ship with edgevit, and where their weights are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BundledModel:
    """A model whose weights are in the package."""

    factory: str
    """"package.module:function" that makes the module."""
    weights: Path
    """State dict as safetensors."""


_FOLDER = Path(__file__).parent

BUNDLED_MODELS = {
    name: BundledModel(f"edgevit.model.bundled.digits:{name}", _FOLDER / f"{name}.safetensors")
    for name in ("digits_vit", "digits_cnn")
}
