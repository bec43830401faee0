from __future__ import annotations

import math

import pytest

from edgevit.devices.interval_table import FEWEST, FEWEST_OF_OWN, IntervalTable, interval_keys, interval_table, quantile
from tests.devices.rows import configuration


def test_the_quantile_covers_a_further_size() -> None:
    assert quantile([float(number) for number in range(1, 10)]) == 8
    assert quantile([float(number) for number in range(1, 100)]) == 80
    assert quantile([5.0]) == 5


def test_a_group_with_few_errors_takes_at_least_the_interval_of_the_next_wider_one() -> None:
    many, few, fewest = configuration("many"), configuration("few"), configuration("fewest")
    configurations = [many] * FEWEST + [few] * FEWEST_OF_OWN + [fewest] * 5
    errors = [0.1] * FEWEST + [-0.4] * FEWEST_OF_OWN + [0.2] * 5
    table = interval_table({"measured": errors, "not measured": [math.nan] * len(errors)}, configurations)
    assert table.half_width("measured", many) == pytest.approx(0.1)
    assert table.half_width("measured", few) == pytest.approx(0.4)
    assert table.half_width("measured", fewest) == table.half_widths[("measured", *interval_keys(few)[1])][1]
    assert table.half_width("not measured", few) == math.log(4)


def test_an_interval_is_not_narrower_than_that_of_few_errors_and_of_many() -> None:
    sure, unsure = configuration("sure"), configuration("unsure")
    configurations = [sure] * FEWEST_OF_OWN + [unsure] * FEWEST
    table = interval_table({"measured": [0.1] * FEWEST_OF_OWN + [0.3] * FEWEST}, configurations)
    assert table.half_width("measured", sure) == pytest.approx(0.3)


def test_a_table_survives_its_document() -> None:
    table = IntervalTable({("measured", "all"): (9, 0.25)})
    assert IntervalTable.from_document(table.document()) == table
