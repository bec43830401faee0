"""What two artifacts are beside accuracy and latency: sizes, ops, recipe, versions, calibration, loss under shift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edgevit.commands.compare_sides import PartRefused, Side, host_differences
from edgevit.results.changes import AmountChange, OpChange, SettingChange, ShiftChange, op_changes
from edgevit.results.graph_summary import Summary
from edgevit.results.shift import shifted_drops

_DIGEST_LETTERS = 16
"""Of a SHA-256 digest that are shown."""


def ops_changed(before: Side, after: Side, one: Summary | None, other: Summary | None) -> tuple[OpChange, ...]:
    """Returns the ops of which the two have different numbers.

    Args:
        before: The first artifact.
        after: The second.
        one: What is in the file of the first; None where it is not there.
        other: Likewise of the second.

    Raises:
        PartRefused: a file is not there, or they are of different models.
    """
    if before.model and after.model and before.model != after.model:
        raise PartRefused(f"the models differ: {before.model} and {after.model}")
    if one is None or other is None:
        missing = before if one is None else after
        raise PartRefused(f"the files of {missing.compared.name} are not there")
    return op_changes(_counts(one), _counts(other))


def _counts(summary: Summary) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for op in summary.ops:
        counts[op.kind, op.numerics] += op.count
    return counts


def amounts(before: Side, after: Side, one: Summary | None, other: Summary | None) -> tuple[AmountChange, ...]:
    """Returns the numbers of both, from the files where they are there, else from the runs; see :func:`ops_changed`.

    Process memory is that of each run's own measurement, and unknown where the hosts differ.
    """
    first, second = one or before.artifact, other or after.artifact
    assert first is not None  # a side has a file, or what its run knows of it
    assert second is not None
    same_host = before.run and after.run and not host_differences(before.run, after.run)
    return (
        AmountChange("file size", "bytes", first.size_bytes, second.size_bytes),
        AmountChange(
            "process memory",
            "bytes",
            _memory(before) if same_host else None,
            _memory(after) if same_host else None,
        ),
        AmountChange("tensor memory", "bytes", *(side.tensor_bytes if side else None for side in (one, other))),
        AmountChange("int8 share of MACs", "share", first.int8_mac_share, second.int8_mac_share),
        AmountChange("MACs", "count", first.macs, second.macs),
        AmountChange("parameters", "count", first.params, second.params),
    )


def _memory(side: Side) -> float | None:
    measurement = side.candidate.measurement() if side.candidate else None
    return measurement.peak_rss_bytes if measurement else None


def settings_changed(before: Side, after: Side) -> tuple[SettingChange, ...]:
    """Returns what two runs say of recipe, versions, calibration and data that is not the same.

    Raises:
        PartRefused: a file is of no run.
    """
    if before.run is None or after.run is None:
        missing = before if before.run is None else after
        raise PartRefused(f"{missing.given} is a file of no run")
    values = [dict(_stated(side)) for side in (before, after)]
    names = dict.fromkeys((*values[0], *values[1]))
    found = (SettingChange(name, values[0].get(name, "–"), values[1].get(name, "–")) for name in names)
    return tuple(each for each in found if each.before != each.after)


def _stated(side: Side) -> Iterator[tuple[str, str]]:
    """Yields what a run says of an artifact in words."""
    run, candidate = side.run, side.candidate
    assert run
    assert candidate
    yield "model", side.model or "unknown"
    yield "runtime", candidate.backend
    yield "scheme", candidate.scheme
    yield "passes", "; ".join(f"{each.name} {each.settings}" for each in candidate.passes) or "none"
    yield "recipe", candidate.recipe.summary if candidate.recipe else "none"
    yield "numerics", candidate.artifact.numerics if candidate.artifact else "–"
    calibration = run.calibration
    yield "calibration images", calibration.source if calibration else "none"
    yield "calibration seed", str(calibration.seed) if calibration else "–"
    yield "number of calibration images", str(calibration.count or len(calibration.ids)) if calibration else "–"
    yield "sha256 of calibration images", calibration.sha256[:_DIGEST_LETTERS] if calibration else "–"
    yield "evaluation images", side.source
    yield "sha256 of the spec", run.spec_sha256[:_DIGEST_LETTERS]
    yield "edgevit", run.edgevit_version
    yield "python", run.host.python
    yield from run.tool_versions.items()


def shift_changed(before: Side, after: Side) -> tuple[ShiftChange, ...]:
    """Returns what each loses under shift against its own float parent.

    Raises:
        PartRefused: neither has a record, or they are of different images.
    """
    records = [side.candidate.shift if side.candidate else None for side in (before, after)]
    one, other = records
    if one is None and other is None:
        raise PartRefused("neither has one: edgevit eval FILE --data IMAGES --corruptions noise,blur --record")
    if one and other and (one.source, one.seed, one.clean.samples) != (other.source, other.seed, other.clean.samples):
        raise PartRefused(
            f"on different images: {one.clean.samples} of {one.source}, seed {one.seed}, and {other.clean.samples} of"
            f" {other.source}, seed {other.seed}"
        )
    drops = [{each.shift: each.drop_points for each in shifted_drops(record)} if record else {} for record in records]
    names = dict.fromkeys((*drops[0], *drops[1]))
    return tuple(ShiftChange(name, drops[0].get(name), drops[1].get(name)) for name in names)
