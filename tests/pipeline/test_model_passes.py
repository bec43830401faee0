"""What the training pass writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """The writer of safetensors raises an error of its own for it, which would pass for a bug."""
    program = (
        "import errno, resource; from pathlib import Path; from torch import nn\n"
        "from edgevit.pipeline.model_passes import _save\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: _save(nn.Linear(192, 500), Path('f'))\n"
        "except OSError as error: print(error.errno == errno.EFBIG)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.strip() == "True"
