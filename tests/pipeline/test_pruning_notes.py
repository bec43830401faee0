"""What a run says of its pruned candidates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edgevit.pipeline.pruning_notes import pruning_notes
from edgevit.results.artifact import PassRecord
from edgevit.results.candidate import Accuracy, Candidate
from tests.factories import make_candidate, make_latency


def candidate(name: str, ms: float | None, drop: float, *passes: str, **changes: Any) -> Candidate:
    records = tuple(PassRecord(each, "as asked", 100, 90) for each in passes)
    accuracy = Accuracy(0.9, None, 100, drop)
    made = replace(make_candidate(name), passes=records, accuracy=accuracy, measurements=(), latency=None)
    return replace(made, latency=None if ms is None else make_latency(ms, ms), **changes)


def test_a_smaller_image_that_beat_it_is_named() -> None:
    pruned = candidate("onnxruntime/fp32/prune-mlp-0.25", 9.0, 4.0, "prune")
    smaller = candidate("onnxruntime/fp32/resolution-208", 8.5, 0.0, "resize")
    (note,) = pruning_notes((candidate("onnxruntime/fp32/dense", 10.0, 0.0), pruned, smaller))
    assert "(pruned, untrained) is not better than onnxruntime/fp32/resolution-208" in note
    assert "8.5 ms against 9 ms: it loses 4.0, the other 0.0 points" in note


def test_it_may_be_more_accurate_when_tuned() -> None:
    tuned = candidate("onnxruntime/fp32/prune-mlp-0.25-full", 9.0, 0.2, "prune", "finetune")
    others = (
        candidate("onnxruntime/fp32/resolution-208", 9.1, 0.5, "resize"),
        candidate("onnxruntime/fp32/tome-8", 8.0, 1.5, "reduce_tokens"),
        candidate("onnxruntime/fp32/tome-8-full", 8.0, 0.0, "reduce_tokens", "finetune"),
        candidate("openvino/fp32/resolution-192", 1.0, 0.0, "resize"),
    )
    (note,) = pruning_notes((tuned, *others))
    assert "(pruned and fine-tuned) is more accurate than onnxruntime/fp32/resolution-208, untrained" in note


def test_what_is_slower_is_no_rival_and_what_was_not_measured_is_said() -> None:
    pruned = candidate("onnxruntime/fp32/prune-mlp-0.25", 9.0, 4.0, "prune")
    slower = candidate("onnxruntime/fp32/resolution-208", 9.5, 0.0, "resize")
    assert "nothing as fast was measured" in pruning_notes((pruned, slower))[0]
    assert "may well be better: add --tokens resolution:N" in pruning_notes((pruned,))[0]
    assert "was not measured" in pruning_notes((replace(pruned, latency=None),))[0]
    assert pruning_notes((slower,)) == ()
