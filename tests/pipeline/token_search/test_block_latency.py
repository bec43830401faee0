"""What blocks and sites cost: measured here, or predicted for a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.backends import all_backends  # noqa: E402
from edgevit.devices.device import load_device  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.pipeline.token_search import block_latency  # noqa: E402
from edgevit.pipeline.token_search.block_latency import (  # noqa: E402
    BlockProgram,
    BlockTimes,
    ExportBlocksJob,
    PredictBlocksJob,
    TimeBlocksJob,
    export_blocks,
    predict_blocks,
    time_blocks,
    to_curve,
)
from edgevit.pipeline.token_search.parts import capture_block, parts_of  # noqa: E402
from edgevit.pipeline.token_search.staircase import BlockCurve  # noqa: E402
from edgevit.results.token_search import BlockPoint, SitePoint  # noqa: E402


def captured(vit: Any, folder: Path, *forms: str) -> tuple[BlockProgram, ...]:
    """Blocks for two numbers of tokens, and squeeze in the larger one in some forms."""
    sites = (BlockProgram(folder / f"{form}.pt2", 65, 33, "squeeze", form) for form in forms)
    programs = (BlockProgram(folder / "33.pt2", 33, 33), BlockProgram(folder / "65.pt2", 65, 65), *sites)
    for program in programs:
        capture_block(parts_of(vit, (32, 32)), program)
    return programs


def exported(backend: str, programs: tuple[BlockProgram, ...], folder: Path) -> tuple[Path, ...]:
    return export_blocks(ExportBlocksJob(backend, tuple(one.file for one in programs), folder)).artifacts


@pytest.mark.slow
@pytest.mark.parametrize("backend", [backend.name for backend in all_backends()])
def test_every_backend_times_blocks(backend: str, vit: Any, tmp_path: Path) -> None:
    pytest.importorskip(f"edgevit.backends.{backend}.session")
    programs = captured(vit, tmp_path, "gather")
    artifacts = exported(backend, programs, tmp_path / "blocks")
    curve = to_curve(programs, time_blocks(TimeBlocksJob(backend, artifacts, 1, most_rounds=3)))
    assert [point.tokens for point in curve.blocks] == [33, 65]
    assert all(point.ms > 0 for point in curve.blocks)
    assert curve.methods == ("squeeze",)


class Clock:
    """Blocks that take as long as they are told to, run by run; the last time again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **runs: list[float]) -> None:
        self.done = dict.fromkeys(runs, 0)
        self._runs = runs
        monkeypatch.setattr(block_latency, "get_backend", lambda name: self)
        monkeypatch.setattr(block_latency, "noise_call", lambda session: session)
        monkeypatch.setattr(block_latency, "milliseconds", lambda call: call())

    def open_session(self, file: Path, threads: int, precision: str) -> Any:
        assert precision == "f32"
        return lambda: self._run(file.stem)

    def _run(self, name: str) -> float:
        place = min(self.done[name], len(self._runs[name]) - 1)
        self.done[name] += 1
        return self._runs[name][place]


def test_the_fastest_run_counts_and_rounds_end_when_none_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    late = [9.0] * 45 + [2.0]  # 5 of them to warm up
    clock = Clock(monkeypatch, even=[1.0], late=late)
    job = TimeBlocksJob("onnxruntime", (Path("even.onnx"), Path("late.onnx")), 1)
    assert time_blocks(job).milliseconds == (1.0, 9.0)  # it did not become faster for so long that it was believed
    assert clock.done == {"even": 35, "late": 35}
    clock = Clock(monkeypatch, even=[1.0], late=[9.0] * 20 + [4.0] * 15 + [2.0])
    assert time_blocks(job).milliseconds == (1.0, 2.0)
    assert clock.done == {"even": 56, "late": 56}


def test_rounds_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, falling=[100.0 - run for run in range(90)])
    time_blocks(TimeBlocksJob("onnxruntime", (Path("falling.onnx"),), 1, most_rounds=50))
    assert clock.done == {"falling": 55}


@pytest.mark.slow
def test_devices_are_predicted(vit: Any, tmp_path: Path) -> None:
    programs = captured(vit, tmp_path, "gather", "arithmetic")
    artifacts = exported("onnxruntime", programs, tmp_path / "blocks")
    job = PredictBlocksJob("onnxruntime", artifacts, programs, load_device("raspberry-pi-5"))
    curve = to_curve(programs, predict_blocks(job))
    assert 0 < curve.blocks[0].ms < curve.blocks[1].ms
    assert all(site.ms > 0 for site in curve.sites)


@pytest.mark.slow
def test_exporting_again_leaves_nothing_of_before(vit: Any, tmp_path: Path) -> None:
    programs = captured(vit, tmp_path)
    job = ExportBlocksJob("onnxruntime", tuple(one.file for one in programs), tmp_path / "blocks")
    first = export_blocks(job)
    (first.artifacts[0].parent / "left").touch()
    assert export_blocks(job) == first
    assert sorted(first.files) == sorted(path for path in (tmp_path / "blocks").rglob("*") if path.is_file())


def npu(tmp_path: Path, vit: Any, *forms: str) -> BlockCurve:
    """Blocks with squeeze, predicted for an NPU that has no TopK."""
    programs = captured(vit, tmp_path, *forms)
    artifacts = exported("litert", programs, tmp_path / "blocks")
    return to_curve(
        programs, predict_blocks(PredictBlocksJob("litert", artifacts, programs, load_device("galaxy-s24-npu")))
    )


@pytest.mark.slow
def test_a_site_that_a_device_cannot_run_has_no_price(vit: Any, tmp_path: Path) -> None:
    curve = npu(tmp_path, vit, "gather", "arithmetic")
    assert {(site.method, site.form) for site in curve.sites} == {("squeeze", "arithmetic")}
    with pytest.raises(CandidateFailed, match="galaxy-s24-npu cannot run what reduces tokens: .*TOPK_V2"):
        npu(tmp_path, vit, "gather")


@pytest.mark.slow
def test_blocks_without_sites_are_predicted_where_none_can_run(vit: Any, tmp_path: Path) -> None:
    assert npu(tmp_path, vit).sites == ()


@pytest.mark.slow
def test_a_device_that_cannot_run_a_block_says_why(vit: Any, tmp_path: Path) -> None:
    programs = captured(vit, tmp_path)
    artifacts = exported("litert", programs, tmp_path / "blocks")
    with pytest.raises(CandidateFailed, match="coral-edge-tpu cannot run a block: .* in float"):
        predict_blocks(PredictBlocksJob("litert", artifacts, programs, load_device("coral-edge-tpu")))


def test_a_site_costs_what_its_block_does_not() -> None:
    file = Path("x.pt2")
    programs = (
        BlockProgram(file, 17, 17),
        BlockProgram(file, 9, 9),
        BlockProgram(file, 17, 13, "tome", "gather"),
        BlockProgram(file, 17, 13, "tome", "arithmetic"),
        BlockProgram(file, 9, 7, "tome", "gather"),
        BlockProgram(file, 9, 7, "tome", "arithmetic"),  # which the target cannot run
    )
    curve = to_curve(programs, BlockTimes((4.0, 2.0, 4.5, 4.0, 1.5, None)))
    # from 17 to 13 the block itself costs (4 + 3) / 2
    assert curve == BlockCurve(
        (BlockPoint(9, 2.0), BlockPoint(17, 4.0)),
        (SitePoint("tome", 9, 0.0, "gather"), SitePoint("tome", 17, 0.5, "arithmetic")),
    )
