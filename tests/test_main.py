"""``python -m edgevit`` is the same as the ``edgevit`` command."""

from __future__ import annotations

import subprocess
import sys

from edgevit.version import __version__


def edgevit(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edgevit", *arguments], capture_output=True, text=True, check=False)


def test_it_runs_the_command_line_and_exits_with_its_code() -> None:
    version, nonsense = edgevit("--version"), edgevit("nonsense")
    assert (version.returncode, version.stderr) == (0, "")
    assert __version__ in version.stdout
    assert (nonsense.returncode, nonsense.stdout) == (2, "")
    assert "nonsense" in nonsense.stderr
