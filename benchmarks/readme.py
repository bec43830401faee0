"""Puts real output into the README: ``make readme`` and ``make families``.

    python -m benchmarks.readme [OUTPUT]

OUTPUT holds what ``make demo`` printed on stdout; its last line names the run's report. It goes into the README, the picture
of that run to docs/demo.png. With or without it, the table of docs/families.md goes into the section on families.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


_FLOAT_COLUMNS = 8
"""Of the table of families; int8 follows."""


def families_table() -> str:
    """The float32 part of the table of docs/families.md."""
    lines = (ROOT / "docs" / "families.md").read_text(encoding="utf-8").splitlines()
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    return "\n".join(f"|{'|'.join(row[:_FLOAT_COLUMNS])}|" for row in rows)


def replaced(text: str, name: str, content: str) -> str:
    """Returns ``text`` with ``content`` between the two marks of ``name``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the README has no single pair of marks {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", text)


def main() -> None:
    """Rewrites README.md and, given the demo's output, docs/demo.png."""
    readme = ROOT / "README.md"
    text = replaced(readme.read_text(encoding="utf-8"), "families", families_table())
    if len(sys.argv) > 1:
        output = Path(sys.argv[1]).read_text(encoding="utf-8").rstrip()
        report = Path(output.rpartition("report: ")[2])
        shown = output.replace(str(report), f"runs/{report.parent.name}/report.md")
        shutil.copyfile(report.with_name("report.png"), ROOT / "docs" / "demo.png")
        text = replaced(text, "demo", f"```text\n{shown}\n```")
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
