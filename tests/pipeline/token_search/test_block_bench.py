"""Blocks that a search asks for: each captured and exported once, all timed in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.pipeline.token_search import block_bench  # noqa: E402
from edgevit.pipeline.token_search.block_bench import BlockBench  # noqa: E402
from edgevit.pipeline.token_search.block_latency import BlockTimes, export_blocks  # noqa: E402
from edgevit.pipeline.token_search.parts import parts_of  # noqa: E402
from edgevit.results.token_search import BlockPoint  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, run_here  # noqa: E402


@pytest.mark.slow
def test_blocks_are_made_once_and_timed_again_with_those_that_follow(
    vit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported: list[list[str]] = []
    timed: list[list[str]] = []

    def answer(task: Task[Any, Any], **_: Any) -> Any:
        if task.function is export_blocks:
            exported.append([program.stem for program in task.argument.programs])
            return run_here(task)
        assert task.timing
        assert {artifact.parent for artifact in task.argument.artifacts} == {file.parent for file in task.inputs}
        timed.append([artifact.parent.name for artifact in task.argument.artifacts])
        return BlockTimes(tuple(float(len(timed) + place) for place in range(len(timed[-1]))))

    monkeypatch.setattr(executor, "run_in_child", answer)
    context = make_context(make_inputs(Spec.model_validate({"model": {"name": "m"}})), tmp_path, np.zeros((1, 2)))
    with context.stages.folder:
        bench = BlockBench(context, parts_of(vit, (32, 32)), get_backend("onnxruntime"), None)
        first = bench.measure([bench.block(33), bench.site((65, 33), "squeeze", "gather"), bench.block(65)])
        second = bench.measure([bench.block(33), bench.block(17)])
        again = BlockBench(context, parts_of(vit, (32, 32)), get_backend("onnxruntime"), None)
        monkeypatch.setattr(block_bench, "capture_block", None)
        assert again.measure([again.block(33), again.site((65, 33), "squeeze", "gather"), again.block(65)]) == first
    assert exported == [["33", "65-33-squeeze-gather", "65"], ["17"]]
    assert timed == [exported[0], [*exported[0], "17"]]
    assert first.blocks == (BlockPoint(33, 1.0), BlockPoint(65, 3.0))
    assert second.blocks == (BlockPoint(17, 5.0), BlockPoint(33, 2.0), BlockPoint(65, 4.0))
