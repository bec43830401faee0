"""A full or closed standard stream is one line and an exit code, never a traceback; stdout is for results."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.cli.streams import stdout_for_results

FULL = Path("/dev/full")


def shell(text: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of sh in which $E is edgevit."""
    environment = {**os.environ, "E": f"{sys.executable} -m edgevit"}
    return subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("command", ["--version", "--help", "schema run", "schemes --json", "profiles"])
def test_a_full_disk_behind_stdout(command: str) -> None:
    done = shell(f"$E {command} >/dev/full")
    assert done.returncode == 2
    first, hint = done.stderr.splitlines()
    assert first == "error: cannot write to standard output: No space left on device"
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("command", ["--version", "schemes"])
def test_a_closed_stdout(command: str) -> None:
    done = shell(f"$E {command} >&-")
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard output is closed\nhint: ")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_or_closed_stderr_changes_no_exit_code() -> None:
    for end in ("2>/dev/full", "2>&-", "2>&- <&-"):
        assert shell(f"$E inspect nowhere.onnx {end}").returncode == 2
        done = shell(f"$E --version {end}")
        assert (done.returncode, done.stdout[:8]) == (0, "edgevit ")


def test_what_libraries_print_meanwhile_goes_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_for_results():
        print("python")
        os.write(1, b"native\n")
        subprocess.run([sys.executable, "-c", "print('grandchild')"], check=True)
    print("result", flush=True)
    said = capfd.readouterr()
    assert said.out == "result\n"
    for word in ("python", "native", "grandchild"):
        assert word in said.err
