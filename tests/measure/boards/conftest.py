"""A fake phone for every test of boards that wants one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.measure.boards.phones import FakePhone, make_phone


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePhone:
    return make_phone(tmp_path, monkeypatch)
