"""What a teacher gives a student, and how much memory training takes: ``make bench-distill``.

digits: ``digits_vit`` from random weights on the bundled digits, with ``digits_cnn`` as teacher and without. cifar10: a small
vision transformer from random weights on 10,000 images of CIFAR-10, with a small CNN as teacher, which is trained first, and
without. memory: the largest resident memory of each process that takes part in training on 50,000 images of 224 x 224 pixels.

Students with and without a teacher begin with equal weights and see equal views in equally many steps. Accuracy is that of
images on which no step was chosen, the mean over the seeds; the recipe of the digits was chosen on the same images, with other
seeds.

    python -m benchmarks.distill [--only digits,cifar10,memory] [--seeds N] [--epochs N] [--teacher-epochs N]
                                 [--accelerator auto|cpu|cuda|mps] [--data DIR] [--out DIR]

A benchmark that was stopped goes on with the same --out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from benchmarks.models import default_data
from benchmarks.process_tree import run_measured
from edgevit import units
from edgevit.cli.terminal import print_message, print_table
from edgevit.commands.distill import DOCUMENT, WEIGHTS
from edgevit.results.distillation import DistillReport
from edgevit.results.document import from_json
from edgevit.spec.write_toml import to_toml

Section: TypeAlias = dict[str, Any]
"""Of a spec."""
Row: TypeAlias = tuple[str, str, str, str, str]

_MODELS = "benchmarks.distill_models"
_MANY, _DIFFERENT, _FEW = 50_000, 500, 100
"""Images to train on; so many of them are different, and the others are links to these. Images to evaluate on."""
_SIDE, _CLASSES = 224, 10
_FIRST_SEED = 3
"""Of the digits: those before were used to choose the recipe."""


@dataclass(frozen=True)
class Training:
    """A model to train."""

    name: str
    """Of a folder for it."""
    model: Section
    sources: Section
    """Section ``data``."""
    settings: Section
    """Section ``distill``."""
    seed: int = 0
    """Of initial weights, order and views."""


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    out: Path
    data: Path | None
    seeds: int | None
    epochs: int | None
    teacher_epochs: int | None
    accelerator: str

    def train(self, trainings: Sequence[Training]) -> list[DistillReport]:
        """Trains models side by side, each by a command on an equal part of the processors; one after the other on a GPU.

        What an earlier benchmark with this folder found is read.
        """
        cores = sorted(os.sched_getaffinity(0))
        number = min(len(trainings), len(cores)) if self.accelerator == "cpu" else 1
        parts: SimpleQueue[set[int]] = SimpleQueue()
        for part in range(number):
            parts.put(set(cores[part::number]))

        def one(training: Training) -> DistillReport:
            part = parts.get()
            os.sched_setaffinity(0, part)  # of this thread, and of what it starts
            try:
                return self._train(training)
            finally:
                parts.put(part)

        with ThreadPoolExecutor(number) as pool:
            return list(pool.map(one, trainings))

    def _train(self, training: Training) -> DistillReport:
        folder, settings = self.out / training.name, {**training.settings, "accelerator": self.accelerator}
        spec, log = self.out / f"{training.name}.toml", self.out / f"{training.name}.log"
        document = {"seed": training.seed, "model": training.model, "data": training.sources, "distill": settings}
        if not (folder / DOCUMENT).is_file():
            print_message(f"{training.name}: {log}")
            spec.write_text(to_toml(document), encoding="utf-8")
            command = [sys.executable, "-m", "edgevit", "distill", str(spec), "--out", str(folder)]
            with log.open("ab") as stream:
                subprocess.run(
                    [*command, *(["--resume"] if folder.is_dir() else [])], stdout=stream, stderr=stream, check=True
                )
        return from_json(DistillReport, (folder / DOCUMENT).read_bytes())


@dataclass(frozen=True)
class Pair:
    """A student that is trained with a teacher and without."""

    name: str
    student: Section
    teacher: Section
    sources: Section
    recipe: Section
    """Section ``distill`` of both, without what a teacher alone has."""
    taught: Section
    """What a teacher adds to it."""
    seeds: range


def with_and_without(asked: Asked, pair: Pair, required: str) -> list[Row]:
    """Trains students from the same random weights without a teacher and with it."""
    student = {**pair.student, "random_weights": True}
    taught_by = {**pair.taught, "teacher": pair.teacher}
    trainings = [
        Training(f"{pair.name}-{title}-{seed}", student, pair.sources, {**pair.recipe, **more}, seed)
        for title, more in (("labels", {}), ("taught", taught_by))
        for seed in pair.seeds
    ]
    reports = asked.train(trainings)
    without, taught = reports[: len(pair.seeds)], reports[len(pair.seeds) :]
    gain = 100 * (fmean(map(_top1, taught)) - fmean(map(_top1, without)))
    return [
        (pair.name, "labels alone", *_cells(without), ""),
        (pair.name, f"teacher and labels: {gain:+.1f} pt", *_cells(taught), required),
    ]


def digits(asked: Asked) -> list[Row]:
    """Trains ``digits_vit`` with the bundled teacher and without.

    Its patches are of 4 x 4 pixels: a step with the 256 patches of 2 x 2 pixels that the bundled one has takes seven times as long.
    """
    pair = Pair(
        "digits",
        {"name": f"{_MODELS}:digits_vit_of_64_patches"},
        {"name": "digits_cnn"},
        {"train": "digits:train", "evaluation": "digits:test"},
        {"epochs": asked.epochs or 26, "batch_size": 32, "learning_rate": 2e-3},
        {"loss": "dist"},
        range(_FIRST_SEED, _FIRST_SEED + (asked.seeds or 3)),
    )
    return with_and_without(asked, pair, "≥ 95 %, and ≥ 1.0 pt more than without")


def cifar10(asked: Asked) -> list[Row]:
    """Trains a CNN on a part of CIFAR-10, then a vision transformer with it as teacher and without."""
    if asked.data is None:
        raise SystemExit("no data folder: give --data DIR, with cifar10 in it")
    sources = {
        "train": str(_unpacked(asked.data / "cifar10" / "cifar10_train_10000.zip", asked.out)),
        "evaluation": str(_unpacked(asked.data / "cifar10" / "cifar10_test_5000.zip", asked.out)),
    }
    recipe = {"batch_size": 128, "augmentation": {"views": "crop", "least_area": 0.5}}
    cnn = f"{_MODELS}:cifar_cnn"
    of_cnn = {**recipe, "epochs": asked.teacher_epochs or 25, "learning_rate": 2e-3}
    (teacher,) = asked.train([Training("cifar10-teacher", {"name": cnn, "random_weights": True}, sources, of_cnn)])
    row = ("cifar10", "teacher, labels alone", units.percent(_top1(teacher)), units.seconds(teacher.seconds), "")
    pair = Pair(
        "cifar10",
        {"name": f"{_MODELS}:cifar_vit"},
        {"name": cnn, "weights": str(asked.out / "cifar10-teacher" / WEIGHTS)},
        sources,
        {**recipe, "epochs": asked.epochs or 30, "learning_rate": 1e-3},
        {"loss": "dist"},
        range(asked.seeds or 1),
    )
    return [row, *with_and_without(asked, pair, "≥ 2 pt more than without")]


def memory(asked: Asked) -> list[Row]:
    """Trains on many images for one epoch, by a command of its own, and looks at the memory of all its processes."""
    many, few = asked.out / "many", asked.out / "few"
    write_images(many, _MANY, _DIFFERENT, seed=0)
    write_images(few, _FEW, _FEW, seed=1)
    spec = asked.out / "memory.toml"
    model = {"name": f"{_MODELS}:photo_vit", "random_weights": True}
    sources = {"train": str(many), "evaluation": str(few)}
    document = {"model": model, "data": sources, "distill": {"teacher": model, "accelerator": asked.accelerator}}
    spec.write_text(to_toml(document), encoding="utf-8")
    folder = asked.out / time.strftime("memory-%H%M%S")
    command = [sys.executable, "-m", "edgevit", "distill", str(spec), "--out", str(folder)]
    cost = run_measured(command, asked.out / "memory.log")
    if cost.exit_code:
        raise SystemExit(f"edgevit distill failed: see {asked.out / 'memory.log'}")
    peak = f"largest process {units.size(cost.largest_peak_bytes)}"
    return [("memory", f"{units.count(_MANY)} images", peak, units.seconds(cost.wall_s), "≤ 2.15 GB (2 GiB)")]


BENCHMARKS: dict[str, Callable[[Asked], list[Row]]] = {"digits": digits, "cifar10": cifar10, "memory": memory}


def write_images(folder: Path, number: int, different: int, seed: int) -> None:
    """Writes coloured blobs of 224 x 224 pixels as JPEG into folders of classes.

    Args:
        folder: Where; as it is if it is there already.
        number: Of all files.
        different: Of files with contents of their own; the others are links to these.
        seed: Of the blobs.
    """
    if folder.is_dir():
        return
    rng, partial = np.random.default_rng(seed), folder.with_name(f"{folder.name}-partial")
    for place in range(number):
        path = partial / f"class-{place % _CLASSES}" / f"{place:06d}.jpg"
        if place >= different:
            os.link(partial / f"class-{place % different % _CLASSES}" / f"{place % different:06d}.jpg", path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        blobs = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        blobs.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).save(path, quality=85)
    partial.rename(folder)


def _top1(report: DistillReport) -> float:
    assert report.evaluation is not None
    return report.evaluation.after.top1


def _cells(found: list[DistillReport]) -> tuple[str, str]:
    mean = units.percent(fmean(map(_top1, found)))
    singly = f" ({', '.join(units.percent(_top1(each)) for each in found)})" if len(found) > 1 else ""
    return mean + singly, units.seconds(sum(each.seconds for each in found))


def _unpacked(archive: Path, out: Path) -> Path:
    """The folder of class sub-folders that an archive holds, unpacked."""
    with zipfile.ZipFile(archive) as content:
        folder = out / content.namelist()[0].partition("/")[0]
        if not folder.is_dir():
            content.extractall(out)
    return folder


def main() -> None:
    """Runs what is not there yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="benchmarks, separated by commas")
    parser.add_argument("--seeds", type=int, help="3 for digits and 1 for cifar10 when not given")
    parser.add_argument("--epochs", type=int, help="of the students")
    parser.add_argument("--teacher-epochs", type=int, help="of the teacher of cifar10")
    parser.add_argument("--accelerator", default="cpu", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with cifar10")
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-distill-{time.strftime('%Y%m%d-%H%M%S')}")
    given = parser.parse_args()
    names = given.only.split(",")
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: known are {', '.join(BENCHMARKS)}")
    given.out.mkdir(parents=True, exist_ok=True)
    root = str(Path(__file__).parents[1])  # where commands find the models of this benchmark
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    asked = Asked(given.out.resolve(), given.data, given.seeds, given.epochs, given.teacher_epochs, given.accelerator)
    titles = ("benchmark", "training", "top-1 or memory", "time", "required")
    print_table(titles, [row for name in names for row in BENCHMARKS[name](asked)])


if __name__ == "__main__":
    main()
