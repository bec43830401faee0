"""Where the stages of a run are carried out: its folder, its limits, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_type_hints

from edgevit.run.child_process import isolated
from edgevit.run.folder import RunFolder
from edgevit.run.progress import Progress
from edgevit.spec.spec import Spec

Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Workshop:
    """What every stage of a run needs."""

    spec: Spec
    folder: RunFolder
    progress: Progress

    def here(
        self, stage: str, make: Callable[[], Answer], kind: type[Answer], files: Callable[[Answer], Iterable[Path]]
    ) -> Answer:
        """Carries out a stage in this process, unless it is finished; see :meth:`RunFolder.stage`."""
        return self._told(stage, lambda: self.folder.stage(stage, kind, make, files))

    def in_child(
        self,
        stage: str,
        log: str,
        function: Callable[[Argument], Answer],
        argument: Argument,
        files: Callable[[Answer], Iterable[Path]] = lambda answer: (),
    ) -> Answer:
        """Carries out a stage in a process of its own, unless it is finished.

        Args:
            stage: Unique in the run.
            log: Name of the log that gets what the process prints.
            function: See :func:`edgevit.run.child_process.isolated`.
            argument: See :func:`edgevit.run.child_process.isolated`.
            files: See :meth:`RunFolder.stage`.
        """

        def make() -> Answer:
            return isolated(
                function,
                argument,
                timeout_seconds=self.spec.measure.timeout_seconds,
                log=self.folder.log(log),
                on_progress=lambda done, total: self.progress.stage(stage, done, total),
            )

        kind: type[Answer] = get_type_hints(function)["return"]
        return self._told(stage, lambda: self.folder.stage(stage, kind, make, files))

    def _told(self, stage: str, carry_out: Callable[[], Answer]) -> Answer:
        self.progress.stage(stage, 0, 1)
        answer = carry_out()
        self.progress.stage(stage, 1, 1)
        return answer
