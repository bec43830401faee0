"""The table of outputs."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.outputs import TITLES, output_rows, outputs_section
from edgevit.results.candidate import OutputDifference
from tests.factories import make_realistic_run


def test_a_classifier_has_none() -> None:
    assert output_rows(make_realistic_run()) == []
    assert outputs_section(make_realistic_run()) == ""


def test_every_output_of_every_candidate_has_a_row() -> None:
    run = make_realistic_run()
    outputs = (
        OutputDifference("map", (21, 4, 4), 0.5, 1.25e-2, 31.4, 0.99871),
        OutputDifference("score", (), 0.0, 0.0, None, 1.0),
    )
    candidates = tuple(
        replace(each, verification=each.verification and replace(each.verification, outputs=outputs))
        for each in run.candidates
    )
    verified = [each for each in candidates if each.verification]
    rows = output_rows(replace(run, candidates=candidates))
    assert len(rows) == 2 * len(verified)
    assert len(verified) > 0
    first, second = rows[:2]
    assert first[1:6] == ("map", "21 x 4 x 4", "31.4 dB", "0.99871", "1.2e-02")
    assert (second[1:3], second[4]) == (("score", "one value"), "1.00000")
    text = outputs_section(replace(run, candidates=candidates))
    assert text.startswith("## Outputs\n")
    assert " | ".join(TITLES) in text
