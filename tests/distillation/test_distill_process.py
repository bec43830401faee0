"""A process that trains lets threads sleep that wait: that has to be set before PyTorch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_nothing_that_computes_in_threads_is_imported_before() -> None:
    program = (
        "import os, sys, types; import edgevit.distillation.distill_process as module; assert 'torch' not in sys.modules;"
        " training = types.ModuleType('edgevit.distillation.distill');"
        " training.distill = lambda job: (job, os.environ['OMP_WAIT_POLICY']);"
        " sys.modules[training.__name__] = training; sys.modules['edgevit.distillation'].distill = training;"
        " print(module.distill('a job'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "('a job', 'PASSIVE')"
