"""Runs are judged from their files, and every fault of these is told at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.gate.budget import Budget
from edgevit.gate.faults import budget_faults
from edgevit.gate.gate_runs import GateRequest, gate_runs
from edgevit.gate.verdict import GateResult
from edgevit.results.run import Run, run_to_json
from tests.factories import make_artifact, make_candidate, make_latency, make_prediction, make_run

STEADY = make_latency(11.9, 12.0, 12.1, 12.0, 12.0, 11.95, 12.05)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(name: str, run: Run) -> Path:
    Path(name).mkdir()
    (Path(name) / "run.json").write_bytes(run_to_json(run))
    return Path(name)


def gate(budget: str, *runs: Path, baseline: Path | None = None) -> GateResult:
    Path("budget.toml").write_text(budget)
    return gate_runs(GateRequest(runs, Path("budget.toml"), baseline))


def test_several_runs_are_judged_by_themselves(here: Path) -> None:
    small, large = (
        save("a", make_run(make_candidate(size_bytes=10))),
        save("b", make_run(make_candidate(size_bytes=30))),
    )
    result = gate("size_bytes = 20", small, large)
    assert [(each.run, each.outcome) for each in result.verdicts] == [("a", "pass"), ("b", "fail")]
    assert (result.outcome, result.budget) == ("fail", "budget.toml")


def test_the_chosen_one_is_compared_with_the_chosen_one_of_the_baseline(here: Path) -> None:
    new = save(
        "new", make_run(make_candidate("litert/dynamic_wi8_afp32", size_bytes=104), make_candidate("litert/fp32"))
    )
    old = save("old", make_run(make_candidate("litert/static_wi8_ai8", size_bytes=100), make_candidate("litert/fp32")))
    limits = 'size_bytes = {max_increase = "5 %"}\n[artifacts."litert/fp32"]\nsize_bytes = {max_increase = 0}'
    assert gate(limits, new, baseline=old).outcome == "pass"
    gone = 'size_bytes = {max_increase = "3 %"}\n[artifacts."litert/fp*"]\nsize_bytes = {max_increase = 0}'
    (check, _) = gate(gone, new, baseline=old).checks
    assert check.message == "artifact of 104 B, +4 % against the baseline's 100 B, over the limit of +3 %"


def test_what_the_baseline_lacks_fails(here: Path) -> None:
    new = save("new", make_run(make_candidate("litert/fp32"), make_candidate("openvino/fp32")))
    old = save("old", make_run(make_candidate("litert/fp32")))
    result = gate('[artifacts."openvino/*"]\nsize_bytes = {max_increase = "5 %"}', new, baseline=old)
    assert [(check.verdict, check.message) for check in result.checks] == [
        ("fail", "the baseline: it has no such candidate or value")
    ]


def test_measurements_of_another_machine_are_no_baseline(here: Path) -> None:
    run = make_run(make_candidate(latency=STEADY))
    same, other = save("same", run), save("other", replace(run, host=replace(run.host, cpu="Another CPU")))
    limits = '[devices.host]\nlatency_p50_ms = {max_increase = "20 %"}'
    assert gate(limits, same, baseline=same).outcome == "pass"
    (check,) = gate(limits, same, baseline=other).checks
    assert (check.verdict, check.message) == (
        "fail", "the baseline: measured on another machine: its cpu is Another CPU, here Example CPU",
    )  # fmt: skip


def test_a_limit_for_another_processor_is_not_met(here: Path) -> None:
    run = save("run", make_run(make_candidate(latency=STEADY)))
    limits = '[devices.host]\ncpu = "{}"\nlatency_p50_ms = 99'
    assert gate(limits.format("Example*"), run).outcome == "pass"
    (check,) = gate(limits.format("AMD EPYC*"), run).checks
    assert (check.verdict, check.message) == ("fail", "measured on Example CPU; the limit is for AMD EPYC*")


def test_measured_does_not_compare_with_predicted(here: Path) -> None:
    new = save("new", make_run(make_candidate(latency=STEADY)))
    old = save("old", make_run(make_candidate(p50_ms=None, predictions=(make_prediction(1, 2, device="host"),))))
    (check,) = gate('[devices.host]\nlatency_p50_ms = {max_increase = "20 %"}', new, baseline=old).checks
    assert check.verdict == "fail"
    assert "its value is predicted, this one measured" in check.message


FAULTY = """
size_bytes = {max_increase = "5 %"}
[devices.rasberry-pi-5]
latency_p50_ms = 1
peak_rss_bytes = 1
[artifacts."litrt/*"]
size_bytes = 1
[artifacts."*"]
macs = 1
[artifacts."litert/*"]
macs = 2
"""


def test_every_fault_of_a_budget_is_told_at_once_with_its_place(here: Path) -> None:
    run = save("run", make_run())
    with pytest.raises(UsageError) as error:
        gate(FAULTY, run)
    heading, *lines = error.value.message.splitlines()
    assert heading == "4 faults:"
    assert all(line.startswith("  budget.toml: ") for line in lines)
    for words in (
        "size_bytes: is relative to a baseline, and none is given",
        "devices.rasberry-pi-5: unknown device 'rasberry-pi-5'; did you mean raspberry-pi-5",
        "artifacts.litrt/*: matches no candidate; known: litert/dynamic_wi8_afp32",
        'artifacts."litert/*".macs: contradicts artifacts."*".macs',
    ):
        assert words in error.value.message


def test_a_device_of_ones_own_is_known_by_the_run() -> None:
    limits = Budget.model_validate({"devices": {"my-board": {"latency_p50_ms": 1}}})
    with_it = make_run(make_candidate(predictions=(make_prediction(1, 2, device="my-board"),)))
    assert list(budget_faults(limits, [with_it], has_baseline=False)) == []
    assert len(list(budget_faults(limits, [make_run()], has_baseline=False))) == 1


def test_artifacts_that_were_edited_are_told_of_every_run(here: Path) -> None:
    artifact = replace(make_artifact("model.tflite", 3), sha256=hashlib.sha256(b"abc").hexdigest())
    runs = [save(name, make_run(make_candidate(artifact=artifact))) for name in ("a", "b")]
    for run in runs:
        (run / "model.tflite").write_bytes(b"abc")
    assert gate("size_bytes = 3", *runs).outcome == "pass"
    for run in runs:
        (run / "model.tflite").write_bytes(b"abd")
    with pytest.raises(UsageError) as error:
        gate("size_bytes = 3", *runs)
    assert error.value.message.count("model.tflite was changed after the run") == 2
    assert "  a: " in error.value.message and "  b: " in error.value.message


def test_every_fault_of_every_run_is_told_at_once_with_its_path(here: Path) -> None:
    document = json.loads(run_to_json(make_run(make_candidate("litert/fp32"), make_candidate())))
    document["candidates"][1]["id"] = "litert/fp32"
    del document["candidates"][0]["status"]
    del document["schema_version"]
    document["selected"] = "gone"
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError) as error:
        gate("size_bytes = 3", Path("a"), Path("b"))
    for words in (
        "candidates.0.status: is missing", "schema_version: is missing", "candidates.1.id: two have the id 'litert/fp32'",
        "selected: 'gone' is no candidate of the run",
    ):  # fmt: skip
        assert error.value.message.count(words) == 2
