"""What a delegate took of a graph on a phone, judged: one that took nothing is no accelerated measurement."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import CandidateFailed, UsageError
from edgevit.measure.boards.benchmark_output import BenchmarkOutput, Replaced

_REFERENCE = "nnapi-reference"
"""NNAPI's implementation on the processor, slower than LiteRT's own."""
_VENDOR = "vendor:"


@dataclass(frozen=True)
class Delegate:
    """What --delegate asks for."""

    choice: str
    """As it was given."""
    provider: str
    """As ``benchmark_model`` calls it."""
    title: str
    """For people."""
    names: tuple[str, ...]
    """How the delegate calls itself; () for a vendor's, which has a name of its own."""
    flags: tuple[str, ...]
    library: str = ""
    """Path of the vendor's library, on the phone or here."""
    options: str = ""
    """For the vendor's delegate, such as "backend_type:htp;log_level:1"."""

    @property
    def accelerates(self) -> bool:
        """Whether it is for another processor than the CPU."""
        return self.provider != "XNNPACK"


_DELEGATES = {
    "cpu": Delegate("cpu", "XNNPACK", "XNNPACK", ("TfLiteXNNPackDelegate",), ("--use_xnnpack=true",)),
    "gpu": Delegate("gpu", "GPU", "GPU delegate", ("TfLiteGpuDelegateV2", "TfLiteGpuDelegate"), ("--use_gpu=true",)),
    "nnapi": Delegate(
        "nnapi", "NNAPI", "NNAPI delegate", ("TfLiteNnapiDelegate",), ("--use_nnapi=true", "--disable_nnapi_cpu=true")
    ),
}


def parse_delegate(text: str) -> Delegate:
    """Reads --delegate.

    Args:
        text: "cpu", "gpu", "nnapi" or "vendor:LIBRARY", where LIBRARY is the path of a delegate's shared library, of this machine or
            of the phone; after a question mark it may have options, such as "vendor:libQnn.so?backend_type:htp;log_level:1".

    Raises:
        UsageError: it is none of these.
    """
    if text.startswith(_VENDOR) and text != _VENDOR:
        library, _, wanted = text.removeprefix(_VENDOR).partition("?")
        return Delegate(text, "EXTERNAL", "vendor's delegate", (), (), library, wanted)
    if text not in _DELEGATES:
        raise UsageError(
            f"--delegate {text!r} is not known", "cpu, gpu, nnapi, or vendor:LIBRARY such as vendor:libQnn.so"
        )
    return _DELEGATES[text]


def judge_delegation(found: BenchmarkOutput, delegate: Delegate) -> str:
    """Returns what ran the graph, such as "GPU delegate, 3 partitions, 54 of 559 nodes; XNNPACK, 456 of the other 506".

    Args:
        found: What ``benchmark_model`` printed.
        delegate: That was asked for.

    Raises:
        CandidateFailed: an accelerator was asked for and took nothing, does not say that it took something, or is NNAPI's
            reference implementation on the processor.
    """
    partitions = found.partitions.get(delegate.provider)
    if delegate.accelerates:
        _refuse_idle(found, delegate, partitions)
    own = next((each for each in found.replaced if _is(each, delegate)), None)
    if not partitions and not own:
        return "reference kernels"
    parts = [delegate.title]
    if partitions:
        parts.append(f"{partitions} partition{'' if partitions == 1 else 's'}")
    if own:
        parts.append(f"{own.nodes} of {own.total} nodes")
    text = ", ".join(parts)
    rest = next(
        (each for each in found.replaced if each is not own and each.delegate.startswith("TfLiteXNNPack")), None
    )
    return f"{text}; XNNPACK, {rest.nodes} of the other {rest.total}" if rest and own else text


def _is(replaced: Replaced, delegate: Delegate) -> bool:
    if delegate.names:
        return replaced.delegate in delegate.names
    return not any(replaced.delegate in each.names for each in _DELEGATES.values())


def _refuse_idle(found: BenchmarkOutput, delegate: Delegate, partitions: int | None) -> None:
    ran_on = "the processor ran all of it, so that this is no time of an accelerator"
    if partitions == 0:
        raise CandidateFailed(
            f"the {delegate.title} took none of the graph: {ran_on}",
            "measure with --delegate cpu, or give a file that the delegate takes; `edgevit profile` says which ops fall off",
        )
    if partitions is None:
        raise CandidateFailed(
            f"benchmark_model does not say that the {delegate.title} took any of the graph",
            "was this benchmark_model built with it? LiteRT's nightly builds have GPU and NNAPI",
        )
    if delegate.provider == "NNAPI" and found.accelerators and set(found.accelerators) <= {_REFERENCE}:
        raise CandidateFailed(
            f"NNAPI of this phone has only {_REFERENCE}, which computes on the processor",
            "measure with --delegate gpu, or with the vendor's own delegate: --delegate vendor:LIBRARY",
        )
