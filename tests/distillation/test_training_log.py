"""The log of a training: a table, and events that TensorBoard reads."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.distillation import training_log  # noqa: E402
from edgevit.distillation.training_log import TrainingLog, check_tensorboard  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.results.distillation import DistillPoint  # noqa: E402

CURVE = (DistillPoint(0, 0.0, None, 0.0, 2.3, 0.1), DistillPoint(16, 1.0, 1.5, 1e-3, 0.9, 0.8))


def test_the_table_has_a_line_for_each_look(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.csv", None)
    log.write(CURVE[:1])
    log.write(CURVE)
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "step,epoch,loss,learning_rate,kept_loss,kept_top1",
        "0,0.0,,0.0,2.3,0.1",
        "16,1.0,1.5,0.001,0.9,0.8",
    ]


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TrainingLog(tmp_path / "log.csv", tmp_path / "events")
    log.write(CURVE[:1])
    log.write(CURVE)
    events = EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    assert [(each.step, pytest.approx(each.value)) for each in events.Scalars("kept_top1")] == [(0, 0.1), (16, 0.8)]
    assert [each.step for each in events.Scalars("loss")] == [16]


def test_without_tensorboard_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_log.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="tensorboard"):
        check_tensorboard()
