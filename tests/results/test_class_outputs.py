"""Which class is which output, in one line."""

from __future__ import annotations

from edgevit.results.class_outputs import outputs_text


def test_classes_are_in_the_order_of_their_outputs() -> None:
    assert outputs_text({"rose": 1, "daisy": 0}) == "0 daisy, 1 rose"


def test_of_many_the_first_are_named() -> None:
    text = outputs_text({f"c{index}": index for index in range(100)})
    assert text.startswith("0 c0, 1 c1, ") and text.endswith(", 11 c11 … 100 in all")
