"""Which execution provider of ONNX Runtime runs a file: the CPU's, or one that the user asked for, such as on a Jetson.

``EDGEVIT_ONNXRUNTIME_PROVIDER`` names it for every command, and so for the processes that they start; what it cannot run falls back to the
CPU, and is counted.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from edgevit.errors import UsageError, unknown_name

VARIABLE: Final = "EDGEVIT_ONNXRUNTIME_PROVIDER"
CPU: Final = "CPUExecutionProvider"
_PROVIDERS: Final = {
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU),
}
"""Each with those that take what it leaves."""
_OPTIONS: Final = {"CUDAExecutionProvider": {"use_tf32": "0"}}
"""float32 is float32: TF32 has ten bits of mantissa."""


def asked_provider() -> str:
    """Returns the provider that the user asked for: "cpu", "cuda" or "tensorrt".

    Raises:
        UsageError: the variable names another.
    """
    name = os.environ.get(VARIABLE, "") or "cpu"
    if name not in _PROVIDERS:
        raise unknown_name(VARIABLE, name, _PROVIDERS)
    return name


def providers_of(name: str, available: list[str]) -> list[str | tuple[str, dict[str, str]]]:
    """Returns what a session is asked to use, the first choice first.

    Args:
        name: See :func:`asked_provider`.
        available: What the installed ONNX Runtime has.

    Raises:
        UsageError: the provider is not among them.
    """
    first, *others = _PROVIDERS[name]
    if first not in available:
        raise UsageError(
            f"{VARIABLE} is {name}, and the installed ONNX Runtime has no {first}: it has {', '.join(available)}",
            f"install its build for NVIDIA GPUs (on a Jetson, NVIDIA's own wheel), or unset {VARIABLE}",
        )
    chosen = (first, *(other for other in others if other in available))
    return [(each, _OPTIONS[each]) if each in _OPTIONS else each for each in chosen]


def check_loaded(name: str, loaded: list[str]) -> None:
    """Refuses a session that went on without the provider: ONNX Runtime does so where a library of it is missing.

    Args:
        name: See :func:`asked_provider`.
        loaded: Providers of the session.

    Raises:
        UsageError: the provider is not among them.
    """
    first = _PROVIDERS[name][0]
    if first not in loaded:
        raise UsageError(
            f"{VARIABLE} is {name}, and {first} could not be loaded: ONNX Runtime would use {', '.join(loaded)}",
            "are CUDA, cuDNN and TensorRT of the versions that its build needs installed?",
        )


@contextmanager
def profile_of(options: Any) -> Iterator[Callable[[str], dict[str, int]]]:
    """Has a session write which provider runs each node; gives a function that counts them.

    Args:
        options: Of the session, which is made in the block and run once there.

    Yields:
        A function from the file that ``end_profiling`` names to the number of nodes by provider.
    """
    with tempfile.TemporaryDirectory(prefix="edgevit-") as folder:
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "nodes"))
        yield lambda written: count_nodes(json.loads(Path(written).read_bytes()))


def count_nodes(events: list[dict[str, Any]]) -> dict[str, int]:
    """Returns how many nodes each provider ran.

    Args:
        events: Of a profile of one run.
    """
    nodes = {
        (event["name"], event["args"]["provider"])
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time") and event["args"].get("provider")
    }
    return dict(Counter(provider for _, provider in nodes))


def described(name: str, nodes: dict[str, int]) -> str:
    """Returns the provider with what fell back from it, for people and for ``conditions.delegate``.

    Args:
        name: See :func:`asked_provider`.
        nodes: Number of nodes by provider; a part that TensorRT took is one.

    Raises:
        UsageError: the provider took no node at all.
    """
    first = _PROVIDERS[name][0]
    if first == CPU:
        return CPU
    total = sum(nodes.values())
    if not nodes.get(first):
        left = ", ".join(f"{count} on {each}" for each, count in nodes.items()) or "none that it reports"
        raise UsageError(
            f"{first} took no node of the model: {left}", f"unset {VARIABLE} to measure it on the processor by intent"
        )
    fallen = [f"{count} of {total} nodes on {each}" for each, count in sorted(nodes.items()) if each != first]
    return ", ".join((first, *(fallen or [f"all {total} nodes"])))
