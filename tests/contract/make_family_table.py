"""Converts every model family on every backend and writes the table of what came of it."""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from edgevit.artifacts.verify import FLOAT_TOLERANCE
from edgevit.backends import all_backends
from edgevit.errors import EdgevitError
from edgevit.run.child_process import run_in_child
from edgevit.run.task import Task
from edgevit.version import __version__
from tests.contract.families import (
    FAMILIES,
    IMAGES,
    LEAST_VARIATION,
    Family,
    Prepared,
    PrepareJob,
    convert,
    prepare,
    quantize_family,
)

TIMEOUT_SECONDS = 300.0
_LONGEST_REASON = 120
"""Characters of a cell."""
PACKAGES = ("torch", "timm", "transformers", "onnx", "onnxruntime", "openvino", "litert-torch", "ai-edge-litert")


@dataclass(frozen=True)
class Row:
    """What became of one family."""

    family: Family
    prepared: Prepared | None
    cells: tuple[str, ...]
    """One per backend: float32."""
    int8: tuple[str, ...]
    """One per backend: int8."""

    def markdown(self) -> str:
        """The row as it stands in the table."""
        params, macs = "–", "–"
        if self.prepared:
            params, macs = f"{self.prepared.params / 1e6:.2f} M", f"{self.prepared.macs / 1e6:,.0f} M"
        attention = "yes" if self.family.attention else "no"
        return _line(self.family.title, f"`{self.family.model}`", params, macs, attention, *self.cells, *self.int8)


def main() -> None:
    """Runs the whole table; a family that fails is a row with a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    out: Path = parser.parse_args().out
    began = time.monotonic()
    rows = []
    for number, family in enumerate(FAMILIES, start=1):
        with tempfile.TemporaryDirectory(prefix="edgevit-family-") as folder:
            rows.append(_row(family, Path(folder)))
        print(f"[{number}/{len(FAMILIES)}] {rows[-1].markdown()}", file=sys.stderr, flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.partial")
    partial.write_text(_document(rows, time.monotonic() - began), encoding="utf-8")
    partial.replace(out)
    print(out)


def _row(family: Family, folder: Path) -> Row:
    try:
        task = Task(prepare, PrepareJob(family.model, folder), Prepared)
        prepared = run_in_child(task, timeout_seconds=TIMEOUT_SECONDS, log=folder / "log.txt")
        if prepared.variation < LEAST_VARIATION:
            raise EdgevitError(
                f"the logits differ by only {prepared.variation:.1e} between images: parity would prove nothing"
            )
        unseen = [name for name in prepared.unseen if name not in family.unread]
        if prepared.negated.passed or unseen:
            raise EdgevitError(f"parity would prove nothing of {', '.join(unseen[:3]) or 'a layer in the middle'}")
    except EdgevitError as error:
        return Row(family, None, (_refusal(error, folder),) * len(all_backends()), ("–",) * len(all_backends()))
    names = [backend.name for backend in all_backends()]
    cells = tuple(_cell(prepared, name, folder) for name in names)
    int8 = (_int8_cell(prepared, name, folder) if (folder / name / "logits.npy").is_file() else "–" for name in names)
    return Row(family, prepared, cells, tuple(int8))


def _cell(prepared: Prepared, backend: str, folder: Path) -> str:
    began = time.monotonic()
    try:
        verification = convert(prepared, backend, folder / backend, TIMEOUT_SECONDS)
    except EdgevitError as error:
        return _refusal(error, folder)
    figures = f"{verification.max_rel_diff:.1e}, {time.monotonic() - began:.0f} s"
    if verification.passed:
        return f"pass ({figures})"
    return f"differs from PyTorch ({figures}, top-1 agreement {verification.top1_agreement:.2f})"


def _int8_cell(prepared: Prepared, backend: str, folder: Path) -> str:
    try:
        found = quantize_family(prepared, backend, folder / backend, TIMEOUT_SECONDS)
    except EdgevitError as error:
        return _refusal(error, folder).replace("does not convert", "no int8")
    snr = "no noise" if found.snr_db is None else f"{found.snr_db:.0f} dB"
    share = f"{100 * found.int8_mac_share:.0f} % int8"
    kind = found.scheme.partition("_")[0]
    return f"{kind}: {100 * found.agreement:.0f} %, {snr}, {share}, {found.speed_up:.2f} ×"


def _refusal(error: EdgevitError, folder: Path) -> str:
    reason = " ".join(error.message.replace(f"{folder}/", "").split())
    short = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON].rstrip()} …"
    return f"does not convert: {short}".replace("|", "\\|")


def _document(rows: list[Row], seconds: float) -> str:
    backends = all_backends()
    count = len(rows) * len(backends)
    passed = sum(cell.startswith("pass") for row in rows for cell in row.cells)
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    titles = [backend.title for backend in backends]
    int8 = (f"{title} int8" for title in titles)
    header = ("family", "smallest member", "parameters", "MACs", "attention", *titles, *int8)
    lines = [
        "# Model families",
        "",
        "Written by `make families`; do not edit.",
        "",
        f"{passed} of {count} conversions pass. Each model has random weights (also where timm starts",
        "with zeros or ones: biases, LayerScale, batch statistics) and is float32. It passes if its logits for",
        f"{IMAGES} images differ from PyTorch's by at most {FLOAT_TOLERANCE:.0e} of the largest logit and the top-1",
        "class is the same for each. In parentheses: that difference, and the seconds that exporting, loading and",
        "running took in child processes. For every model, turning the sign of a layer in the middle makes this fail, and the",
        "logits depend on each layer that they read.",
        "",
        "int8 is the backend's first guess, without repair, calibrated on the same images, against its float32 artifact: kind,",
        f"top-1 agreement on {IMAGES} images, signal-to-noise ratio of the logits, share of the MACs in int8, and speed-up, both",
        "timed in turn in one process. Random weights have logits close together: agreement is lower than with trained ones.",
        "",
        _line(*header),
        _line(*("---",) * len(header)),
        *(row.markdown() for row in rows),
        "",
        f"edgevit {__version__} on {datetime.now(timezone.utc):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {seconds / 60:.0f} minutes in all: {versions}.",
        "",
    ]
    return "\n".join(lines)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
