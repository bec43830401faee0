"""Makes what ``edgevit sensitivity`` finds from the few values that a test cares about."""

from __future__ import annotations

from factories import make_run

from edgevit.quantization.sensitivity import LayerSensitivity
from edgevit.recipe import Recipe
from edgevit.sensitivity import ComparedImages, SensitivityReport


def make_layer(position: int, snr_db: float | None = 40.0, agreement: float = 1.0, **more: str) -> LayerSensitivity:
    """A linear layer."""
    known = {"name": f"op_{position}", "kind": "linear", "module": f"blocks.{position}.fc"} | more
    return LayerSensitivity(macs=1_000_000, snr_db=snr_db, agreement=agreement, position=position, **known)


def make_report(*layers: LayerSensitivity, notes: tuple[str, ...] = ()) -> SensitivityReport:
    """A report with these layers, worst first as given."""
    return SensitivityReport(
        edgevit_version="1.0.0",
        created_at="2026-01-01T00:00:00+00:00",
        model="digits_vit",
        backend="litert",
        scheme="static_wi8_ai8",
        recipe=Recipe("static_wi8_ai8"),
        spec={"model": {"name": "digits_vit"}},
        images=ComparedImages("digits", ("a", "b"), "ab" * 32, ("only 2 calibration images",)),
        host=make_run().host,
        tool_versions={},
        layers=layers,
        notes=notes,
    )
