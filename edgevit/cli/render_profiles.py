"""Predictions for artifacts and models on devices, as text on stdout and as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgevit import units
from edgevit.cli.render import print_predictions, reach
from edgevit.cli.terminal import print_line, print_table

if TYPE_CHECKING:
    from edgevit.results.measurement import Prediction
    from edgevit.results.profiled import Profiled


def print_profiles(profiles: Sequence[Profiled]) -> None:
    """Prints one target at length, or several in one table, with what their latencies rest on below.

    Args:
        profiles: At least one, for the same devices.
    """
    if len(profiles) == 1:
        (only,) = profiles
        print_predictions(only.title, only.predictions)
        print_line(f"{units.count(only.macs)} MACs")
        return
    rows = [
        (
            each.target,
            each.size_text,
            units.count(each.macs),
            f"{prediction.device} ({prediction.unit})",
            reach(prediction),
            _memory(prediction),
        )
        for each in profiles
        for prediction in each.predictions
    ]
    titles = ("target", "input", "MACs", "device", "predicted p50", "memory")
    sized = any(each.input_size for each in profiles)
    print_table(titles, rows, numeric=(2,), ranks=(0, 0 if sized else 3, 1, 0, 0, 2))
    if not all(prediction.supported for each in profiles for prediction in each.predictions):
        print_line("what falls off which unit, and what to change, is told of one target alone")
    for line in dict.fromkeys(f"{p.device}: {p.basis}" for each in profiles for p in each.predictions):
        print_line(line)


def profiles_document(profiles: Sequence[Profiled]) -> dict[str, Any]:
    """Returns what ``--json`` prints: the target itself where there is one, else a list of them as "profiles"."""
    from edgevit.results.document import to_document

    documents = [to_document(each) for each in profiles]
    return documents[0] if len(documents) == 1 else {"profiles": documents}


def _memory(prediction: Prediction) -> str:
    """Of one inference; of what the graph alone tells where nothing more is known."""
    if prediction.memory is None:
        return units.size(prediction.peak_tensor_bytes)
    total = prediction.memory.total_bytes
    return f"{units.size(total.low)} to {units.size(total.high)}"
