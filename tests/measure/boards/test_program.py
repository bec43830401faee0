"""Programs that run in a child."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from edgevit.measure.boards.program import ProgramJob, run_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="programs of a board are those of Linux")


def script(path: Path, text: str) -> str:
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_what_it_prints_and_how_it_ends(tmp_path: Path) -> None:
    program = script(tmp_path / "says", "import sys\nprint(sys.argv[1])\nprint('why', file=sys.stderr)\nsys.exit(3)\n")
    done = run_program(ProgramJob((program, "a b"), 30.0))
    assert (done.returncode, done.stdout, done.stderr, done.timed_out) == (3, "a b\n", "why\n", False)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    program = script(tmp_path / "noise", "import sys\nsys.stdout.buffer.write(b'\\xff!')\n")
    assert run_program(ProgramJob((program,), 30.0)).stdout == "\ufffd!"


def test_missing_program_is_looked_up_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("/usr/src/nowhere/bin/tellmore",)
    assert run_program(ProgramJob(words, 30.0)).returncode == 127
    script(tmp_path / "tellmore", "print('here')\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_program(ProgramJob(words, 30.0)).stdout == "here\n"


def test_program_for_another_machine(tmp_path: Path) -> None:
    program = tmp_path / "other"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(60))
    program.chmod(0o755)
    done = run_program(ProgramJob((str(program),), 30.0))
    assert done.returncode == 126
    assert str(program) in done.stderr


def test_one_that_never_ends_is_ended(tmp_path: Path) -> None:
    program = script(tmp_path / "sleeps", "import os, time\nprint('begun', os.getpid(), flush=True)\ntime.sleep(600)\n")
    begin = time.monotonic()
    done = run_program(ProgramJob((program,), 2.0))
    assert done.timed_out
    assert time.monotonic() - begin < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout.split()[1]), 0)


def test_one_that_a_signal_ends(tmp_path: Path) -> None:
    program = script(tmp_path / "dies", "import os\nos.kill(os.getpid(), 11)\n")
    assert run_program(ProgramJob((program,), 30.0)).returncode == -11


def test_machine_is_looked_at_while_it_runs(tmp_path: Path) -> None:
    program = script(tmp_path / "works", "import time\ntime.sleep(1.2)\nprint('done')\n")
    done = run_program(ProgramJob((program,), 30.0, watched=True))
    assert done.stdout == "done\n"
    assert done.machine is not None
    assert done.machine.during.looks >= 3
    assert done.machine.during.busy_mhz == ()
    assert done.machine.cpu
    assert run_program(ProgramJob((program,), 30.0)).machine is None
