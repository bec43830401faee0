"""The page says everything that is known, and never a prediction in a measurement's words."""

from __future__ import annotations

import re

import pytest

from edgevit.report.markdown import render_markdown
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Verification
from edgevit.results.run import Run
from tests.factories import make_candidate, make_realistic_run, make_run, make_timed_run


def section(page: str, title: str) -> str:
    return page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def tables(page: str) -> list[list[str]]:
    blocks = [[line for line in block.splitlines() if line.startswith("|")] for block in page.split("\n\n")]
    return [block for block in blocks if block]


def test_every_candidate_has_a_row_with_its_reason() -> None:
    run = make_realistic_run()
    page = render_markdown(run, None)
    rows = section(page, "Candidates")
    for candidate in run.candidates:
        assert candidate.id in rows
        for reason in candidate.reasons:
            assert reason.replace("|", "\\|") in page


def test_the_row_of_a_candidate() -> None:
    page = render_markdown(make_realistic_run(), None)
    cells = "ok | 82.9 % | +0.2 pt | 11.5 ms | 2.23 × | 6.0 MB | 120.0 MB | 97 % | dynamic int8 | 0 | XNNPACK, 1 partition | yes"
    assert f"| litert/dynamic_wi8_afp32 | {cells} |" in page


def test_the_chosen_one_is_marked_without_the_picture() -> None:
    page = render_markdown(make_realistic_run(), None)
    assert "**Chosen: `openvino/static_wi8_ai8`**" in page
    assert "| **openvino/static_wi8_ai8** | **chosen** |" in page
    assert "![" not in page
    assert "](report.png)" in render_markdown(make_realistic_run(), "report.png")


def test_nothing_chosen_is_said() -> None:
    assert "No candidate was chosen" in render_markdown(make_run(selected=None), None)


def test_predictions_stand_apart() -> None:
    page = render_markdown(make_realistic_run(), None)
    predicted = section(page, "Predicted, not measured")
    assert "23.1 ms to 103 ms" in predicted
    assert "raspberry-pi-5" not in section(page, "Measured")
    assert "raspberry-pi-5" not in section(page, "Candidates")


def test_without_labels_there_is_agreement_and_a_note() -> None:
    page = render_markdown(make_realistic_run(labels=False), None)
    assert "accuracy not measured: no labels" in page
    assert "| candidate | status | agreement | host p50 |" in page


@pytest.mark.parametrize(
    "run",
    [
        make_run(),
        make_realistic_run(),
        make_realistic_run(labels=False),
        make_timed_run(),
        make_timed_run("raspberry-pi-5"),
    ],
)
def test_tables_are_well_formed(run: Run) -> None:
    for table in tables(render_markdown(run, None)):
        widths = {line.replace("\\|", "").count("|") for line in table}
        assert len(widths) == 1, table


def test_foreign_text_stays_in_its_cell() -> None:
    record = PassRecord("reduce_tokens", "a|b\nc<script>", 2_000_000, 1_000_000)
    run = make_run(make_candidate(passes=(record,), reasons=("bad | worse\n# Title",)), notes=("first\n# second",))
    page = render_markdown(run, None)
    assert "a\\|b c&lt;script&gt;" in page
    assert "\n# Title" not in page
    assert "\n# second" not in page


def test_calibration_is_told() -> None:
    assert "128 images from `images/`, sampled with seed 0: 00000.jpg" in render_markdown(make_run(), None)
    assert "No candidate was calibrated" in render_markdown(make_run(calibration=None), None)


def test_images_left_out_of_verification_are_counted() -> None:
    verification = Verification("pytorch", 1e-6, 1e-7, 130.0, 1.0, 855, True, undecided=2)
    assert "| 853 of 855 |" in render_markdown(make_run(make_candidate(verification=verification)), None)


def test_the_summary_says_what_changed() -> None:
    assert "top-1 82.2 % on 855 images (change -0.5 pt)" in render_markdown(make_realistic_run(), None)


def test_a_final_round_has_its_intervals_and_what_is_outside_is_in_parentheses() -> None:
    page = render_markdown(make_timed_run(), None)
    rows = [line for line in section(page, "Candidates").splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[1].strip("|* ") for row in rows] == [
        "openvino/static_wi8_ai8", "litert/dynamic_wi8_afp32", "litert/fp32", "litert/static_wi8_ai8",
    ]  # fmt: skip
    assert "| litert/dynamic_wi8_afp32 | tied, unstable |" in rows[1]
    assert "| 12.7 ms | 12.1 to 12.9 ms | 1.98 × | 1.90 to 2.10 × |" in rows[1]
    assert "| (43.5 ms) | – | (0.57 ×) | – |" in rows[3]
    assert "in parentheses is from a single measurement" in page
    assert "latency disturbed: steal time 12 % in 2 of 3 bursts" in section(page, "Candidates")
    assert "| 12.0, 13.0, 12.6 | 0 | no |" in section(page, "Final round on this host")


def test_a_quick_run_is_marked() -> None:
    assert render_markdown(make_run(spec={"quick": True}), None).startswith("# model on Example CPU (quick run)\n")
    assert "quick" not in render_markdown(make_run(), None)


def test_the_two_kinds_of_predicted_memory_have_their_names() -> None:
    predicted = section(render_markdown(make_timed_run("raspberry-pi-5"), None), "Predicted, not measured")
    assert "| tensor memory | process memory |" in predicted
    assert "| 30.0 MB | 40.0 MB to 121.0 MB |" in predicted


def test_names_from_outside_are_text_wherever_they_stand() -> None:
    """A picture, a link, HTML, a formula, a heading and an escape sequence, as every kind of name that a run has."""
    name = "![x](http://a.b/c.png) <img src=d> $e$ \x1b[31m\n# f"
    plain = make_candidate(id=name, status=f"rejected {name}", reasons=(name,), passes=(PassRecord(name, name, 2, 1),))  # type: ignore[arg-type]
    run = make_run(plain, notes=(name,), selected=name, selected_for={name: name}, tool_versions={name: name})
    page, _, _ = render_markdown(run, None).partition("## Spec")
    outside_code = re.sub(r"\\.|`[^`\n]*`", "", page)  # without what is escaped
    for markup in ("![", "](", "<img", "$e$", "://"):
        assert markup not in outside_code
    assert "\x1b" not in page
    assert "\n# f" not in page
