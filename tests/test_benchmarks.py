"""What the benchmarks promise to cover, and that they add up costs correctly; in miniature."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compress import ROWS
from benchmarks.engine import Bench, demo_command, overhead, vit, write_digits
from benchmarks.engine_table import Row, exponent, growth, print_markdown
from benchmarks.image_memory import STEPS, memory_of_steps
from benchmarks.latency_protocol import LAYERS, ProtocolRun, keep_run, pattern, read_runs, stack, table
from benchmarks.library_knobs import KNOBS, MAKERS
from benchmarks.order_reliability import reliability, stated
from benchmarks.process_tree import Cost, run_measured
from benchmarks.regression_gate import ARMS, Plant, Trial, judged_by, next_arm
from benchmarks.regression_gate import table as gate_table
from benchmarks.remote_overhead import HERE, THERE, slower_over_ssh
from benchmarks.resolve import (
    EXTRAS,
    PLATFORMS,
    Cell,
    Platform,
    Wheel,
    closure,
    environment,
    extras_table,
    requirements_of,
)
from benchmarks.scale_out import Figure, ratio
from benchmarks.tokens import DIGITS_PLANS, PLANS, PROMISING, groups
from benchmarks.torch_build import chosen_file, warning
from benchmarks.watch_cost import write_machine
from edgevit.backends import backend_names
from edgevit.data.images import open_images
from edgevit.devices.cost_model import matrix
from edgevit.devices.validation import RowPrediction
from edgevit.measure.energy import find_energy_source, source_text
from edgevit.measure.machine_watch import watching
from edgevit.measure.rounds import Rounds
from edgevit.results.measurement import Interval, RoundLatency
from edgevit.results.regression import ComparedFile, Regression, RegressionLimits, RegressionOutcome
from edgevit.spec.token_plan import AUTO, METHODS, RESIZINGS, parse_plans
from edgevit.spec.toml_files import read_toml
from tests.devices.rows import made_up
from tests.factories import make_latency


def test_every_model_stands_beside_each_library_with_the_right_settings() -> None:
    assert {row.model for row in ROWS.values()} <= KNOBS.keys()
    assert all(set(names) == set(backend_names()) for names in KNOBS.values())
    assert all(name in MAKERS for names in KNOBS.values() for name in names.values())


@pytest.mark.parametrize("plans", [PLANS, DIGITS_PLANS])
def test_every_method_and_every_baseline_is_on_the_front(plans: str) -> None:
    found = [getattr(plan, "method", plan) for plan in parse_plans(plans)]
    assert set(found) == {*METHODS, *RESIZINGS, AUTO}


def test_every_plan_is_in_one_group() -> None:
    parts = groups(PLANS)
    assert sorted(parse_plans(",".join(part.plans for part in parts)), key=str) == sorted(parse_plans(PLANS), key=str)
    assert {str(plan) for plan in parse_plans(parts[0].plans)} == set(PROMISING)
    assert groups("resolution:192")[0].plans == "none"


COST = Cost(0, 100.0, 150.0, 2_000_000_000, 1_000_000_000, 500_000_000, "")
GRANDCHILD = """
import time
held = bytearray(150_000_000)
began = time.process_time()
while time.process_time() - began < 0.8:
    pass
"""
CHILD = f"""
import subprocess, sys
held = bytearray(60_000_000)
subprocess.Popen([sys.executable, "-c", {GRANDCHILD!r}])
print("ended")
"""


def test_a_cost_has_all_processes_also_those_whose_parent_has_ended(tmp_path: Path) -> None:
    cost = run_measured((sys.executable, "-c", CHILD), tmp_path / "log", sample_every_s=0.1)
    assert (cost.exit_code, cost.output) == (0, "ended\n")
    assert cost.cpu_s >= 0.8
    assert 150_000_000 < cost.own_peak_bytes < 200_000_000
    assert cost.largest_peak_bytes >= cost.own_peak_bytes
    assert cost.tree_peak_bytes >= cost.own_peak_bytes


def test_pages_that_processes_share_count_once(tmp_path: Path) -> None:
    code = "import os, time; held = bytearray(b'x') * 100_000_000; os.fork(); os.fork(); time.sleep(0.7)"
    cost = run_measured((sys.executable, "-c", code), tmp_path / "log", sample_every_s=0.1)
    assert 100_000_000 < cost.tree_peak_bytes < 200_000_000


def test_a_command_that_fails_has_its_code_and_log(tmp_path: Path) -> None:
    cost = run_measured((sys.executable, "-c", "import sys; sys.exit('no such thing')"), tmp_path / "log")
    assert cost.exit_code == 1
    assert (tmp_path / "log").read_text() == "no such thing\n"


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    bench = Bench(None, tmp_path, keep=False)
    command = (sys.executable, "-c", f"open({str(tmp_path / 'runs')!r}, 'a').write('x')")
    first, note = bench.measured("append", command, lambda cost: "found")
    again, same = Bench(None, tmp_path, keep=False).measured("append", command)
    assert (again, same, note) == (first, "found", "found")
    assert (tmp_path / "runs").read_text() == "x"
    failed, why = bench.measured("fail", (sys.executable, "-c", "raise SystemExit(3)"))
    assert failed.exit_code == 3
    assert "exit code 3" in why
    assert list(bench.costs) == ["append"]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    counts = (2, 4, 8, 24)
    assert exponent(counts, [3.0 * count**power for count in counts]) == pytest.approx(power)


def test_growth_is_linear_or_better_or_it_is_not_reached() -> None:
    rows = growth("images", (10, 100), [replace(COST, wall_s=5.0), replace(COST, wall_s=40.0)])
    assert [row.reached for row in rows] == [None, None, True]
    assert rows[-1].exponent == pytest.approx(0.903, abs=1e-3)
    assert growth("images", (10, 100), [replace(COST, wall_s=5.0), replace(COST, wall_s=60.0)])[-1].reached is False


def test_a_ratio_binds_and_seconds_only_where_there_is_none() -> None:
    beside = replace(COST, wall_s=130.0)
    assert Row("run", COST, required_s=50.0, beside=beside, required_ratio=0.8).reached is True
    assert Row("run", COST, required_s=200.0, beside=replace(COST, wall_s=120.0), required_ratio=0.8).reached is False
    assert Row("run", COST, required_s=99.0).reached is False
    assert Row("run", COST, required_over_s=1.5, over_s=1.4).reached is True
    assert Row("run", replace(COST, exit_code=1), required_s=200.0).reached is False
    assert Row("run", None, required_s=200.0).reached is None


def test_the_table_names_the_machine_and_puts_the_ratio_first(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row("run", COST, required_s=120.0, beside=replace(COST, wall_s=200.0), required_ratio=0.8, note="chosen a")]
    print_markdown([*rows, Row("other", None, note="no data")])
    machine, _, titles, _, *lines = capsys.readouterr().out.splitlines()
    assert "cores" in machine
    assert titles.startswith("| run | ratio | required | wall |")
    assert lines[0] == (
        "| run | 0.50 | ≤ 0.8 | 1 min 40 s | ≤ 120 s | 2 min 30 s | 2.00 GB | 1.00 GB | 500.0 MB | yes | chosen a |"
    )
    assert lines[1].endswith("| no data |")
    assert lines[0].count("|") == lines[1].count("|") == titles.count("|")


def test_without_a_data_folder_a_row_says_why(tmp_path: Path) -> None:
    (row,) = vit(Bench(None, tmp_path, keep=False))
    assert row.cost is None
    assert "EDGEVIT_DATA" in row.note


def test_the_demo_is_what_make_runs() -> None:
    command = demo_command()
    assert command[:3] == (sys.executable, "-m", "edgevit")
    assert "digits_vit" in command
    assert "--out" not in command


def test_images_to_grow_with_are_labelled_and_distinct(tmp_path: Path) -> None:
    write_digits(tmp_path / "images", 600)
    images = open_images(str(tmp_path / "images"))
    assert len(images) == 600
    assert len({(tmp_path / "images" / "images" / name).read_bytes() for name in images.ids}) == 600
    assert images.labels is not None
    assert images.labels[:100] == images.labels[500:600]


@pytest.mark.slow
def test_bench_and_inspect_are_measured_on_a_file_of_each_runtime(tmp_path: Path) -> None:
    rows = overhead(Bench(None, tmp_path, keep=False))
    assert len(rows) == 6
    assert all(row.over_s is not None and row.over_s > 0 for row in rows)


@pytest.mark.slow
def test_the_plain_script_makes_scores_and_times_six_files(tmp_path: Path) -> None:
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("mobilenetv2_050").state_dict(), tmp_path / "weights.safetensors")
    write_digits(tmp_path / "images", 8)
    command = (
        sys.executable, "-m", "benchmarks.plain_script", "mobilenetv2_050", "--weights", tmp_path / "weights.safetensors",
        "--images", tmp_path / "images", "--calibration", tmp_path / "images", "--out", tmp_path / "out",
        "--static", "onnxruntime", "openvino", "litert",
    )  # fmt: skip
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [file["name"] for file in found["files"]] == [
        f"{runtime} {numbers}" for runtime in ("onnxruntime", "openvino", "litert") for numbers in ("float32", "int8")
    ]
    assert all(file["difference"] < 1e-4 for file in found["files"] if file["name"].endswith("float32"))
    assert all(file["p50_ms"] > 0 for file in found["files"])
    assert found["images"] == 8
    assert set(found["seconds"]) == {"load", "images", "convert", "reference", "score", "time"}


@pytest.mark.slow
def test_no_step_holds_all_images_in_memory_of_its_own(tmp_path: Path) -> None:
    images, side = 1000, 224
    pixels = images * side * side * 3
    own = {cost.step: cost.own_peak_bytes for cost in memory_of_steps(images, side, tmp_path)}
    assert set(own) == set(STEPS)
    assert (tmp_path / "pixels.npy").stat().st_size == pixels + 128
    assert own.pop("run in PyTorch") < 4 * pixels  # as float32; PyTorch alone takes more than the pixels
    assert max(own.values()) < pixels


def protocol_run(same: float, slower: float, *, loaded: bool = True, unstable: str = "") -> ProtocolRun:
    """A run in which one file came out so many times slower under its second name, and the slower file than the file."""

    def latency(ms: float) -> RoundLatency:
        return RoundLatency(ms, Interval(ms, ms), (ms,) * 6, repeated_bursts=1, unstable=unstable)

    latencies = {"file": latency(10.0), "the same file": latency(10.0 * same), "5 % slower": latency(10.0 * slower)}
    return ProtocolRun(loaded, 12.0, Rounds(latencies, {}))


def test_the_latency_table_counts_what_is_required() -> None:
    runs = [protocol_run(1.0, 1.05)] * 3 + [protocol_run(1.04, 0.99, unstable="steal time 12 % in 4 of 6 bursts")]
    rows = dict(line.strip("| ").split(" | ", 1) for line in table(runs).splitlines() if line.startswith("| "))
    cells = {title: rest.split(" | ") for title, rest in rows.items()}
    assert cells["runs"][:2] == ["–", "4"]
    assert cells["one file under two names: ratio within 3 %"] == ["–", "75 %", "≥ 95 %"]
    assert cells["one file under two names: called a tie"][1] == "75 %"
    assert cells["5 % slower file: ranked below"][1] == "75 %"
    assert cells["called unstable"][1] == "25 %"
    assert cells["repeated bursts of a run, mean"][1] == "3.0"


def test_runs_of_the_latency_benchmark_are_kept_and_continued(tmp_path: Path) -> None:
    first, second = protocol_run(1.0, 1.05, loaded=False), protocol_run(1.01, 1.06)
    assert read_runs(tmp_path) == []
    keep_run(tmp_path, first)
    keep_run(tmp_path, second)
    assert read_runs(tmp_path) == [first, second]
    assert read_runs(tmp_path)[1].slower.median == pytest.approx(1.06)


def test_the_load_works_and_rests_as_the_seed_says() -> None:
    phases = list(islice(pattern(3, cores=2), 100))
    assert phases == list(islice(pattern(3, cores=2), 100))
    assert phases != list(islice(pattern(4, cores=2), 100))
    assert {busy for _, busy in phases} == {0, 1, 2}


def test_the_slower_file_does_five_percent_more(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    convolutions = [len(onnx.load(stack(tmp_path, layers)).graph.node) for layers in (LAYERS, LAYERS + 1)]
    assert convolutions[1] / convolutions[0] == pytest.approx(1.05)


def gate_trial(arm: int, outcome: RegressionOutcome, log_ratios: tuple[float, ...]) -> Trial:
    """A comparison whose blocks took 2 s each, after 1 s."""
    file = ComparedFile(Path("a.onnx"), "", 1, "ONNX Runtime", "f32", "", (), 6.0)
    limits, seconds = RegressionLimits(ARMS[arm].max_regression, 0.2), (2.0,) * len(log_ratios)
    found = Regression(
        file, file, limits, outcome, "", log_ratios, seconds, 1.0, None, None, 0.01, 1.0 + sum(seconds), 1
    )
    return Trial(ARMS[arm], 0.0, 2.5, 3.5, found)


def test_the_gate_table_counts_what_is_required() -> None:
    none = (0.0,) * 9
    trials = [gate_trial(0, "pass", none)] * 3 + [gate_trial(0, "fail", (0.08,) * 9)]
    trials += [gate_trial(3, "inconclusive", (0.01,)), gate_trial(1, "fail", (0.05,) * 9)]
    text = gate_table(trials, [Plant(0.05, 21, 0.051)])
    assert "5 % (21 repeats, measured 5.1 %)" in text
    assert "none of them at 3 or above" in text
    rows = dict(line.strip("| ").split(" | ", 1) for line in text.splitlines() if line.startswith("| "))
    assert rows["file with itself, limit 0 %: false alarm"].startswith("1 of 4 | 25.0 % | 4.6 to 69.9 %")
    assert rows["the same blocks, limit 5 %: false alarm"].startswith("1 of 4")
    assert rows["the same blocks, limit 5 %: passes"].startswith("3 of 4")
    assert rows["1 % planted, limit 0 %: certified as none"].startswith("0 of 1")
    assert rows["3 % planted, limit 0 %: found"].startswith("–")
    assert rows["5 % planted, limit 0 %"].startswith("1 of 1 | 17.0 | 9 | 1.000 | 3.5")


def test_another_limit_is_judged_by_the_blocks_that_it_would_have_needed() -> None:
    trial = gate_trial(0, "fail", (0.08,) * 12)
    assert judged_by(trial, 0.05) == ("too slow", 1.0 + 9 * 2.0)
    assert judged_by(gate_trial(0, "inconclusive", (0.0,) * 4), 0.05) == ("not known yet", 9.0)


def test_the_kinds_of_comparison_advance_side_by_side() -> None:
    trials: list[Trial] = []
    for _ in range(48):
        arm = next_arm(trials)
        assert arm is not None
        trials.append(gate_trial(ARMS.index(arm), "pass", (0.0,)))
    done = [sum(trial.arm == arm for trial in trials) for arm in ARMS]
    assert done == [21, 6, 6, 4, 6, 5]
    every = [gate_trial(place, "pass", (0.0,)) for place, arm in enumerate(ARMS) for _ in range(arm.wanted)]
    assert next_arm(every) is None


def test_a_planted_slow_down_repeats_a_layer_of_the_file(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from benchmarks.slower_models import slow_downs, with_repeats

    helper, shape = onnx.helper, [1, 8, 12, 12]
    weight = onnx.numpy_helper.from_array(np.full((8, 1, 3, 3), 0.1, np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], group=8, strides=[1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    ends = [value("x", 1, shape)], [value("y", 1, [1, 8, 1, 1])]
    graph = helper.make_graph(nodes, "one layer", *ends, [weight])
    source, target = tmp_path / "one.onnx", tmp_path / "four.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), source)
    with_repeats(source, target, 3)
    kinds = [node.op_type for node in onnx.load(target).graph.node]
    assert kinds == ["Conv", "Relu"] * 4 + ["GlobalAveragePool"]
    first, _ = slow_downs([source, target], 5)
    assert first == 0.0


PROJECT = read_toml(Path(__file__).parents[1] / "pyproject.toml")["project"]


def test_every_extra_for_users_is_resolved_and_all_has_every_requirement() -> None:
    internal = {"pytorch", "docs", "dev", "transformers", "card"}  # the last two are one of the others and one package
    assert set(EXTRAS) - {""} == set(PROJECT["optional-dependencies"]) - internal
    everything = set(requirements_of("all", PROJECT))
    for extra in EXTRAS[1:]:
        assert set(requirements_of(extra, PROJECT)) <= everything
    assert set(requirements_of("compress", PROJECT)) < everything


@pytest.mark.parametrize(("platform", "can_convert"), [*zip(PLATFORMS, (True, False, True, False), strict=True)])
def test_the_converter_of_litert_is_asked_for_where_it_has_wheels(platform: Platform, can_convert: bool) -> None:
    names = [text for text in requirements_of("compress-tflite", PROJECT) if text.startswith("litert-torch")]
    wheels = [Wheel("litert-torch", 1.0, ())]
    assert list(closure(names, wheels, environment(platform, "3.12"))) == ["litert-torch"] * can_convert
    runtime = [text for text in requirements_of("tflite", PROJECT) if text.startswith("ai-edge-litert")]
    assert closure(runtime, [Wheel("ai-edge-litert", 1.0, ())], environment(platform, "3.12"))


def test_a_closure_follows_extras_and_markers() -> None:
    wheels = [
        Wheel("a", 1.0, ("B-b[fast]>=1", "c; sys_platform == 'win32'", "d; extra == 'never'")),
        Wheel("b-b", 2.0, ("e; extra == 'fast'", "a")),
        *(Wheel(name, 4.0, ()) for name in "cdef"),
    ]
    linux, windows = (environment(PLATFORMS[place], "3.12") for place in (0, 3))
    assert set(closure(["a"], wheels, linux)) == {"a", "b-b", "e"}
    assert set(closure(["a"], wheels, windows)) == {"a", "b-b", "c", "e"}


def test_the_table_shows_sizes_what_is_left_out_and_what_fails() -> None:
    good = dict.fromkeys(EXTRAS, Cell(28e6))
    left = good | {"compress-tflite": Cell(500e6, ("litert-torch",)), "all": Cell(failure="no versions go together")}
    lines = extras_table({("A", "3.10"): good, ("B", "3.12"): left}).splitlines()
    assert lines[0] == "| extra | A | B |"
    assert "| none | 3.10: 28 MB | 3.12: 28 MB |" in lines
    assert "| `compress-tflite` | 3.10: 28 MB | 3.12: 500 MB [1] |" in lines
    assert "| `all` | 3.10: 28 MB | 3.12: no [2] |" in lines
    assert lines[-2:] == ["[1] without litert-torch: no wheels there  ", "[2] no versions go together"]


def test_a_build_of_pytorch_with_cuda_is_told_before_it_is_downloaded() -> None:
    cuda = "  Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl (526.6 MB)"
    assert chosen_file(cuda) == ("torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl", "526.6 MB")
    assert "(526.6 MB): PyTorch for NVIDIA GPUs" in warning(*(chosen_file(cuda) or ("", "")))
    metadata = "  Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl.metadata (30 kB)"
    assert chosen_file(metadata) == ("torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl", "")
    cpu = "Processing /wheels/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert warning(*(chosen_file(cpu) or ("", ""))) == ""
    assert warning("torch-2.13.0-cp312-none-macosx_14_0_arm64.whl", "") == ""
    assert chosen_file("Collecting torch==2.13.0") is None


def test_stated_orders_are_counted_by_their_probability() -> None:
    found = [(0.96, True), (0.94, False), (0.6, True)]
    assert reliability(found, 0.9, 0.97) == ("2", "95 %", "50 %")
    assert reliability(found, 0.97, 1.01) == ("0", "–", "–")


def test_an_order_is_right_where_the_slower_one_is_predicted_slower() -> None:
    rows, graphs = made_up(6)
    predicted = [RowPrediction(row.id, row.latency_ms, row.latency_ms / 2, 2 * row.latency_ms, "") for row in rows]
    found = stated(rows, predicted, matrix(rows, graphs), "measured", "kernels")
    assert len(found) == 2 * 6 * 5 / 2
    assert all(right and probability > 0.5 for probability, right in found)


def test_the_machine_that_looks_are_taken_at_has_more_than_boards_have(tmp_path: Path) -> None:
    root = write_machine(tmp_path)
    with watching(16, root) as watch:
        pass
    found = watch.found()
    assert (len(found.busy_mhz), len(found.hottest), source_text(find_energy_source(root))) == (2, 12, "RAPL package-0")


def test_what_ssh_adds_is_the_ratio_of_the_same_rounds() -> None:
    latencies = {HERE: make_latency(10.0, 20.0, 30.0), THERE: make_latency(10.1, 20.2, 30.3)}
    assert slower_over_ssh(Rounds(latencies, {})).median == pytest.approx(1.01)


def test_scale_out_says_what_holds() -> None:
    assert ratio("tasks", 20.0, 11.0, 1.7) == Figure("tasks", "20.0 s and 11.0 s: 1.82 ×", "≥ 1.7 ×", True)
    slow = ratio("tasks", 20.0, 15.0, 1.7)
    assert slow.holds is False
    assert "DOES NOT HOLD" in slow.line


def test_a_replayed_search_finds_more_than_samplers_at_equal_cost() -> None:
    """On the shipped table; ``python -m benchmarks.search --only replay`` prints all figures."""
    pytest.importorskip("optuna")
    from benchmarks.search_replay import compare, read_table

    found = compare(read_table(), seeds=5)
    assert found.candidates <= 0.2 * found.points
    assert found.share >= 0.95
    assert all(found.share >= 1.2 * share for share in found.rivals.values())
    assert 0.7 <= found.in_interval <= 0.95
