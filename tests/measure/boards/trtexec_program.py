"""A fake trtexec: prints a recorded transcript, and writes the times of its runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

TRANSCRIPTS = Path(__file__).parent / "transcripts" / "trtexec"
RUNS = [{"h2dMs": 0.5, "computeMs": 4.0 + place / 10, "d2hMs": 0.25} for place in range(31)]
_SCRIPT = """\
import sys, pathlib
folder = pathlib.Path({folder!r})
options = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
(folder / "asked").write_text("\\n".join(sys.argv[1:]))
if not pathlib.Path(options["--onnx"]).is_file():
    sys.exit("no such file: " + options["--onnx"])
sys.stdout.write((folder / "says").read_text())
if {code} == 0:
    pathlib.Path(options["--exportTimes"]).write_text((folder / "times").read_text())
sys.exit({code})
"""


def make_trtexec(folder: Path, transcript: str = "trt109_pass", code: int = 0) -> Path:
    """Makes the program; what it was asked stands in ``asked`` beside it."""
    (folder / "says").write_text((TRANSCRIPTS / f"{transcript}.txt").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "times").write_text(json.dumps(RUNS), encoding="utf-8")
    program = folder / "trtexec"
    script = _SCRIPT.format(folder=str(folder), code=code)
    program.write_text(f"#!{sys.executable}\n{script}", encoding="utf-8")
    program.chmod(0o755)
    return program
