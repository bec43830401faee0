"""What a training did, look by look: as a table, and for TensorBoard."""

from __future__ import annotations

import csv
import importlib.util
import io
import math
from collections.abc import Sequence
from pathlib import Path

from edgevit.errors import UsageError
from edgevit.results.distillation import DistillPoint
from edgevit.run.files import write_atomically

LOG = "log.csv"
_COLUMNS = ("step", "epoch", "loss", "learning_rate", "kept_loss", "kept_top1")


def check_tensorboard() -> None:
    """Refuses a log for TensorBoard where that is not installed.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError("--tensorboard needs the package tensorboard", "pip install 'edgevit[train]'")


class TrainingLog:
    """Writes each look when it is made."""

    def __init__(self, table: Path, events: Path | None) -> None:
        """Begins nothing yet.

        Args:
            table: CSV file with a line for each look.
            events: Folder for TensorBoard; None for none.
        """
        self._table, self._events = table, events

    def write(self, curve: Sequence[DistillPoint]) -> None:
        """Writes all looks so far, the last of which is new."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows(["" if value is None else value for value in _values(point)] for point in curve)
        write_atomically(self._table, text.getvalue().encode())
        if self._events is not None:
            _add_events(self._events, curve[-1])


def _values(point: DistillPoint) -> list[float | None]:
    return [getattr(point, name) for name in _COLUMNS]


def _add_events(folder: Path, point: DistillPoint) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=point.step) as writer:  # type: ignore[no-untyped-call]
        for name, value in zip(_COLUMNS[1:], _values(point)[1:], strict=True):
            if value is not None and math.isfinite(value):
                writer.add_scalar(name, value, point.step)  # type: ignore[no-untyped-call]
