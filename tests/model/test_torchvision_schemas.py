"""Importing timm works with a torchvision whose compiled operators load, one whose do not, and none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model import torchvision_schemas  # noqa: E402
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402


def fresh(program: str) -> str:
    """Runs a program in a fresh interpreter and returns what it printed."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


with_torchvision = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None, reason="without torchvision nothing is declared"
)


@with_torchvision
def test_timm_can_be_imported_afterwards() -> None:
    program = (
        "import torch; from edgevit.model.torchvision_schemas import ensure_torchvision_schemas\n"
        "first = ensure_torchvision_schemas(); again = ensure_torchvision_schemas()\n"
        "import timm; print(first is again, hasattr(torch.ops.torchvision, 'nms'))"
    )
    assert fresh(program) == "True True"


@with_torchvision
def test_missing_operators_are_declared_and_cannot_be_called() -> None:
    program = (
        "import torch; from edgevit.model import torchvision_schemas as module\n"
        "module._load_compiled_operators = lambda: None\n"
        "library = module.ensure_torchvision_schemas(); assert library is not None\n"
        "print(torch.ops.torchvision.nms.default._schema)\n"
        "try: torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)\n"
        "except NotImplementedError as error: print('not implemented')"
    )
    schema, called = fresh(program).splitlines()
    assert schema == "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    assert called == "not implemented"


def test_without_torchvision_nothing_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert ensure_torchvision_schemas.__wrapped__() is None  # the cache holds what this process declared


def test_a_compiled_file_that_does_not_load_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "_C.so").write_bytes(b"no library")
    spec = ModuleSpec("torchvision", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    torchvision_schemas._load_compiled_operators()
