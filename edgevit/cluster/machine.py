"""What a machine of a cluster tells of itself, and whether it may carry out the tasks of a run."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgevit.results.measurement import Host
from edgevit.run.files import file_sha256
from edgevit.run.packages import tool_versions
from edgevit.version import __version__

_CLASSES = ("amx_int8", "avx512_vnni", "avx_vnni", "avx512f", "avx2", "i8mm", "asimddp", "asimd", "neon")
"""Instruction sets for which runtimes have int8 kernels of their own, the one that they prefer first: two machines with the
same first one give the same logits."""
_COMPUTING = (
    "numpy", "pillow", "scipy", "torch", "torchvision", "timm", "safetensors", "transformers", "onnxruntime", "onnx",
    "onnxscript", "openvino", "nncf", "ai-edge-litert", "tflite-runtime", "litert-torch", "ai-edge-quantizer", "torchao",
)  # fmt: skip
"""Distributions that answers of tasks depend on."""
MISSING = "missing"


@dataclass(frozen=True)
class Holding:
    """A task that a machine carries out now."""

    target: str
    """Its function, as "module:name"."""
    owner: str
    """Whose run it is for: "ann@laptop: runs/vit"."""
    since: float
    """Seconds since 1970."""
    board: str
    """Address of the board that it uses; "" for none."""


@dataclass(frozen=True)
class Machine:
    """A machine that carries out tasks."""

    name: str
    """Unique in the cluster."""
    host: Host
    slots: int
    """Tasks side by side."""
    versions: dict[str, str]
    """See :func:`computing_versions`."""
    boards: tuple[str, ...]
    """Addresses of the boards that belong to it."""
    holds: tuple[Holding, ...] = ()

    @property
    def isa(self) -> str:
        """See :func:`isa_class`."""
        return isa_class(self.host)


def isa_class(host: Host) -> str:
    """Returns a name for the int8 kernels that runtimes choose on a machine, such as "avx512_vnni"."""
    return next((name for name in _CLASSES if name in host.isa), host.os.rpartition(" ")[2] or "unknown")


def computing_versions() -> dict[str, str]:
    """Returns the versions of what answers of tasks depend on, edgevit and Python among them, with local tags ("+cpu")."""
    installed = tool_versions()
    return {
        "edgevit": f"{__version__}+{source_digest()}" if "dev" in __version__ else __version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
        **{name: installed[name] for name in _COMPUTING if name in installed},
    }


@functools.cache
def source_digest() -> str:
    """Returns a short name for the code of edgevit as it is now: between two releases a version says little."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    names = "\n".join(path.relative_to(package).as_posix() for path in files)
    return hashlib.sha256(f"{names}\n{file_sha256(*files)}".encode()).hexdigest()[:8]


def version_differences(here: Mapping[str, str], there: Mapping[str, str]) -> tuple[str, ...]:
    """Returns what differs, one sentence each: "torch is 2.13.0+cpu here and 2.14.0 there"."""
    return tuple(
        f"{name} is {here.get(name, MISSING)} here and {there.get(name, MISSING)} there"
        for name in dict.fromkeys((*here, *there))
        if here.get(name) != there.get(name)
    )


def versions_in(description: str) -> Mapping[str, str] | None:
    """Returns the versions in the description of a machine, which another version of edgevit may have written.

    Args:
        description: As JSON.

    Returns:
        None where it has none.
    """
    try:
        document: Any = json.loads(description)
        versions = document["versions"]
    except (ValueError, KeyError, TypeError):
        return None
    return {str(name): str(version) for name, version in versions.items()} if isinstance(versions, dict) else None
