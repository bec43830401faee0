"""Weights that are written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from edgevit.model.save import save_weights  # noqa: E402


def test_shared_weights_are_written_once(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    module[1].weight = module[0].weight
    save_weights(module, tmp_path / "w.safetensors")
    assert len(load_file(tmp_path / "w.safetensors")) == 3


def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path) -> None:
    """The writer of safetensors raises an error of its own for it, which would pass for a bug."""
    program = (
        "import errno, resource; from pathlib import Path; from torch import nn\n"
        "from edgevit.model.save import save_weights\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: save_weights(nn.Linear(192, 500), Path('f'))\n"
        "except OSError as error: print(error.errno == errno.EFBIG)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout.strip() == "True"
