"""The page says everything that is known, and never a prediction in a measurement's words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgevit.report.details import details
from edgevit.report.front import front, measured_points
from edgevit.report.markdown import MOST_ROWS, render_markdown
from edgevit.results.artifact import PassRecord
from edgevit.results.run import Run
from tests.factories import (
    make_candidate,
    make_prediction,
    make_realistic_run,
    make_run,
    make_timed_run,
    make_wide_run,
)


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


def test_a_quick_run_is_marked() -> None:
    assert render_markdown(make_run(spec={"quick": True}), None).startswith("# model on Example CPU (quick run)\n")
    assert "quick" not in render_markdown(make_run(), None)


def test_foreign_text_stays_in_its_cell() -> None:
    record = PassRecord("reduce_tokens", "a|b\nc<script>", 2_000_000, 1_000_000)
    run = make_run(make_candidate(passes=(record,), reasons=("bad | worse\n# Title",)), notes=("first\n# second",))
    page = "\n\n".join((render_markdown(run, None), *details(run)))
    assert "a\\|b c&lt;script&gt;" in page
    assert "\n# Title" not in page
    assert "\n# second" not in page


def test_it_is_short_however_large_the_run() -> None:
    devices = tuple(f"device-{number}" for number in range(30))
    run = make_wide_run(200)
    made = tuple(
        replace(
            each,
            reasons=("x",),
            predictions=tuple(make_prediction(1, 9, device=d, basis=f"basis {d}") for d in devices),
        )
        for each in run.candidates
    )
    run = replace(run, candidates=made, selected_for=dict.fromkeys(devices, made[0].id), notes=("note",) * 50)
    page = render_markdown(run, "a.png", "b.png", "c.png")
    assert len(page.splitlines()) <= 120
    assert max(len(table) - 2 for table in tables(page)) <= MOST_ROWS
    assert "190 more candidates are in report.html" in page


def test_the_table_has_the_chosen_one_and_the_front() -> None:
    run = make_wide_run()
    rows = section(render_markdown(run, None), "Candidates")
    assert run.selected is not None
    assert f"**{run.selected}**" in rows
    for point in front(measured_points(run))[:5]:
        assert f"| {point.number} |" in rows or f"| **{point.number}** |" in rows


def test_what_the_predictions_of_devices_rest_on_is_said_once() -> None:
    page = render_markdown(make_timed_run("raspberry-pi-5", "raspberry-pi-4b"), None)
    assert page.count("data sheet only") == 1


def test_it_says_how_to_do_it_again() -> None:
    page = render_markdown(make_timed_run(), None)
    assert "```sh\nedgevit compress vit_tiny_patch16_224 --out again\npython artifacts/use.py photo.jpg\n```" in page
    assert "Runner-up `litert/dynamic_wi8_afp32`" in page


def test_names_from_outside_are_text_wherever_they_stand() -> None:
    """A picture, a link, HTML, a formula, a heading and an escape sequence, as every kind of name that a run has."""
    name = "![x](http://a.b/c.png) <img src=d> $e$ \x1b[31m\n# f"
    plain = make_candidate(id=name, status=f"rejected {name}", reasons=(name,), passes=(PassRecord(name, name, 2, 1),))  # type: ignore[arg-type]
    run = make_run(plain, notes=(name,), selected=name, selected_for={name: name}, tool_versions={name: name})
    page = "\n\n".join((render_markdown(run, None), *details(run)[:-1]))  # the last one is the spec, in a block of code
    outside_code = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    outside_code = re.sub(r"\\.|`[^`\n]*`", "", outside_code)  # without what is escaped
    for markup in ("![", "](", "<img", "$e$", "://"):
        assert markup not in outside_code
    assert "\x1b" not in page
    assert "\n# f" not in page
