"""Nothing that a runtime does for edgevit is reported to anybody, and nothing is left in the user's home."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.backends import backend_names

PROBES = Path(__file__).parents[2] / "edgevit" / "commands" / "probes"
OPEN = """
import sys
from pathlib import Path
from edgevit.backends import get_backend
backend = get_backend(sys.argv[1])
backend.open_session(Path(sys.argv[2]) / f"probe{backend.suffix}", 1, "f32")
backend.read_graph(Path(sys.argv[2]) / f"probe{backend.suffix}")
"""


def run(code: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    silencing = ("ORT_DISABLE_TELEMETRY", "CI")  # the runtimes keep quiet in continuous integration of their own accord
    environment = {name: value for name, value in os.environ.items() if name not in silencing}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env={**environment, "HOME": str(home)}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", backend_names())
def test_a_session_leaves_nothing_in_the_home_folder(name: str, tmp_path: Path) -> None:
    done = run(OPEN, tmp_path, name, str(PROBES))
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_runtime_of_its_own_accord_would_leave_traces(tmp_path: Path) -> None:
    """The test above can fail: without edgevit, at least one runtime writes an id into the home folder."""
    done = run("import onnxruntime, openvino", tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) != []


def test_quantizers_find_no_telemetry_package(tmp_path: Path) -> None:
    code = "import edgevit.backends, nncf, sys; from nncf.telemetry.wrapper import telemetry; print(type(telemetry).__name__)"
    done = run(code, tmp_path)
    assert done.stdout.split() == ["MagicMock"], done.stderr
    assert not (tmp_path / "intel").exists()
