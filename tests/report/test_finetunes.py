"""The section and the picture of fine-tuning."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.report import write_report
from edgevit.report.finetunes import finetune_line, finetunes_section
from edgevit.results.candidate import Accuracy
from edgevit.results.measurement import Interval
from edgevit.results.run import load_run, run_to_json
from tests.factories import make_candidate, make_finetune, make_run

QUICK, VAIN = make_finetune(), make_finetune(rung="full", after=0.1, note="the divergence no longer fell")


def test_nothing_was_tuned() -> None:
    assert finetunes_section(make_run(), None) == ""


def test_what_was_tuned_and_what_it_brought() -> None:
    page = finetunes_section(make_run(finetunes=(QUICK, VAIN)), "picture.png")
    assert "](picture.png)" in page
    assert (
        "| tome-8-gather | quick: norms, biases, class token and position table | 96 | 32 | 3.2 k | 61.0 s | 0.1000 | 0.0700"
        " | -0.0300 (-0.0400 to -0.0200) | – | – | better |" in page
    )
    assert "not better: left out; the divergence no longer fell |" in page


def test_accuracy_and_agreement_before_and_after_are_those_of_the_candidates() -> None:
    untuned, tuned = (
        make_candidate(
            f"openvino/int8/{slug}", accuracy=Accuracy(0.8, None, 100, drop, agreement, None, Interval(-1.0, drop))
        )
        for slug, drop, agreement in (("a", 3.0, 0.9), ("a-quick", 1.0, 0.95))
    )
    page = finetunes_section(
        make_run(untuned, tuned, finetunes=(make_finetune(untuned=untuned.id, tuned=tuned.id),)), None
    )
    assert "| openvino/int8/a | quick" in page
    assert "| -3.0 pt → -1.0 pt (-1.0 to +1.0) | 90.0 % → 95.0 % | better |" in page


def test_a_line_for_the_terminal() -> None:
    assert finetune_line(QUICK) == (
        "fine-tuning of tome-8-gather (quick): KL divergence 0.1000 → 0.0700 on 32 images kept apart, 61.0 s"
    )
    taught = make_finetune(teacher="digits_cnn")
    assert finetune_line(taught).startswith("fine-tuning of tome-8-gather (quick, from digits_cnn): KL")
    assert "| quick, from digits_cnn: norms" in finetunes_section(make_run(finetunes=(taught,)), None)
    assert finetune_line(VAIN).endswith("(the divergence no longer fell): not better, left out")


def test_weights_that_were_kept_are_told_with_the_line_that_loads_them() -> None:
    page = finetunes_section(make_run(finetunes=(QUICK, VAIN)), None)
    assert page.count("--weights finetuned/") == 1
    assert "`finetuned/tome-8-gather-quick.safetensors`" in page


def test_a_training_in_float_for_several_runtimes_has_one_file_of_weights() -> None:
    page = finetunes_section(make_run(finetunes=(QUICK, QUICK)), None)
    assert page.count("--weights finetuned/") == 1


def test_it_is_told_whose_int8_was_simulated() -> None:
    page = finetunes_section(make_run(finetunes=(make_finetune(simulated="static_wi8_ai8"),)), None)
    assert "position table; static_wi8_ai8 simulated | 96" in page


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    run = make_run(finetunes=(QUICK, VAIN))
    (tmp_path / "run.json").write_bytes(run_to_json(run))
    assert load_run(tmp_path).finetunes == (QUICK, VAIN)


def test_the_report_has_the_picture_beside_it(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = write_report(make_run(finetunes=(QUICK,)), tmp_path).read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report-finetuning.png", "report.md", "report.png"]
    assert "](report-finetuning.png)" in page
