"""What a unit runs, in words and as a verdict."""

from __future__ import annotations

from edgevit.results.op_support import Fallback, UnitSupport


def support(*fallbacks: Fallback) -> UnitSupport:
    return UnitSupport("npu", "qnn-litert", fallbacks, partitions=1, mac_share=1.0)


def test_an_entry_tells_op_reason_and_count() -> None:
    assert Fallback("GELU", "op", "", 12, "").text == "GELU (12 x)"
    assert Fallback("CONV_2D", "numerics", "in float", 3, "").text == "CONV_2D in float (3 x)"
    foreign = Fallback("FlexErf", "foreign_op", ", which is none of the runtime's own ops", 1, "")
    assert foreign.text == "FlexErf, which is none of the runtime's own ops (1 x)"
    assert Fallback("the format of .xml files", "format", "", 1, "").text == "the format of .xml files"


def test_float_inputs_and_outputs_alone_do_not_block() -> None:
    io = Fallback("float inputs and outputs, which the processor converts", "float_io", "", 2, "--integer-io int8")
    assert support(io).runs and support(io).unsupported_ops == ()
    both = support(io, Fallback("GELU", "op", "", 1, ""))
    assert not both.runs and both.unsupported_ops == ("GELU (1 x)",)
