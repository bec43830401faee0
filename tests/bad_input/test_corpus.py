"""Every case of the corpus ends as it has to: with its exit code and words, in time, and with nothing left behind."""

from __future__ import annotations

import fnmatch
import hashlib
import stat
from collections import Counter
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from edgevit.cli.app import COMMANDS
from tests.bad_input import (
    cases_command_line,
    cases_data,
    cases_files,
    cases_metrics,
    cases_models,
    cases_outputs,
    cases_parity,
    cases_safety,
    cases_shift,
    cases_specs,
)
from tests.bad_input.case import Case
from tests.bad_input.forks import Forks

CORPUS: tuple[Case, ...] = (
    *cases_command_line.CASES,
    *cases_specs.CASES,
    *cases_data.CASES,
    *cases_files.CASES,
    *cases_models.CASES,
    *cases_outputs.CASES,
    *cases_parity.CASES,
    *cases_safety.CASES,
    *cases_metrics.CASES,
    *cases_shift.CASES,
)
MOST_LINES = 12
"""Of a message: more are not read."""


def contents(folder: Path) -> dict[str, str]:
    """Returns what is below a folder: by path, what it is and its digest."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(mode) else ""
        found[str(path.relative_to(folder))] = f"{stat.S_IFMT(mode):o} {digest}"
    return found


def params() -> list[ParameterSet]:
    """Every case; of the quick ones, the fast tests run every third, which takes about a minute, and all tests each."""
    seen: Counter[str] = Counter()
    made = []
    for number, case in enumerate(CORPUS):
        seen[case.command] += 1
        marks = [pytest.mark.slow] if case.slow or number % 3 else []
        made.append(pytest.param(case, id=f"{case.command[:100]} #{seen[case.command]}", marks=marks))
    return made


@pytest.mark.parametrize("case", params())
def test_a_case(case: Case, forks: Forks, tmp_path: Path) -> None:
    here, temporary, state = tmp_path / "here", tmp_path / "temporary", tmp_path / "state"
    for each in (here, temporary, state):
        each.mkdir()
    case.write_files(here)
    before = contents(here)
    ended = forks.run(
        case.arguments, here, {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(state), **case.environment}
    )
    said = ended.out + ended.err
    assert ended.in_time, said
    assert ended.code == case.exit, said
    assert [word for word in case.words if word.casefold() not in said.casefold()] == [], said
    if case.exit == 2:
        assert ended.out == ""
        complaint = ended.err[ended.err.index("error: ") :].splitlines()
        assert [line for line in complaint if line.startswith("hint: ")] != [], said
        assert len(complaint) <= MOST_LINES, said
    assert "Traceback" not in said
    after = contents(here)
    assert {path: after.get(path) for path in before} == before
    makes = (
        *case.makes,
        *("__pycache__*" for file in case.files if file.endswith(".py")),
    )  # Python's own, of user code
    assert [path for path in sorted(after.keys() - before) if not any(fnmatch.fnmatch(path, p) for p in makes)] == []
    assert [path for path in contents(temporary) if str(temporary / path) not in said] == []  # a log that it names
    assert contents(state) == {}
    assert ended.left == ()


def test_the_corpus_covers_every_command() -> None:
    assert {case.arguments[0] for case in CORPUS if case.arguments} >= {name for name, _ in COMMANDS}


def test_the_corpus_has_at_least_300_cases() -> None:
    assert len(CORPUS) >= 300
