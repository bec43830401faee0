"""Published measurements: their table, and what configuration each row was measured in."""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from edgevit.devices.architectures import architecture, runtime_family
from edgevit.errors import UsageError

CARRIED = Path(__file__).parent / "evidence" / "measurements.csv.gz"
"""The table that edgevit carries."""

COLUMNS = (
    "id", "device", "soc", "unit", "runtime", "runtime_version", "precision", "threads", "batch", "model",
    "timm_name", "input_hw", "latency_ms", "date", "source_repo_or_page", "note",
)  # fmt: skip
"""Columns that a table must have; others are ignored."""

_USUAL_SIZE = 224
_USUAL_SIZES = {
    "inception_v3": 299,
    "inception_v4": 299,
    "efficientnet_el": 300,
    "mobilevitv2_100": 256,
    "fastvit_mci0": 256,
    "fastvit_mci1": 256,
    "fastvit_mci2": 256,
}
"""Input sizes of rows that do not say theirs."""

NCNN = " (ncnn)"
"""After the name of a network that ncnn's benchmark defines in its own way, with other ops."""
_OWN_DEFINITIONS = {
    "Tencent/ncnn": (
        "*AlexNet", "*GoogLeNet", "*ProxylessNAS", "mobilenetv2_100", "mobilenetv3_large_100", "resnet18", "resnet50",
    ),
}  # fmt: skip
"""Networks that a source measured in its own definition."""

_VARIANTS = (
    re.compile(r"(big|little|prime|middle) cores?"),
    *map(
        re.compile,
        (
            "armv7", r"NPU config [\w]+", "MaxQ", r"nvpmodel \d", "32-bit", r"\d cores",
            r"\d+ ?% ?(?:magnitude )?sparsity", r"sparsity \d+", "palettised", "single thread", "as many threads",
            "host", "fan off",
        ),
    ),
)  # fmt: skip
"""What a note may say of the configuration beyond the columns."""

_PLACED = re.compile(r"layers npu/total (\d+)/(\d+)")

OF_DEVICE = ("unit device", "kernels device", "configuration", "session")
"""Levels whose groups are of one device."""

_MIXED = frozenset({"w8a8_mixed_int16", "w8a16_mixed_int16", "w8a8_mixed_fp16"})


@dataclass(frozen=True)
class Configuration:
    """What a network was run on, as far as latency depends on it."""

    unit: str
    """"cpu", "gpu", "npu" or "tpu"."""
    runtime: str
    precision: str
    """Such as "fp32", "fp16", "int8", "w8a16"."""
    device: str
    """Empty for one without measurements."""
    architecture: str
    threads: str = ""
    """Empty where not said."""
    batch: int = 1
    variant: str = ""
    """Cores or power mode, where the note says so."""
    session: str = ""
    """Version of the runtime, date and source: what rows that were measured together share."""

    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Returns the group that it belongs to at each level of the cost model."""
        return _groups(self)


@cache
def _groups(configuration: Configuration) -> Mapping[str, tuple[str, ...]]:
    """Returns them; kept, because a fit asks many times for those of each row."""
    unit, device, architecture = configuration.unit, configuration.device, configuration.architecture
    family, batch = runtime_family(configuration.runtime), str(configuration.batch)
    precision = _kernel_precision(configuration, family)
    threads = configuration.threads if configuration.threads in ("1", "2") else "all"
    kernels = (unit, family, precision)
    runtime = (configuration.runtime, configuration.precision)
    exact = (unit, device, *runtime, threads, batch, configuration.variant)
    return {
        "unit": (unit,),
        "family": (unit, family),
        "kernels": kernels,
        "runtime": (unit, *runtime, batch),
        "threads": (*kernels, threads, batch, configuration.variant),
        "unit architecture": (unit, architecture),
        "kernels architecture": (*kernels, architecture),
        "unit device": (unit, device),
        "kernels device": (*kernels, device),
        "configuration": exact,
        "session": (*exact, configuration.threads, configuration.session),
    }


def _kernel_precision(configuration: Configuration, family: str) -> str:
    """Returns what kernels compute in: on a processor, TFLite turns fp16 weights into fp32 when it loads them."""
    precision = configuration.precision
    if (configuration.unit, family, precision) == ("cpu", "tflite", "fp16"):
        return "fp32"
    return {"w8a8": "int8"}.get(precision, "mixed" if precision in _MIXED else precision)


@dataclass(frozen=True)
class Row:
    """One published measurement."""

    id: str
    model: str
    """timm's name, or the published one after "*" where timm has none; followed by ``NCNN`` where that ran."""
    size: tuple[int, int]
    """Height and width of the input."""
    configuration: Configuration
    latency_ms: float
    source: str

    @property
    def graph(self) -> str:
        """Name of its graph: the model at its input size."""
        return f"{self.model}@{self.size[0]}x{self.size[1]}"


def read_rows(path: Path) -> tuple[Row, ...]:
    """Reads the rows of a table that have a latency.

    Args:
        path: CSV with the columns ``COLUMNS``; compressed if its name ends in ".gz".

    Raises:
        UsageError: the file cannot be read, lacks columns, or has rows that are not valid; every fault is given with
            its line.
    """
    rows: list[Row] = []
    faults: list[str] = []
    for line, cells in _cells(path):
        if not cells["latency_ms"]:
            continue
        try:
            rows.append(_row(cells))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
    if faults:
        shown = "; ".join(faults[:10]) + (f"; and {len(faults) - 10} more" if len(faults) > 10 else "")
        raise UsageError(f"{path}: {shown}", "correct these cells")
    return tuple(rows)


def without_duplicates(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Returns the rows without those that repeat another one but for its id."""
    return tuple({replace(row, id=""): row for row in reversed(tuple(rows))}.values())[::-1]


def _cells(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise UsageError(
                f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
                f"it needs {', '.join(COLUMNS)}",
            )
        for cells in reader:
            yield reader.line_num, cells
    except (OSError, UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise UsageError(f"cannot read {path}: {error}", "give a table in CSV") from error


def _row(cells: Mapping[str, str]) -> Row:
    latency = _number(cells["latency_ms"], "latency_ms")
    model = cells["timm_name"] or f"*{cells['model']}"
    if model == "*":
        raise ValueError("model and timm_name are both empty")
    if model in _OWN_DEFINITIONS.get(cells["source_repo_or_page"], ()):
        model += NCNN
    unit, note = cells["unit"], cells["note"]
    variant = "+".join(
        (*(found.group(0) for pattern in _VARIANTS if (found := pattern.search(note))), *_placement(note))
    )
    threads = "1" if "single thread" in note else cells["threads"]
    configuration = Configuration(
        unit=unit,
        runtime=cells["runtime"],
        precision=cells["precision"],
        device=cells["device"],
        architecture=architecture(unit, f"{cells['soc']} {cells['device']}"),
        threads=threads,
        batch=int(_number(cells["batch"] or "1", "batch")),
        variant=variant,
        session="|".join((cells["runtime_version"], cells["date"], cells["source_repo_or_page"])),
    )
    return Row(cells["id"], model, _size(cells), configuration, latency, cells["source_repo_or_page"])


def _placement(note: str) -> tuple[str, ...]:
    """Returns whether the compiler left layers to another unit, where the note says how many it placed."""
    found = _PLACED.search(note)
    return ("in parts",) if found and found.group(1) != found.group(2) else ()


def _size(cells: Mapping[str, str]) -> tuple[int, int]:
    if not cells["input_hw"]:
        usual = _USUAL_SIZES.get(cells["timm_name"], _USUAL_SIZE)
        return usual, usual
    height, _, width = cells["input_hw"].partition("x")
    return int(_number(height, "input_hw")), int(_number(width, "input_hw"))


def _number(text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{column} is {text!r}, not a positive number")
    return value
