"""Puts real output into the documentation: ``make demo-page``.

    python -m benchmarks.demo_page OUTPUT

OUTPUT holds what ``make demo`` printed on stdout; its last line names the run's report. It goes into docs/demo.md, the picture
of that run to docs/demo.png.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def replaced(text: str, name: str, content: str) -> str:
    """Returns ``text`` with ``content`` between the two marks of ``name``."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"there is no single pair of marks {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", text)


def main() -> None:
    """Rewrites docs/demo.md and docs/demo.png."""
    output = Path(sys.argv[1]).read_text(encoding="utf-8").rstrip()
    report = Path(output.rpartition("report: ")[2].partition(" (run folder")[0])
    shown = output.replace(str(report), f"runs/{report.parent.name}/report.md")
    shutil.copyfile(report.with_name("report.png"), DOCS / "demo.png")
    page = DOCS / "demo.md"
    page.write_text(replaced(page.read_text(encoding="utf-8"), "demo", f"```text\n{shown}\n```"), encoding="utf-8")


if __name__ == "__main__":
    main()
