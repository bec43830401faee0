"""The model between its passes: captured once, with its logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.model.program.capture import count_macs, load_program  # noqa: E402
from edgevit.pipeline.snapshot import Captured, Snapshot, capture_module, pass_record, take_snapshot  # noqa: E402
from edgevit.results.artifact import PassRecord, Preprocessing  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_context, make_inputs, noise, run_here  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def test_a_snapshot_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []

    def directly(task: Task[Any, Any], **_: Any) -> Any:
        ran.append(task.function.__name__)
        return run_here(task)

    monkeypatch.setattr(executor, "run_in_child", directly)
    inputs = make_inputs(Spec.model_validate({"model": {"name": "m"}}), data=RunData(noise(4, (0, 1, 2, 3)), None))
    stages, module = make_context(inputs, tmp_path, np.eye(4)).stages, small_vit(depth=1)
    threads = torch.get_num_threads()
    with stages.folder:
        first = take_snapshot(stages, inputs, "vit", module, CONTRACT)
        assert take_snapshot(stages, inputs, "vit", module, CONTRACT) == first
        assert [stage.name for stage in stages.folder.stages] == [
            "capture vit", "preprocess evaluation images 32x32", "evaluate vit in PyTorch"
        ]  # fmt: skip
        assert capture_module(stages, "vit", module, CONTRACT) == first.captured
    torch.set_num_threads(threads)
    assert ran == ["prepare_images", "reference_logits"]
    assert first.captured.transformer
    assert first.captured.macs == count_macs(load_program(first.captured.program))
    logits = np.load(first.logits)
    assert logits.shape == (4, 5)
    assert first.top1 == (logits.argmax(axis=1) == np.arange(4)).mean()


def test_the_record_of_a_pass_is_before_and_after() -> None:
    before = Snapshot(Captured(Path("a.pt2"), 10, True), Path("a.npy"), 0.9)
    after = Snapshot(Captured(Path("b.pt2"), 7, True), Path("b.npy"), 0.8)
    assert pass_record("reduce_tokens", "evit:0.7", before, after) == PassRecord(
        "reduce_tokens", "evit:0.7", 10, 7, 0.9, 0.8
    )
