"""What is installed: distributions with their pip extras, read without importing them, and what an import that failed lacks."""

from __future__ import annotations

import importlib.util
import traceback
from importlib import metadata

from edgevit.errors import UsageError, first_line

BASE = ("numpy", "pydantic", "typer", "rich", "pillow")
"""Distributions of the base install."""

EXTRAS: dict[str, str] = {
    "onnxruntime": "onnx",
    "onnx": "onnx",
    "openvino": "openvino",
    "ai-edge-litert": "tflite",
    "tflite-runtime": "tflite",
    "matplotlib": "report",
    "bokeh": "report",
    "jinja2": "report",
    "torch": "compress",
    "torchvision": "compress",
    "timm": "compress",
    "safetensors": "compress",
    "scipy": "compress",
    "onnxscript": "compress-onnx",
    "nncf": "compress-openvino",
    "litert-torch": "compress-tflite",
    "ai-edge-quantizer": "compress-tflite",
    "torchao": "compress-tflite",
    "transformers": "transformers",
    "huggingface-hub": "card",
    "distributed": "cluster",
}
"""Optional distributions, and the pip extra that installs each."""


def version_of(distribution: str) -> str | None:
    """Returns the installed version of a distribution, or None, without importing it."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def found_as(distribution: str) -> str:
    """Returns the distribution that brings the module of another one, such as ``onnxruntime-gpu`` that of ``onnxruntime``.

    Args:
        distribution: A name of ``EXTRAS``; itself where it is installed, or nothing brings its module.
    """
    if version_of(distribution) is not None or not is_installed(distribution):
        return distribution
    return next(iter(metadata.packages_distributions().get(_module_of(distribution), ())), distribution)


def is_installed(distribution: str) -> bool:
    """Returns whether the module of an optional distribution is found, without importing it.

    What people install in its place (``onnxruntime-gpu``) has a module of the same name.

    Args:
        distribution: A name of ``EXTRAS``; its module has that name, with underscores.
    """
    return importlib.util.find_spec(_module_of(distribution)) is not None


def _module_of(distribution: str) -> str:
    return distribution.replace("-", "_")


def tool_versions() -> dict[str, str]:
    """Returns the version of every base and optional distribution that is installed, by the name that it has here."""
    found = {name: version_of(name) for name in (*BASE, *map(found_as, EXTRAS))}
    return {name: version for name, version in found.items() if version is not None}


def extra_of_module(module: str) -> str | None:
    """Returns the pip extra that brings an importable module ("ai_edge_litert"), or None."""
    return EXTRAS.get(module.replace("_", "-"))


def import_failure(error: ImportError) -> UsageError | None:
    """Returns the error for an optional package that is missing or broken, with its extra; None for anything else.

    Args:
        error: That an import raised, of an optional package or of something that one imports.
    """
    missing = (error.name or "").partition(".")[0]
    extra = extra_of_module(missing)
    importer = _importer(error)
    if isinstance(error, ModuleNotFoundError) and extra:
        return UsageError(f"{missing} is not installed", f"pip install 'edgevit[{extra}]'")
    if extra_of_module(importer) is None:
        return None
    what = (
        f"it needs {missing}, which is not installed" if isinstance(error, ModuleNotFoundError) else first_line(error)
    )
    return UsageError(
        f"{importer} cannot be imported: {what}",
        f"install it again: pip install --force-reinstall 'edgevit[{extra_of_module(importer)}]'",
    )


def _importer(error: ImportError) -> str:
    """The top-level package whose code the failed import stands in."""
    modules = [str(frame.f_globals.get("__name__", "")) for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [module for module in modules if not module.startswith(("importlib", "_frozen_importlib"))]
    return own[-1].partition(".")[0] if own else ""
