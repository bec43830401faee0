"""Options of ``edgevit bench`` that do not go together are refused, each pair by its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.bench_checks import Given, check_together
from edgevit.errors import UsageError

WAYS = dict.fromkeys(("--pipeline", "--sustained", "--op-times", "--layers"), False)
HOW_LONG = dict.fromkeys(("--min-runs", "--min-seconds"), False)


def given(*ways: str, files: int = 1, how_long: str = "", **changes: Any) -> Given:
    nothing: dict[str, Any] = dict.fromkeys(
        ("threads", "batch", "serial", "fleet", "python", "wait", "runtime"), None
    ) | {"record": False, "require_stable": False, "boards": 0}
    return Given(
        artifacts=tuple(Path(f"{number}.onnx") for number in range(files)),
        ways={name: name in ways for name in WAYS},
        how_long={name: name == how_long for name in HOW_LONG},
        **nothing | changes,
    )


@pytest.mark.parametrize(
    "asked",
    [
        given(), given(files=3), given("--sustained"), given("--layers", threads=2), given(batch=8), given(how_long="--min-runs"),
        given(boards=1, record=True), given("--sustained", boards=1), given(boards=2, threads=4), given(serial="R58", threads=4),
        given(runtime="tensorrt", record=True, boards=1),
    ],
)  # fmt: skip
def test_what_goes_together(asked: Given) -> None:
    check_together(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (given("--sustained", "--layers"), ("--sustained and --layers",)),
        (given("--op-times", files=2), ("--op-times", "one file, not 2")),
        (given("--pipeline", batch=2), ("--pipeline", "single images")),
        (given("--layers", batch=2), ("--layers", "--batch")),
        (given("--sustained", how_long="--min-runs"), ("--sustained", "--min-runs")),
        (given("--layers", require_stable=True), ("--layers", "--require-stable")),
        (given(files=2, how_long="--min-seconds"), ("several files", "--min-seconds")),
        (given(record=True), ("--record", "--on")),
        (given(record=True, boards=1, batch=4), ("--record", "--batch")),
        (given(record=True, boards=1, files=2), ("--record", "several files")),
        (given(boards=2, record=True), ("several boards", "--record")),
        (given(fleet=Path("f.toml"), boards=1, runtime="tensorrt"), ("several boards", "--runtime")),
        (given("--layers", boards=1), ("--on", "--layers")),
        (given("--sustained", serial="R58"), ("adb:SERIAL", "--sustained")),
        (given(serial="R58", wait="0"), ("adb:SERIAL", "--wait")),
        (given(runtime="tensorrt", threads=2), ("--runtime", "--threads")),
        (given("--pipeline", runtime="tensorrt"), ("--runtime", "--pipeline")),
        (given(runtime="cuda"), ("'cuda'",)),
    ],
)
def test_what_does_not(asked: Given, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as error:
        check_together(asked)
    assert all(word in error.value.message for word in words), error.value.message
    assert error.value.hint
