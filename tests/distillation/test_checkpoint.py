"""Checkpoints: what was written comes back, for what it was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.distillation.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402


def test_a_state_comes_back_for_its_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.checkpoint"
    assert load_checkpoint(path, "key") is None
    save_checkpoint(path, "key", {"step": 3, "weights": {"w": torch.arange(4.0)}, "curve": [(0, 0.5)], "note": ""})
    state = load_checkpoint(path, "key")
    assert state is not None
    assert (state["step"], state["curve"], state["note"]) == (3, [(0, 0.5)], "")
    assert torch.equal(state["weights"]["w"], torch.arange(4.0))
    assert load_checkpoint(path, "another") is None


def test_a_file_that_would_run_code_is_not_loaded(tmp_path: Path) -> None:
    torch.save({"key": "key", "state": Path}, tmp_path / "a.checkpoint")
    with pytest.raises(Exception, match="Weights only load failed"):
        load_checkpoint(tmp_path / "a.checkpoint", "key")
