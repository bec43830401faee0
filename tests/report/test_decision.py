"""The choice in figures: each is right, and what is not known is said."""

from __future__ import annotations

from dataclasses import replace

from edgevit.report.decision import decisions, device_answers, why_none
from edgevit.results.candidate import Accuracy
from edgevit.results.measurement import HOST, Interval
from edgevit.results.op_support import Fallback, UnitSupport
from tests.factories import (
    BOARD,
    make_board_run,
    make_candidate,
    make_latency,
    make_prediction,
    make_realistic_run,
    make_run,
    make_timed_run,
)  # fmt: skip

PI = "raspberry-pi-5"


def test_of_a_tie_the_other_one_is_the_runner_up() -> None:
    (decision,) = decisions(make_timed_run())
    assert (decision.device, decision.number) == (HOST, 1)
    assert decision.runner_up is not None
    assert decision.runner_up.id == "litert/dynamic_wi8_afp32"
    assert "one of the 2 fastest on this host, which cannot be told apart" in decision.why
    assert any("Tied with litert/dynamic_wi8_afp32" in text for text in decision.sure)


def test_a_slower_runner_up_of_a_final_round_has_the_ratio_with_its_interval() -> None:
    run = make_run(
        make_candidate("litert/fp16", p50_ms=10.0, latency=make_latency(10.0, 10.0, 10.0)),
        make_candidate("litert/fp32", p50_ms=20.0, latency=make_latency(20.0, 20.0, 20.0)),
    )
    (decision,) = decisions(run)
    assert (
        decision.why_not
        == "It is slower: the chosen one has 2.00 × its speed (2.00 to 2.00 ×, timed in the same rounds)."
    )


def test_what_the_runner_up_would_cost_and_gain() -> None:
    (decision,) = decisions(make_realistic_run())
    found = {each.title: (each.before, each.after, each.change, each.outcome) for each in decision.exchanges}
    assert found["latency measured here"] == ("10.6 ms", "11.5 ms", "+8.5 %", "cost")
    assert found["top-1"] == ("82.2 %", "82.9 %", "+0.7 pt", "gain")
    assert found["size"] == ("6.0 MB", "6.0 MB", "+0.0 %", "same")


def test_the_only_candidate_has_no_runner_up() -> None:
    (decision,) = decisions(make_run())
    assert decision.runner_up is None
    assert decision.exchanges == ()
    assert decision.why_not == "There is no other usable candidate."
    assert decision.why.endswith("It is the only one.")


def test_why_counts_the_candidates() -> None:
    (decision,) = decisions(make_realistic_run())
    assert decision.why.startswith("Of 10 candidates (7 usable, 2 rejected, 1 failed), 7 usable were measured here")
    assert "at most 1.0 pt of top-1 lost" in decision.why


def test_an_interval_over_the_limit_is_said() -> None:
    def sure(low: float, high: float) -> str:
        accuracy = Accuracy(0.82, 0.96, 855, 0.5, drop_interval=Interval(low, high))
        return " ".join(decisions(make_run(make_candidate(accuracy=accuracy)))[0].sure)

    assert "is not ruled out" in sure(-0.4, 1.4)
    assert "does not tell it from no change" in sure(-0.4, 1.4)
    assert "is not ruled out" not in sure(0.1, 0.9)
    assert "no change" not in sure(0.1, 0.9)


def test_what_is_not_known_is_said() -> None:
    accuracy = Accuracy(None, None, 0, None)
    sure = decisions(make_run(make_candidate(accuracy=accuracy)))[0].sure
    assert "Accuracy was not measured: there were no labels." in sure
    assert any("single measurement" in text for text in sure)


def test_a_device_is_predicted_and_never_measured() -> None:
    (decision,) = decisions(make_timed_run(PI))
    assert decision.facts[0].title == f"latency predicted for {PI}"
    assert decision.facts[0].text == "40.0 ms"
    assert any("predicted, not measured" in text for text in decision.sure)
    assert any("not to be relied on: steal time" in text for text in decision.sure)


def test_devices_say_whether_it_runs() -> None:
    assert device_answers(make_timed_run()) == ()
    (answer,) = device_answers(make_timed_run(PI))
    assert (answer.answer, answer.chosen) == ("yes, as predicted", "litert/dynamic_wi8_afp32")
    none = make_prediction(1, 1, latency_ms=None, unsupported_ops=("GELU (12 x)",))
    run = make_run(make_candidate(predictions=(none,)), selected=None, selected_for={PI: None})
    (answer,) = device_answers(run)
    assert (answer.answer, answer.remarks) == ("no", ("not supported: GELU (12 x)",))


def test_a_unit_that_runs_a_part_says_how_much() -> None:
    fallback = Fallback("GELU", "op", "", 12, "change it")
    support = UnitSupport("npu", "TFLite", (fallback,), 3, 0.75)
    prediction = make_prediction(10, 20, op_support=(support,))
    run = make_run(make_candidate(predictions=(prediction,)), selected_for={PI: "litert/dynamic_wi8_afp32"})
    assert "npu: 75 % of the MACs; not GELU (12 x)" in device_answers(run)[0].remarks


def test_nothing_chosen_is_explained() -> None:
    run = make_run(replace(make_candidate(), status="rejected", reasons=("x",)), selected=None)
    assert decisions(run) == ()
    assert why_none(run, HOST).startswith("No candidate was chosen: 1 candidate (0 usable, 1 rejected, 0 failed).")


def test_a_board_is_measured_and_never_predicted() -> None:
    run = make_board_run()
    (decision,) = decisions(run)
    assert (decision.device, decision.facts[0].title) == (BOARD, "latency measured on pi4, p50")
    assert "2 usable were measured there" in decision.why
    assert decision.why.endswith("It is the fastest of them on pi4, measured.")
    assert decision.why_not.startswith("It is slower: the chosen one has 1.33 × its speed")
    assert decision.exchanges[0].title == "latency measured on pi4"
    assert not any("predicted" in text for text in (*decision.sure, decision.why, decision.why_not))
    (answer,) = device_answers(run)
    assert (answer.answer, answer.chosen) == ("yes, as measured", "litert/fp32")
    assert answer.remarks[-1] == "1 candidate did not run there"


def test_an_emulated_board_is_not_to_be_relied_on() -> None:
    (decision,) = decisions(make_board_run(emulated="QEMU"))
    assert "Pi4 is emulated, and its times say nothing about a board: QEMU." in decision.sure
