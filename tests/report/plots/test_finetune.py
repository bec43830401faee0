"""The picture of fine-tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.report.plots.finetune import _label, can_draw_finetunes, draw_finetunes
from tests.factories import make_finetune, make_run

QUICK, VAIN = make_finetune(), make_finetune(rung="full", after=0.1)


def test_it_is_drawn_the_same_each_time(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        draw_finetunes(make_run(finetunes=(QUICK, VAIN)), tmp_path / name)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first.startswith(b"\x89PNG\r\n")
    assert first == second


def test_a_training_in_float_for_several_runtimes_is_one_line() -> None:
    both = [make_finetune(untuned=f"{backend}/int8/tome-8") for backend in ("litert", "openvino")]
    assert _label(both) == "litert/int8/tome-8,\nopenvino/int8/tome-8, quick"
    assert _label([make_finetune(simulated="static_wi8_ai8")]) == "tome-8-gather, quick, int8 simulated"


def test_nothing_to_draw_is_an_error_and_no_file(tmp_path: Path) -> None:
    assert not can_draw_finetunes(make_run())
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_finetunes(make_run(), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
