"""Copies share values with the original, and what is captured is a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.model.program.copies import copy_with_shared_weights  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockProgram  # noqa: E402
from edgevit.pipeline.token_search.parts import capture_block, parts_of  # noqa: E402
from edgevit.tokens.captured.batches import capture_batches  # noqa: E402

# isort: split
from tests.model.program.networks import conv_bn, disturb  # noqa: E402
from tests.models import SIDE, vit  # noqa: E402


def test_values_are_shared_and_buffers_copied() -> None:
    module = disturb(conv_bn())
    module.requires_grad_(False)
    twin = copy_with_shared_weights(module)
    pairs = list(zip(module.parameters(), twin.parameters(), strict=True))
    assert all(mine is not its and mine.data_ptr() == its.data_ptr() for mine, its in pairs)
    assert not any(its.requires_grad for _, its in pairs)
    buffers = list(zip(module.buffers(), twin.buffers(), strict=True))
    assert buffers
    assert all(mine.data_ptr() != its.data_ptr() for mine, its in buffers)


def test_two_names_of_one_weight_stay_one() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    twin = copy_with_shared_weights(module)
    assert twin[1].weight is twin[0].weight


def test_what_searches_capture_is_no_module_that_others_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Capturing puts other tensors in its place, which another search would copy."""
    module = vit().eval()
    export, captured = torch.export.export, []

    def watch(given: nn.Module, *args: Any, **kwargs: Any) -> Any:
        captured.extend(given.parameters())
        return export(given, *args, **kwargs)

    monkeypatch.setattr(torch.export, "export", watch)
    capture_batches(module, (SIDE, SIDE))
    parts = parts_of(module, (SIDE, SIDE))
    capture_block(parts, BlockProgram(tmp_path / "block.pt2", parts.shape.tokens, parts.shape.tokens))
    assert captured
    assert not {id(parameter) for parameter in module.parameters()} & {id(parameter) for parameter in captured}
