"""The choice, in words: for this host or for devices, with what ties with it."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.choice import choice_lines, choices_section, summary, tie
from edgevit.results.measurement import HOST
from edgevit.results.predicted_order import PredictedOrder
from tests.factories import BOARD, make_board_run, make_realistic_run, make_run, make_timed_run

PI, TPU = "raspberry-pi-5", "coral-edge-tpu"


def test_a_choice_for_this_host() -> None:
    text = summary(make_timed_run(), HOST)
    assert text.startswith(
        "**Chosen: `openvino/static_wi8_ai8`** – p50 12.6 ms measured on this host (12.0 to 13.0 ms), 2.00 × (1.90 to"
        " 2.10 ×) the speed of `litert/fp32` on this host, top-1 82.2 % on 855 images (change -0.5 pt, -1.4 to +0.4 pt),"
    )
    assert "Tied with litert/dynamic_wi8_afp32: the interval of their paired ratio contains 1" in text
    assert choices_section(make_timed_run()) == ""


def test_a_choice_that_nothing_ties_with_needs_no_more_words() -> None:
    run = make_realistic_run()
    assert choice_lines(run) == []
    assert tie(run, HOST) == ""
    assert "Tied" not in summary(run, HOST)


def test_an_unstable_choice_says_so() -> None:
    run = make_timed_run()
    run = replace(run, selected=run.candidates[2].id, selected_for={HOST: run.candidates[2].id}, tied={})
    assert choice_lines(run) == ["its latency is unstable: steal time 12 % in 2 of 3 bursts"]
    assert "Its latency is unstable: steal time 12 % in 2 of 3 bursts." in summary(run, HOST)


def test_a_choice_for_a_device_labels_what_is_of_this_host() -> None:
    run = make_timed_run(PI)
    text = summary(run, PI)
    assert text.startswith(
        f"**Chosen for {PI}: `litert/dynamic_wi8_afp32`** – predicted 40.0 ms there (20.0 ms to 60.0 ms), not measured,"
        " p50 12.7 ms measured on this host (12.1 to 12.9 ms), 1.98 × (1.90 to 2.10 ×) the speed of `litert/fp32` on this"
        " host"
    )
    assert "unstable" not in text  # the choice does not rest on it


def test_each_device_has_its_table_of_what_runs_there_fastest_first() -> None:
    section = choices_section(make_timed_run(PI, "raspberry-pi-4b"))
    assert section.count("### ") == 2
    rows = [line for line in section.split("### ")[1].splitlines() if line.startswith("| litert")]
    assert rows == [
        "| litert/dynamic_wi8_afp32 | chosen | 40.0 ms | 20.0 ms to 60.0 ms | – | -0.2 pt | 12.7 ms |",
        "| litert/fp32 | ok | 80.0 ms | 40.0 ms to 120 ms | – | -0.2 pt | 25.0 ms |",
    ]
    assert "openvino" not in section


def test_where_nothing_runs_it_is_said() -> None:
    run = make_timed_run(PI)
    run = replace(run, selected_for={**run.selected_for, TPU: None}, tied={**run.tied, TPU: ()})
    assert f"**No candidate was chosen for {TPU}.**" in summary(run, TPU)
    assert f"### {TPU}\n\nNo candidate runs there." in choices_section(run)
    assert choice_lines(run)[-1] == f"for {TPU}: none"
    assert "**No candidate was chosen.**" in summary(make_run(selected=None), HOST)


def test_predictions_tie_for_another_reason_than_measurements() -> None:
    run = replace(make_timed_run(PI), tied={PI: ("litert/fp32",)})
    assert tie(run, PI).startswith(f"tied with litert/fp32: predictions for {PI} do not tell")
    order = PredictedOrder("litert/fp32", {}, {})
    known = replace(run, order={PI: order})
    assert tie(known, PI).startswith(
        f"tied with litert/fp32: the odds that litert/fp32 is faster on {PI} are less than two to one"
    )


def test_how_sure_the_choice_for_a_device_is() -> None:
    chosen, other = "litert/dynamic_wi8_afp32", "litert/fp32"
    run = make_timed_run(PI)
    sure = replace(run, order={PI: PredictedOrder(chosen, {chosen: 0.834, other: 0.166}, {chosen: 0.0, other: 0.83})})
    words = "not measured, the fastest there with a probability of 83 %, p50 12.7 ms measured on this host"
    assert words in summary(sure, PI)
    assert any(words in line for line in choice_lines(sure))
    assert f"| {chosen} | chosen | 40.0 ms | 20.0 ms to 60.0 ms | 83 % |" in choices_section(sure)
    surest = replace(run, order={PI: PredictedOrder(chosen, {chosen: 1.0, other: 0.0}, {chosen: 0.0, other: 1.0})})
    assert "| over 99 % |" in choices_section(surest)
    assert "| under 1 % |" in choices_section(surest)
    alone = replace(run, order={PI: PredictedOrder(chosen, {chosen: 1.0}, {chosen: 0.0})})
    assert "probability" not in summary(alone, PI), "there is nothing to be faster than"


def test_a_choice_for_a_board_is_measured_there_and_labels_what_is_of_this_host() -> None:
    run = make_board_run()
    (line,) = choice_lines(run)
    assert line == (
        "for pi4: litert/fp32, p50 61.0 ms measured on pi4 (60.0 to 62.0 ms), p50 25.0 ms measured on this host (24.0 to 26.0 ms)"
    )
    assert summary(run, BOARD).startswith("**Chosen for pi4: `litert/fp32`** – p50 61.0 ms measured on pi4")
    section = choices_section(run)
    assert "| litert/fp32 | chosen | 61.0 ms | 60.0 to 62.0 ms | – |" in section
    assert "| openvino/static_wi8_ai8 | ok | 81.0 ms | 80.0 to 82.0 ms | 1.33 × (1.31 to 1.34 ×) |" in section
    assert "- `litert/dynamic_wi8_afp32` did not run there: the runtime there has no op X" in section
    assert "predicted" not in section


def test_a_choice_on_an_emulated_board_says_so() -> None:
    (_, doubt) = choice_lines(make_board_run(emulated="QEMU"))
    assert doubt == "pi4 is emulated, and its times say nothing about a board: QEMU"


def test_an_unstable_latency_on_a_board_is_said() -> None:
    run = make_board_run()
    chosen = run.candidates[0]
    shaky = replace(chosen, on_boards={BOARD: replace(chosen.on_boards[BOARD], unstable="throttled")})
    run = replace(run, candidates=(shaky, *run.candidates[1:]))
    assert choice_lines(run)[1] == "its latency is unstable: throttled"
