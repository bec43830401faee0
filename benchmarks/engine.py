"""What a run costs: ``make bench-engine`` (Linux).

Prints wall time, processor time and peak memory, each of all processes together, of the usual runs: real ViT-Tiny and
MobileNetV2 on three runtimes, beside a plain script that makes, scores and times the same six files straight from the
libraries (benchmarks/plain_script.py), run just after; ViT-Tiny with a token search; ``make demo``; what ``edgevit
bench`` and ``inspect`` take besides the measuring itself; and how the cost grows with candidates and images. Machines
differ, so where a row has a ratio, the ratio is the requirement.

What has been measured is kept in ``costs.jsonl`` of the folder: the same command goes on where it was stopped. ImageNet
rows need the data folder.

    python -m benchmarks.engine [--data DIR] [--out DIR] [--only vit,mobilenet,tokens,demo,overhead,candidates,images]
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks.engine_table import Row, growth, print_markdown
from benchmarks.imagenet import first_images
from benchmarks.models import default_data
from benchmarks.process_tree import Cost, run_measured
from edgevit import units
from edgevit.cli.terminal import print_message
from edgevit.results.run import load_run

CANDIDATES = (2, 4, 8, 16, 24)
IMAGE_COUNTS = (100, 300, 1000, 3000, 10_000)
RATIO = 0.8
"""Of the plain script's wall time."""
OVERHEAD_S = 1.5
_MIN_RUNS, _MIN_SECONDS = 50, 2.0
"""Of one ``edgevit bench``."""
_EDGEVIT = (sys.executable, "-m", "edgevit")
_REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Bench:
    """Where the benchmark reads and writes, and what it has measured before."""

    data: Path | None
    out: Path
    keep: bool
    """Whether folders of runs stay."""

    @property
    def costs(self) -> dict[str, tuple[Cost, str]]:
        """Cost and note of each command that has been measured, by its name."""
        file = self.out / "costs.jsonl"
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        records = map(json.loads, lines)
        return {record["name"]: (Cost(**record["cost"]), record["note"]) for record in records}

    def measured(
        self, name: str, command: Sequence[str], note: Callable[[Cost], str] = lambda cost: ""
    ) -> tuple[Cost, str]:
        """Returns what a command costs, with a note on what it found; runs it unless it has been measured before.

        Args:
            name: Unique in the benchmark.
            command: Program and arguments.
            note: Takes the cost, once the command has ended well.
        """
        known = self.costs.get(name)
        if known is not None:
            return known
        print_message(f"{name}: {shlex.join(command)}")
        log = self.out / "logs" / f"{name.replace(' ', '-')}.log"
        cost = run_measured(command, log)
        found = note(cost) if cost.exit_code == 0 else f"exit code {cost.exit_code}, see {log}"
        print_message(f"{name}: {units.seconds(cost.wall_s)} {found}")
        if cost.exit_code == 0:
            record = {"name": name, "cost": asdict(replace(cost, output="")), "note": found}
            with (self.out / "costs.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(record) + "\n")
        return cost, found

    def compressed(self, name: str, arguments: Sequence[str]) -> tuple[Cost, str]:
        """Returns what a run of ``edgevit compress`` costs, and what it chose."""
        folder = self.out / "runs" / name.replace(" ", "-")

        def note(cost: Cost) -> str:
            found = chosen(folder)
            if not self.keep:
                shutil.rmtree(folder)
            return found

        if name not in self.costs and folder.exists():
            shutil.rmtree(folder)  # of a benchmark that was stopped: a run that goes on costs less
        return self.measured(name, (*_EDGEVIT, "compress", *arguments, "--out", str(folder)), note)


def main() -> None:
    """Measures what has not been measured yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="folder with imagenet_val, imagenet_samples, weights"
    )
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-engine-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    parser.add_argument("--keep", action="store_true", help="leave the folders of the runs")
    arguments = parser.parse_args()
    unknown = set(arguments.only.split(",")) - set(ROWS)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments.data, arguments.out.resolve(), arguments.keep)
    print_message(f"{bench.out}; to go on after a stop: --out {bench.out}")
    rows = [row for name in arguments.only.split(",") for row in ROWS[name](bench)]
    print_markdown(rows)


def vit(bench: Bench) -> list[Row]:
    """Real ViT-Tiny, three runtimes, beside the plain script."""
    return _beside_plain_script(bench, "ViT-Tiny", "vit_tiny_patch16_224", ("openvino",), 120.0)


def mobilenet(bench: Bench) -> list[Row]:
    """Real MobileNetV2, three runtimes, beside the plain script."""
    static = ("onnxruntime", "openvino", "litert")
    return _beside_plain_script(bench, "MobileNetV2", "mobilenetv2_100", static, 60.0)


def tokens(bench: Bench) -> list[Row]:
    """Real ViT-Tiny with a token search for each runtime."""
    what = "ViT-Tiny, `--tokens auto`"
    if bench.data is None:
        return [_without_data(what)]
    cost, note = bench.compressed("tokens", (*_real(bench.data, bench.out, "vit_tiny_patch16_224"), "--tokens", "auto"))
    return [Row(what, cost, required_s=600.0, note=note)]


def demo(bench: Bench) -> list[Row]:
    """What ``make demo`` runs, in a folder of the benchmark."""
    folder = bench.out / "runs" / "demo"
    if folder.exists() and "demo" not in bench.costs:
        shutil.rmtree(folder)
    command = (*demo_command(), "--out", str(folder))
    cost, note = bench.measured("demo", command, lambda cost: chosen(folder))
    return [Row("`make demo`", cost, required_s=120.0, note=note)]


def overhead(bench: Bench) -> list[Row]:
    """``edgevit bench`` and ``inspect`` on a file of each runtime: seconds besides the measuring and the reading."""
    rows = []
    for command, itself in (("bench", "measuring"), ("inspect", "reading")):
        for file in _float_files(bench):
            name = f"{command} {file.suffix[1:]}"
            note_itself = functools.partial(_itself, command, file)
            settings = ("--min-runs", str(_MIN_RUNS), "--min-seconds", str(_MIN_SECONDS)) if command == "bench" else ()
            cost, note = bench.measured(name, (*_EDGEVIT, command, str(file), *settings), note_itself)
            if cost.exit_code:
                rows.append(Row(f"`edgevit {command} FILE{file.suffix}`", cost, note))
                continue
            over_s = cost.wall_s - float(note)
            text = f"{over_s:.2f} s over {note} s of {itself}"
            rows.append(
                Row(f"`edgevit {command} FILE{file.suffix}`", cost, text, over_s=over_s, required_over_s=OVERHEAD_S)
            )
    return rows


def _float_files(bench: Bench) -> list[Path]:
    """A float file of the bundled ViT for each runtime."""
    folder = bench.out / "runs" / "files"
    if not (folder / "run.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        export = ("export", "digits_vit", "--calibration", "calibration:digits", "--scheme", "fp32")
        made = run_measured((*_EDGEVIT, *export, "--out", str(folder)), bench.out / "logs" / "files.log")
        if made.exit_code:
            raise RuntimeError(f"edgevit export failed, see {bench.out / 'logs' / 'files.log'}")
    return [path for path in sorted(folder.glob("artifacts/*/fp32/dense/model.*")) if path.suffix != ".bin"]


def candidates(bench: Bench) -> list[Row]:
    """The bundled ViT in ONNX Runtime, float and static int8, with more and more token plans."""
    costs = []
    for count in CANDIDATES:
        plans = ",".join(f"evit:{0.9 - 0.02 * number:.2f}@2,4" for number in range(count // 2 - 1)) or "none"
        digits = ("digits_vit", "--data", "digits", "--calibration", "calibration:digits", "--export", "onnx")
        more = ("--scheme", "fp32,static_wi8_ai8", "--max-drop", "100", "--tokens", plans)
        form = ("--form", "gather") if plans != "none" else ()
        costs.append(bench.compressed(f"candidates {count}", (*digits, *more, *form))[0])
    return growth("candidates", CANDIDATES, costs)


def images(bench: Bench) -> list[Row]:
    """The bundled ViT in ONNX Runtime, float and static int8, on more and more images."""
    costs = []
    for count in IMAGE_COUNTS:
        folder = bench.out / "images" / str(count)
        if f"images {count}" not in bench.costs:
            write_digits(folder, count)
        model = ("digits_vit", "--data", str(folder), "--calibration", "calibration:digits", "--export", "onnx")
        more = ("--scheme", "fp32,static_wi8_ai8", "--max-drop", "100")
        costs.append(bench.compressed(f"images {count}", (*model, *more))[0])
        shutil.rmtree(folder, ignore_errors=True)
    return growth("images", IMAGE_COUNTS, costs)


ROWS: dict[str, Callable[[Bench], list[Row]]] = {
    "vit": vit,
    "mobilenet": mobilenet,
    "tokens": tokens,
    "demo": demo,
    "overhead": overhead,
    "candidates": candidates,
    "images": images,
}


def _beside_plain_script(bench: Bench, title: str, model: str, static: tuple[str, ...], required_s: float) -> list[Row]:
    what = f"{title}, `--scheme auto`"
    if bench.data is None:
        return [_without_data(what)]
    cost, note = bench.compressed(model, _real(bench.data, bench.out, model))
    files = bench.out / "runs" / f"plain-{model}"
    command = (
        sys.executable, "-m", "benchmarks.plain_script", model,
        "--weights", str(bench.data / "weights" / f"{model}.safetensors"),
        "--images", str(first_images(bench.data, bench.out)),
        "--calibration", str(bench.data / "imagenet_samples"),
        "--out", str(files), "--static", *static,
    )  # fmt: skip
    plain, parts = bench.measured(f"plain {model}", command, _parts)
    shutil.rmtree(files, ignore_errors=True)
    return [
        Row(what, cost, required_s=required_s, beside=plain, required_ratio=RATIO, note=note),
        Row(f"{title}, plain script", plain, note=parts),
    ]


def _real(data: Path, out: Path, model: str) -> tuple[str, ...]:
    """Arguments of the usual run of a real model."""
    return (
        model, "--weights", str(data / "weights" / f"{model}.safetensors"),
        "--data", str(first_images(data, out)), "--calibration", str(data / "imagenet_samples"),
        "--set", "model.preprocessing.crop_pct=1.0", "--export", "onnx,openvino,tflite", "--scheme", "auto",
    )  # fmt: skip


def write_digits(folder: Path, count: int) -> None:
    """Writes that many JPEG files of digits, no two alike, with their labels, as a folder of images."""
    import numpy as np
    from PIL import Image

    from edgevit.data.digits import load_split

    split, generator = load_split("test"), np.random.default_rng(0)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    lines = ["file,class_index"]
    for number in range(count):
        place = number % len(split.labels)
        noise = generator.integers(-20, 21, split.images[place].shape)
        pixels = (split.images[place] + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:05d}.jpg", quality=95)
        lines.append(f"{number:05d}.jpg,{split.labels[place]}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def demo_command() -> tuple[str, ...]:
    """Returns the command of ``make demo``, run by this Python."""
    shown = subprocess.run(
        ["make", "--just-print", "--silent", "--assume-old=.venv/.installed", "demo"],
        cwd=_REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.replace("\\\n", " ")  # fmt: skip
    (line,) = (line for line in shown.splitlines() if "edgevit compress" in line)
    words = shlex.split(line)
    return (*_EDGEVIT, *words[words.index("compress") :])


def chosen(folder: Path) -> str:
    """Returns what a run made and chose, in words."""
    run = load_run(folder)
    selected = next((candidate for candidate in run.candidates if candidate.id == run.selected), None)
    if selected is None:
        return f"{len(run.candidates)} candidates, none chosen"
    drop = selected.accuracy.drop_points if selected.accuracy else None
    return (
        f"{len(run.candidates)} candidates, chosen {selected.id}, {units.ratio(selected.speed_up)},"
        f" {units.accuracy_change(drop)}"
    )


def _parts(cost: Cost) -> str:
    """The parts of the plain script's time, and the accuracy and latency of its files."""
    outcome = json.loads(cost.output)
    parts = ", ".join(f"{name} {seconds:.0f}" for name, seconds in outcome["seconds"].items())
    files = ", ".join(f"{file['name']} {100 * file['top1']:.1f} % {file['p50_ms']:.1f} ms" for file in outcome["files"])
    return f"seconds: {parts}; {files}"


def _itself(command: str, file: Path, cost: Cost) -> str:
    """Seconds of the measuring or of the reading alone, in a process that has imported everything."""
    from edgevit.backends import backend_of_file
    from edgevit.commands.inspect import InspectJob, summarize
    from edgevit.measure.bench import BenchJob, bench

    backend = backend_of_file(file)
    backend.import_runtime()
    seconds = math.inf
    for _ in range(1 if command == "bench" else 3):
        begin = time.perf_counter()
        if command == "bench":
            bench(BenchJob(backend.name, file, 1, "fastest", _MIN_RUNS, _MIN_SECONDS))
        else:
            summarize(InspectJob(backend.name, file))
        seconds = min(seconds, time.perf_counter() - begin)
    return f"{seconds:.2f}"


def _without_data(what: str) -> Row:
    return Row(what, None, note="no data folder: give --data DIR, or EDGEVIT_DATA")


if __name__ == "__main__":
    os.chdir(_REPOSITORY)
    main()
