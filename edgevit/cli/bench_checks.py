"""Which options of ``edgevit bench`` go together, and what each is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgevit.cli import options, phone_options
from edgevit.errors import UsageError


@dataclass(frozen=True)
class Given:
    """What the command line has, as far as it does not go with everything."""

    artifacts: tuple[Path, ...]
    ways: Mapping[str, bool]
    """Whether each option that measures in a way of its own is given."""
    how_long: Mapping[str, bool]
    """Likewise, those that say how long one file is timed."""
    threads: int | None
    batch: int | None
    record: bool
    require_stable: bool
    serial: str | None
    """Of a phone."""
    boards: int
    fleet: Path | None
    python: str | None
    wait: str | None
    runtime: str | None

    @property
    def is_several_boards(self) -> bool:
        """Whether what was found on several boards is shown side by side."""
        return self.boards > 1 or self.fleet is not None


def check_together(given: Given) -> None:
    """Refuses options that do not go together.

    Raises:
        UsageError: names them.
    """
    phone_options.check_runtime(given.runtime)
    _check_record(given)
    _check_place(given)
    _check_one_way(given)
    if given.ways["--sustained"]:
        options.refuse_with("--sustained", given.how_long, "it says how long to run")
    for way in ("--op-times", "--layers"):
        if given.ways[way]:
            others = {**given.how_long, "--require-stable": given.require_stable}
            options.refuse_with(way, others, "it counts inferences")
    if len(given.artifacts) > 1:
        options.refuse_with("several files", given.how_long, "they are timed in rounds of bursts")


def _check_record(given: Given) -> None:
    if not given.record:
        return
    if not given.boards and given.serial is None and given.runtime is None:
        raise UsageError("--record has no effect without --on or --runtime", "a run has its own machine's measurements")
    others = {
        "--sustained": given.ways["--sustained"], "--batch": given.batch, "several files": len(given.artifacts) > 1,
    }  # fmt: skip
    options.refuse_with("--record", others, "it stores one latency")


def _check_place(given: Given) -> None:
    """Refuses what a phone, TensorRT or a board does not do."""
    if given.is_several_boards:
        single = {"--record": given.record, "--runtime": given.runtime}
        options.refuse_with("several boards", single, "those are for one at a time")
    if given.serial is not None:
        places = {"--fleet": given.fleet, "--python": given.python, "--wait": given.wait}
        phone_options.check_for_phone({**given.ways, **places, "--batch": given.batch, "--runtime": given.runtime})
    elif given.runtime is not None:
        others = {"--threads": given.threads, "--batch": given.batch, "several files": len(given.artifacts) > 1}
        options.refuse_with(
            "--runtime", {**given.ways, **others}, "trtexec times whole inferences of one file on the GPU"
        )
    elif given.boards:
        elsewhere = {name: there for name, there in given.ways.items() if name != "--sustained"}
        options.refuse_with("--on", elsewhere, "only whole inferences are timed on a board")


def _check_one_way(given: Given) -> None:
    ways = [option for option, there in given.ways.items() if there]
    if len(ways) > 1:
        raise UsageError(f"{' and '.join(ways)} do not go together", "give one of them")
    if not ways:
        return
    (option,) = ways
    if len(given.artifacts) > 1:
        raise UsageError(f"{option} takes one file, not {len(given.artifacts)}", "measure them one after another")
    if given.batch is not None:
        takes = "takes single images" if option == "--pipeline" else "does not take --batch"
        raise UsageError(f"{option} {takes}", "leave out --batch")
