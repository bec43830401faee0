"""What blocks and sites cost: measured here, or predicted for a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.backends import all_backends  # noqa: E402
from edgevit.devices.device import load_device  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockLatencyJob, BlockProgram, block_latency, to_curve  # noqa: E402
from edgevit.pipeline.token_search.block_programs import BlockSampling, capture_blocks  # noqa: E402
from edgevit.pipeline.token_search.staircase import BlockCurve  # noqa: E402
from edgevit.results.token_search import BlockPoint, SitePoint  # noqa: E402
from edgevit.spec.token_plan import FORMS, Form  # noqa: E402

FEW = BlockSampling(lambda tokens: (33, tokens), (1.0,))
"""Two numbers of tokens, and a site in the larger one."""


@pytest.mark.slow
@pytest.mark.parametrize("backend", [backend.name for backend in all_backends()])
def test_every_backend_times_blocks(backend: str, vit: Any, tmp_path: Path) -> None:
    pytest.importorskip(f"edgevit.backends.{backend}.session")
    programs = capture_blocks(vit, tmp_path, FORMS, FEW)
    assert [(one.tokens, one.after, one.method) for one in programs[:3]] == [
        (33, 33, ""), (65, 65, ""), (65, 46, "squeeze")
    ]  # fmt: skip
    few = [one for one in programs if (one.method, one.form) in (("", ""), ("squeeze", "gather"))]
    curve = block_latency(BlockLatencyJob(backend, tuple(few), tmp_path / "blocks", 1, None, rounds=3))
    assert [point.tokens for point in curve.blocks] == [33, 65]
    assert all(point.ms > 0 for point in curve.blocks)
    assert curve.methods == ("squeeze",)
    assert not (tmp_path / "blocks").exists()


def test_devices_are_predicted(vit: Any, tmp_path: Path) -> None:
    programs = tuple(one for one in capture_blocks(vit, tmp_path, FORMS, FEW) if one.method != "tome")
    job = BlockLatencyJob("onnxruntime", programs, tmp_path / "blocks", 1, load_device("raspberry-pi-5"))
    curve = block_latency(job)
    assert 0 < curve.blocks[0].ms < curve.blocks[1].ms
    assert all(site.ms > 0 for site in curve.sites)


def npu(tmp_path: Path, backend: str, forms: tuple[Form, ...], vit: Any) -> BlockCurve:
    """Blocks with squeeze, predicted for an NPU that has no TopK."""
    programs = tuple(one for one in capture_blocks(vit, tmp_path, forms, FEW) if one.method in ("", "squeeze"))
    return block_latency(BlockLatencyJob(backend, programs, tmp_path / "blocks", 1, load_device("galaxy-s24-npu")))


def test_a_site_that_a_device_cannot_run_has_no_price(vit: Any, tmp_path: Path) -> None:
    curve = npu(tmp_path, "litert", FORMS, vit)
    assert {(site.method, site.form) for site in curve.sites} == {("squeeze", "arithmetic")}
    with pytest.raises(CandidateFailed, match="galaxy-s24-npu cannot run what reduces tokens: .*TOPK_V2"):
        npu(tmp_path, "litert", ("gather",), vit)


def test_a_device_that_cannot_run_a_block_says_why(vit: Any, tmp_path: Path) -> None:
    programs = capture_blocks(vit, tmp_path, FORMS, BlockSampling(lambda tokens: (tokens,), ()))
    with pytest.raises(CandidateFailed, match="coral-edge-tpu cannot run a block: .* in float"):
        block_latency(BlockLatencyJob("litert", programs, tmp_path / "blocks", 1, load_device("coral-edge-tpu")))


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
    curve = to_curve(programs, [4.0, 2.0, 4.5, 4.0, 1.5, float("inf")])
    # from 17 to 13 the block itself costs (4 + 3) / 2
    assert curve == BlockCurve(
        (BlockPoint(9, 2.0), BlockPoint(17, 4.0)),
        (SitePoint("tome", 9, 0.0, "gather"), SitePoint("tome", 17, 0.5, "arithmetic")),
    )
