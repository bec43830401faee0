"""Every op family has a look, and no two looks are alike."""

from __future__ import annotations

from typing import get_args

from edgevit.report.plots.op_families import DATA_MOVEMENT, FAMILY_LOOKS, look_of, looks_of
from edgevit.spec.recipe import OpKind


def test_looks_differ_in_colour_hatch_and_marker() -> None:
    looks = (*FAMILY_LOOKS, DATA_MOVEMENT)
    for names in zip(*((look.colour, look.hatch, look.marker, look.title) for look in looks), strict=True):
        assert len(set(names)) == len(looks)


def test_no_family_is_in_two_looks_and_all_are_known() -> None:
    kinds = [kind for look in FAMILY_LOOKS for kind in look.kinds]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) <= set(get_args(OpKind))


def test_families_that_only_move_data_look_alike() -> None:
    assert look_of("reshape") == look_of("quantize") == look_of("a new one") == DATA_MOVEMENT
    assert [look.title for look in looks_of(["layout", "softmax", "linear", "gather", "normalization"])] == [
        "linear", "normalization, softmax", "data movement, conversion",
    ]  # fmt: skip
