"""Files that ``edgevit gate`` writes for CI systems, and what it tells GitHub Actions where it runs there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.gate.verdict import GateResult


@dataclass(frozen=True)
class GateOutputs:
    """Files to write; None for one that is not asked for."""

    junit: Path | None = None
    sarif: Path | None = None
    gitlab: Path | None = None
    markdown: Path | None = None

    def check(self) -> None:
        """Refuses one file for two outputs, and a folder.

        Raises:
            UsageError: two have the same name, or one is a folder.
        """
        given = [path for path in (self.junit, self.sarif, self.gitlab, self.markdown) if path]
        twice = next((path for path in given if given.count(path) > 1), None)
        if twice:
            raise UsageError(f"{twice} is given for two outputs", "give each a file of its own")
        folder = next((path for path in given if path.is_dir()), None)
        if folder:
            raise UsageError(f"cannot write {folder}: it is a folder", "give the name of a file")


def write_outputs(result: GateResult, outputs: GateOutputs, *, inconclusive_fails: bool) -> None:
    """Writes the files that are asked for.

    Args:
        result: What the gate found.
        outputs: Where to write.
        inconclusive_fails: Whether what could not be decided is shown as a failure.

    Raises:
        DiskFull: there is no space left.
    """
    from edgevit.run.files import write_atomically

    text = _budget_text(result)
    if outputs.junit:
        from edgevit.report.ci.junit import junit_xml

        write_atomically(outputs.junit, junit_xml(result, inconclusive_fails=inconclusive_fails))
    if outputs.sarif:
        from edgevit.report.ci.sarif import sarif_log
        from edgevit.version import __version__

        write_atomically(outputs.sarif, _json(sarif_log(result, text, __version__)))
    if outputs.gitlab:
        from edgevit.report.ci.gitlab import code_quality

        write_atomically(outputs.gitlab, _json(code_quality(result, text)))
    if outputs.markdown:
        from edgevit.report.ci.summary import gate_markdown

        write_atomically(outputs.markdown, gate_markdown(result).encode())


def tell_github(result: GateResult) -> tuple[str, ...]:
    """Appends to the summary of the job where GitHub Actions asks for one, and returns the annotations to print there.

    Annotations show lines of a budget file, so there are none without one.

    Args:
        result: What the gate found.

    Raises:
        UsageError: the file of the summary is a link.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        from edgevit.report.ci.summary import gate_markdown
        from edgevit.run.files import open_to_append

        with open_to_append(Path(summary)) as stream:
            stream.write(gate_markdown(result).encode())
    if os.environ.get("GITHUB_ACTIONS") != "true" or not result.budget:
        return ()
    from edgevit.report.ci.annotations import workflow_commands

    return tuple(workflow_commands(result, _budget_text(result)))


def _budget_text(result: GateResult) -> str:
    """Of the budget file; "" of what was measured without one."""
    if not result.budget:
        return ""
    return Path(result.budget).read_text(encoding="utf-8-sig", errors="replace")


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, allow_nan=False).encode() + b"\n"
