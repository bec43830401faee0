"""A delegate that took nothing never passes as accelerated; one that took a part is said with counts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.benchmark_output import Replaced, parse_benchmark
from edgevit.measure.boards.delegation import judge_delegation, parse_delegate

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "benchmark_model"


def transcript(name: str) -> str:
    return (TRANSCRIPTS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "delegate", "words"),
    [
        ("tf24_cpu", "cpu", "reference kernels"),
        ("tf220_xnnpack_partial", "cpu", "XNNPACK, 1 partition"),
        ("tf215_nnapi_full", "nnapi", "NNAPI delegate, 1 partition, 31 of 31 nodes"),
        ("tf215_external_full", "vendor:libvx_delegate.so", "vendor's delegate, 1 partition, 31 of 31 nodes"),
        ("gpu_full_nnapi_none", "gpu", "GPU delegate, 1 partition, 49 of 49 nodes"),
    ],
)
def test_what_ran_it(name: str, delegate: str, words: str) -> None:
    assert judge_delegation(parse_benchmark(transcript(name)), parse_delegate(delegate)) == words


def test_partly_delegated_is_said_with_counts() -> None:
    found = replace(
        parse_benchmark(""),
        partitions={"GPU": 2},
        replaced=(Replaced("TfLiteGpuDelegateV2", 54, 559), Replaced("TfLiteXNNPackDelegate", 456, 506)),
    )
    words = "GPU delegate, 2 partitions, 54 of 559 nodes; XNNPACK, 456 of the other 506"
    assert judge_delegation(found, parse_delegate("gpu")) == words


@pytest.mark.parametrize(
    ("name", "delegate", "words"),
    [
        ("gpu_full_nnapi_none", "nnapi", "took none of the graph: the processor ran all of it"),
        ("tf24_cpu", "gpu", "does not say that the GPU delegate took any"),
        ("gpu_partial", "gpu", "does not say that the GPU delegate took any"),
        ("tf220_xnnpack_partial", "vendor:libQnn.so", "does not say that the vendor's delegate took any"),
    ],
)
def test_idle_delegates_are_refused(name: str, delegate: str, words: str) -> None:
    with pytest.raises(CandidateFailed, match=words) as caught:
        judge_delegation(parse_benchmark(transcript(name)), parse_delegate(delegate))
    assert caught.value.hint


def test_nodes_that_were_replaced_do_not_help_a_delegate_that_runs_nothing() -> None:
    """As on a Pixel: NNAPI reports all nodes replaced, and then that it runs none of them."""
    text = (
        "VERBOSE: Replacing 31 out of 31 node(s) with delegate (TfLiteNnapiDelegate) node, yielding 1 partitions.\n"
        "INFO: Though NNAPI delegate is explicitly applied, the model graph will not be executed by the delegate.\n"
    )
    with pytest.raises(CandidateFailed, match="took none"):
        judge_delegation(parse_benchmark(text), parse_delegate("nnapi"))


def test_reference_implementation_of_nnapi_is_no_accelerator() -> None:
    text = transcript("tf215_nnapi_full").replace("[synap-npu,nnapi-reference]", "[nnapi-reference]")
    with pytest.raises(CandidateFailed, match="only nnapi-reference, which computes on the processor"):
        judge_delegation(parse_benchmark(text), parse_delegate("nnapi"))


@pytest.mark.parametrize("text", ["", "tpu", "vendor", "vendor:", "GPU"])
def test_unknown_delegates(text: str) -> None:
    with pytest.raises(UsageError, match="is not known"):
        parse_delegate(text)
