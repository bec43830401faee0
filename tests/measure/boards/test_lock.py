"""The lock of a board: one owner, and none is freed that lives, whatever the clock on the wall does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgevit.measure.boards import lock

DEAD = 2**22 + 1


def written_by(folder: Path, **changes: object) -> None:
    """Rewrites who holds the lock."""
    path = folder / "lock" / "owner"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}), encoding="utf-8")


def noted(folder: Path, seconds_ago: float, **changes: object) -> None:
    """Rewrites when the owner noted that it lives."""
    path = folder / "lock" / "beat"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "seconds": lock._seconds() - seconds_ago, **changes}), encoding="utf-8")


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    assert lock.take_lock(tmp_path, "one", "ann@laptop") is None
    held = lock.take_lock(tmp_path, "two", "bob@desk")
    assert held is not None
    assert (held.token, held.who, held.lease_seconds) == ("one", "ann@laptop", lock.LEASE_SECONDS)
    assert lock.holds_lock(tmp_path, "one")
    lock.free_lock(tmp_path, "two")
    assert lock.holds_lock(tmp_path, "one"), "freed by its owner alone"
    lock.free_lock(tmp_path, "one")
    assert lock.take_lock(tmp_path, "two", "bob@desk") is None


def test_a_living_owner_keeps_it_however_old_its_note_is(tmp_path: Path) -> None:
    lock.take_lock(tmp_path, "one", "ann")
    noted(tmp_path, 1e6)
    assert lock.take_lock(tmp_path, "two", "bob") is not None


def test_a_dead_owners_lock_is_freed_after_its_lease_and_not_before(tmp_path: Path) -> None:
    lock.take_lock(tmp_path, "one", "ann")
    written_by(tmp_path, pid=DEAD)
    noted(tmp_path, lock.LEASE_SECONDS - 5)
    assert lock.take_lock(tmp_path, "two", "bob") is not None
    noted(tmp_path, lock.LEASE_SECONDS + 1)
    assert lock.take_lock(tmp_path, "two", "bob") is None
    assert lock.holds_lock(tmp_path, "two")


def test_a_process_that_has_the_dead_owners_number_is_not_the_owner(tmp_path: Path) -> None:
    lock.take_lock(tmp_path, "one", "ann")
    written_by(tmp_path, started="1")
    noted(tmp_path, lock.LEASE_SECONDS + 1)
    assert lock.take_lock(tmp_path, "two", "bob") is None


@pytest.mark.parametrize("changes", [{"boot": "another"}, {"seconds": 1e12}])
def test_a_lock_from_before_the_board_was_started_again_is_freed(tmp_path: Path, changes: dict[str, object]) -> None:
    lock.take_lock(tmp_path, "one", "ann")
    noted(tmp_path, 0.0, **changes)
    assert lock.take_lock(tmp_path, "two", "bob") is None


@pytest.mark.parametrize("jump", [-3e8, 3e8])
def test_a_wall_clock_that_jumps_frees_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    lock.take_lock(tmp_path, "one", "ann")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + jump)
    assert lock.take_lock(tmp_path, "two", "bob") is not None
    lock.beat(tmp_path)
    assert lock.take_lock(tmp_path, "two", "bob") is not None


def test_what_is_written_half_is_nobodys(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock" / "owner").write_text("{", encoding="utf-8")
    assert lock.read_owner(tmp_path) is None
    assert lock.take_lock(tmp_path, "one", "ann") is None


def test_of_many_that_find_a_dead_owner_one_gets_it(tmp_path: Path) -> None:
    lock.take_lock(tmp_path, "dead", "ann")
    written_by(tmp_path, pid=DEAD)
    noted(tmp_path, lock.LEASE_SECONDS + 1)
    program = (
        "import sys, time; from pathlib import Path; from edgevit.measure.boards.lock import take_lock;"
        " print(take_lock(Path(sys.argv[1]), sys.argv[2], 'x') is None, flush=True); sys.stdin.read()"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(3)
    ]  # fmt: skip
    answers = [child.stdout.readline().strip() for child in children if child.stdout]
    for child in children:
        child.communicate()
    assert sorted(answers) == ["False", "False", "True"]
