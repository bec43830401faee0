"""What is read of the user's runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.commands.recommend.own_runs import OwnRun, read_runs, run_reasons, verdict
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.results.candidate import Accuracy
from edgevit.results.measurement import Host, Interval
from edgevit.results.recommendation import Situation
from edgevit.results.run import EvaluationRecord, Run, run_to_json
from tests.factories import make_board_run, make_candidate, make_prediction, make_run

PI = load_device("raspberry-pi-5")


def write(folder: Path, run: Run) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_bytes(run_to_json(run))
    return folder


def scored(name: str, top1: float, **changes: Any) -> Run:
    accuracy = Accuracy(top1, None, 500, 0.0, top1_interval=Interval(top1 - 0.01, top1 + 0.01))
    candidate = make_candidate(accuracy=accuracy, p50_ms=8.0, **changes)
    return make_run(candidate, spec={"model": {"name": name}}, evaluation=EvaluationRecord("val", {}))


def test_model_family_accuracy_and_latency_of_what_was_chosen(tmp_path: Path) -> None:
    (own,) = read_runs((write(tmp_path / "a", scored("vit_tiny_patch16_224", 0.9)),), None)
    assert (own.family, own.top1, own.latency_ms) == ("vit", 0.9, 8.0)
    assert own.images == "500 images of val"
    assert own.latency_words == "measured on Example CPU"


def test_a_family_that_the_name_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    (own,) = read_runs((write(tmp_path / "a", scored("my.package:make", 0.9)),), None)
    assert own.family is None
    assert "family not known by its name" in run_reasons((own,), Situation())[0].text


def test_for_a_device_its_predictions_count_and_not_this_host(tmp_path: Path) -> None:
    run = scored("vit_tiny_patch16_224", 0.9, predictions=(make_prediction(20.0, 40.0),))
    (own,) = read_runs((write(tmp_path / "a", run),), PI)
    assert own.latency_words == "predicted for raspberry-pi-5"
    assert own.latency_ms is not None and 20.0 <= own.latency_ms <= 40.0


def test_a_run_that_knows_nothing_of_the_device_says_so_and_is_not_within_a_budget(tmp_path: Path) -> None:
    (own,) = read_runs((write(tmp_path / "a", scored("vit_tiny_patch16_224", 0.9)),), PI)
    assert (own.latency_ms, own.latency_words) == (None, "not known for raspberry-pi-5")
    assert own.is_within(Situation())
    assert not own.is_within(Situation(max_latency_ms=100.0, device="raspberry-pi-5"))


def test_an_accelerator_is_not_the_host(tmp_path: Path) -> None:
    (own,) = read_runs((write(tmp_path / "a", scored("mobilenetv2_100", 0.9)),), load_device("coral-edge-tpu"))
    assert own.latency_ms is None


def test_a_board_of_the_run_counts(tmp_path: Path) -> None:
    run = make_board_run()
    board = run.boards[0]
    host = replace(board.host, cpu="Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)", isa=("neon",), os="Linux aarch64")
    (own,) = read_runs((write(tmp_path / "a", replace(run, boards=(replace(board, host=host),))),), PI)
    assert own.latency_words == f"measured on {board.name}"
    assert own.latency_ms is not None


def test_a_run_made_on_the_device_counts(tmp_path: Path) -> None:
    host = Host(
        "Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)", 4, ("neon",), 8_000_000_000, "Linux aarch64", "3.11", "", 4
    )
    run = replace(scored("vit_tiny_patch16_224", 0.9), host=host)
    (own,) = read_runs((write(tmp_path / "a", run),), PI)
    assert (own.latency_ms, own.latency_words) == (8.0, f"measured on {host.cpu}")


def test_the_better_family_decides(tmp_path: Path) -> None:
    runs = read_runs(
        (
            write(tmp_path / "a", scored("vit_tiny_patch16_224", 0.90)),
            write(tmp_path / "b", scored("mobilenetv2_100", 0.95)),
        ),
        None,
    )
    found = verdict(runs, Situation())
    assert found is not None and found.family == "cnn"
    last = run_reasons(runs, Situation())[-1]
    assert last.families == ("cnn",) and last.basis == "your run"


def test_runs_that_do_not_say_what_they_were_scored_on_are_not_compared(tmp_path: Path) -> None:
    made = (scored("vit_tiny_patch16_224", 0.90), scored("mobilenetv2_100", 0.95))
    folders = [write(tmp_path / str(at), replace(run, evaluation=None)) for at, run in enumerate(made)]
    assert verdict(read_runs(folders, None), Situation()) is None


@pytest.mark.parametrize("what", ["missing", "empty", "no_choice", "twice"])
def test_what_is_no_run_is_refused(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "run"
    paths = [folder]
    if what == "empty":
        folder.mkdir()
    if what == "no_choice":
        write(folder, make_run(selected=None))
    if what == "twice":
        write(folder, make_run())
        paths = [folder, folder]
    with pytest.raises(UsageError):
        read_runs(paths, None)


def own(model: str, family: str, top1: float, ms: float | None, words: str = "measured on a Pi") -> OwnRun:
    return OwnRun(model, model, family, "val", top1, Interval(top1 - 0.01, top1 + 0.01), ms, words)  # type: ignore[arg-type]


def test_of_equal_accuracy_the_clearly_faster_family_decides() -> None:
    found = verdict((own("a", "cnn", 0.90, 2.0), own("b", "vit", 0.905, 5.0)), Situation())
    assert found is not None and found.family == "cnn"
    assert "a is 2.50 × as fast as b" in found.words


@pytest.mark.parametrize(
    "other",
    [
        own("b", "vit", 0.905, 2.2),  # hardly slower
        own("b", "vit", 0.905, None),  # not timed
        own("b", "vit", 0.905, 5.0, "measured elsewhere"),
    ],
)
def test_speed_decides_only_where_it_is_clear(other: OwnRun) -> None:
    assert verdict((own("a", "cnn", 0.90, 2.0), other), Situation()) is None


def test_accuracy_comes_before_speed() -> None:
    found = verdict((own("a", "cnn", 0.90, 2.0), own("b", "vit", 0.95, 5.0)), Situation())
    assert found is not None and found.family == "vit"


def test_times_that_cannot_be_relied_on_decide_nothing() -> None:
    interval = Interval(0.89, 0.91)
    slow = OwnRun("a", "vit_tiny_patch16_224", "vit", "val", 0.9, interval, 9.0, "measured on board")
    fast = replace(slow, path="b", model="mobilenetv2_100", family="cnn", latency_ms=3.0)
    found = verdict((slow, fast), Situation())
    assert found is not None and found.family == "cnn"
    drifting = replace(fast, unstable="the clock fell by 30 %")
    assert verdict((slow, drifting), Situation()) is None
    assert "not stable (the clock fell by 30 %)" in run_reasons((slow, drifting), Situation())[1].text
