"""Why ``trtexec`` built or ran nothing, from its transcript."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

FailureCause = Literal[
    "no_program",
    "no_gpu",
    "out_of_memory",
    "no_int8",
    "no_fp16",
    "quantization",
    "unsupported_op",
    "no_kernel",
    "parser",
    "unknown_option",
    "killed",
    "other",
]
"""There is no trtexec; no GPU that CUDA can use; too little memory; the GPU multiplies no int8, or no float16; Q/DQ that
TensorRT does not take; an op that it lacks; an op for which it has no kernel in these numbers; a node that the parser
refuses; an option that this version does not have; ended from outside; anything else."""


@dataclass(frozen=True)
class TrtexecFailure:
    """A cause, with what is wrong and what to do."""

    cause: FailureCause
    message: str
    hint: str


_NODE = re.compile(r"While parsing node number \d+ \[(?P<op>\S+) -> \"(?P<output>[^\"]*)\"\]")
_INVALID = re.compile(r"^\s*\[\d+\] Invalid Node - (?P<node>.+?)\s*$(?:\n(?P<why>(?!\[\d|&&&&).*\S))?", re.M)
_ASSERTION = re.compile(r"^\s*\[\d+\] (?:Assertion failed: )?(?P<why>.+)$", re.M)
_MISSING = re.compile(r"No importer registered for op: (?P<op>[\w.]+)")
_PLUGIN = re.compile(r"Plugin not found|getPluginCreator could not find plugin")
_KERNEL = re.compile(r"Could not find any implementation for node (?P<node>.+?)\.?\)?$", re.M)
_BYTES = re.compile(r"Requested amount of GPU memory \((\d+) bytes\)")
_MEMORY = re.compile(r"out of memory|OutOfMemory|CUDA initialization failure with error:? 2\b|std::bad_alloc", re.I)
_GPU = re.compile(
    r"no CUDA-capable device|CUDA initialization failure with error|CUDA driver version is insufficient"
    r"|Cuda failure: |Cannot find device ID|NvRmMemInit failed"
)
_INT8 = re.compile(r"without native Int8 support|require hardware with Int8 support", re.I)
_FP16 = re.compile(r"without native FP16 support", re.I)
_QUANTIZATION = (
    (re.compile(r"Non-zero zero point is not supported|only supports symmetric quantization", re.I),
     "its zero points are not 0, and TensorRT takes symmetric quantization alone"),
    (re.compile(r"only activation types allowed as input to this layer|DequantizeLayer can only run in"
                r"|input has type Int32 but must have type"),
     "it dequantizes int32 values, such as quantized biases, and TensorRT dequantizes 8 bits or fewer"),
)  # fmt: skip
_OPTION = re.compile(r"(?:Unknown option|Unrecognized option|Unknown argument):?\s*(?P<option>\S+)", re.I)
_ERROR = re.compile(r"\[E\]\s*(?:\[TRT\]\s*)?(?P<text>.*\S)")
_EMPTY = ("Failed to parse onnx file", "Parsing model failed", "Engine set up failed", "Building engine failed",
          "Engine could not be created", "Failed to create engine from model", "Engine creation failed")  # fmt: skip
_REQUANTIZE = (
    "make the file with edgevit for this device: --profile jetson-orin, or `edgevit quantize --device jetson-orin-nano`"
)


def explain_failure(returncode: int, text: str) -> TrtexecFailure:
    """Returns the cause that a transcript tells, the most specific one first.

    Args:
        returncode: Of the program; negative or above 128 for one that a signal ended.
        text: What it printed, standard output and error.
    """
    if returncode in (126, 127) and "&&&&" not in text:
        return TrtexecFailure(
            "no_program",
            "there is no trtexec that runs on the board",
            "it comes with JetPack in /usr/src/tensorrt/bin (package libnvinfer-bin); elsewhere it has to be on PATH",
        )
    return (
        _of_memory(returncode, text)
        or _of_gpu(text)
        or _of_graph(text)
        or _of_option(text)
        or _killed(returncode)
        or TrtexecFailure(
            "other", f"trtexec failed: {_first_error(text)}", "run trtexec on the board by hand to see all it says"
        )
    )


def unsupported_precision(text: str, precision: str) -> TrtexecFailure | None:
    """Returns that the GPU lacks the numbers that were asked for, which trtexec itself only warns of."""
    if precision == "int8" and _INT8.search(text):
        return TrtexecFailure("no_int8", "the GPU of the board multiplies no int8", "measure the float file")
    if precision != "fp32" and _FP16.search(text):
        return TrtexecFailure("no_fp16", "the GPU of the board multiplies no float16", "measure with --precision f32")
    return None


def _of_memory(returncode: int, text: str) -> TrtexecFailure | None:
    asked = _BYTES.findall(text)
    if not asked and not _MEMORY.search(text) and returncode not in (137, -9):
        return None
    size = f": {max(map(int, asked)) / 1e6:.0f} MB were asked for at once" if asked else ""
    return TrtexecFailure(
        "out_of_memory",
        f"the board ran out of memory while TensorRT worked{size}",
        "end other programs on it, add swap, or take a smaller model or image",
    )


def _of_gpu(text: str) -> TrtexecFailure | None:
    found = _GPU.search(text)
    if not found:
        return None
    line = next(line for line in text.splitlines() if found[0] in line)
    return TrtexecFailure(
        "no_gpu",
        f"CUDA cannot use the GPU of the board: {_shortened(line)}",
        "is it a Jetson, and does the container, if you are in one, have its GPU (--runtime nvidia)?",
    )


def _of_graph(text: str) -> TrtexecFailure | None:
    nodes = list(_NODE.finditer(text))
    node, invalid = nodes[-1] if nodes else None, _INVALID.search(text)
    where = invalid["node"] if invalid else node["output"] if node else ""
    return (
        (unsupported_precision(text, "int8") if "require hardware" in text else None)
        or _of_quantization(text, where)
        or _of_op(text, node["op"] if node else "", where)
        or _of_kernel(text)
        or _of_parser(text, f"{node['op']} {where}" if node else where, invalid["why"] if invalid else None)
    )


def _of_quantization(text: str, where: str) -> TrtexecFailure | None:
    reason = next((reason for pattern, reason in _QUANTIZATION if pattern.search(text)), None)
    if reason is None:
        return None
    return TrtexecFailure("quantization", f"TensorRT refuses the file{_at(where)}: {reason}", _REQUANTIZE)


def _of_op(text: str, op: str, where: str) -> TrtexecFailure | None:
    if not _PLUGIN.search(text):
        return None
    missing = op or next(reversed(_MISSING.findall(text)), "an op")
    return TrtexecFailure(
        "unsupported_op",
        f"this TensorRT lacks the op {missing}{_at(where)}",
        "`edgevit profile` says what falls off the unit; export without it, or take a newer JetPack",
    )


def _of_kernel(text: str) -> TrtexecFailure | None:
    found = _KERNEL.search(text)
    if not found:
        return None
    return TrtexecFailure(
        "no_kernel",
        f"TensorRT has no kernel for {_shortened(found['node'])} in these numbers",
        "measure with another --precision",
    )


def _of_parser(text: str, node: str, why: str | None) -> TrtexecFailure | None:
    if not node:
        return None
    assertion = _ASSERTION.search(text)
    reason = why or (assertion["why"] if assertion and "Invalid Node" not in assertion["why"] else _first_error(text))
    return TrtexecFailure(
        "parser",
        f"TensorRT's parser refuses {_shortened(node)}: {_shortened(reason)}",
        "export without this op, or simplify it",
    )


def _of_option(text: str) -> TrtexecFailure | None:
    found = _OPTION.search(text)
    if not found:
        return None
    return TrtexecFailure(
        "unknown_option",
        f"this trtexec does not know {found['option']}",
        "TensorRT 8.2 to 10 have it; is --trtexec one of these?",
    )


def _killed(returncode: int) -> TrtexecFailure | None:
    signal = -returncode if returncode < 0 else returncode - 128
    if returncode >= 0 and returncode <= 128:
        return None
    return TrtexecFailure("killed", f"signal {signal} ended trtexec on the board", "try again; look at `dmesg` there")


def _at(where: str) -> str:
    return f" at {_shortened(where)}" if where else ""


def _first_error(text: str) -> str:
    """The first line marked as an error that says more than that something failed."""
    found = [each["text"] for each in _ERROR.finditer(text)]
    telling = [each for each in found if not each.startswith(_EMPTY) and "node ---" not in each]
    lines = telling or found or [line for line in text.splitlines() if line.strip()] or ["it said nothing"]
    return _shortened(lines[0])


def _shortened(text: str, most: int = 240) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"
