"""Whether a search finds more in less: ``make bench-search``.

- ``replay``: every point of a space of digits_vit was made once; searches by prediction and by black-box samplers are replayed on that table at
  equal cost, single changes included, and compared by the hypervolume of accuracy, latency and size up to a drop of 5 points and the fastest float model.
- ``vit_tiny``, ``mobilenetv2``: 30 minutes on the real models, choosing on the first 445 images of imagenet_val by name. The best point within 1.0 point
  is timed in the same rounds as the fastest file that ``edgevit compress --tokens auto --finetune auto`` finds within it in the same runtime
  (ViT-Tiny); its smaller image is made in int8 in every runtime, and timed beside int8 alone (MobileNetV2).
- ``table``: makes the table of the replay anew, which takes about 5 quiet minutes; only when asked for.

    python -m benchmarks.search [--only replay,vit_tiny,mobilenetv2] [--data DIR] [--out DIR] [--minutes 30]

A search that was stopped goes on with the same --out.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.imagenet import first_images
from benchmarks.models import default_data
from benchmarks.search_replay import TABLE, compare, keep_table, read_table
from edgevit.backends import get_backend
from edgevit.cli.terminal import make_progress, print_line, print_table
from edgevit.cluster.execution import Where
from edgevit.measure.rounds import RoundEntry, RoundSettings, measure_rounds, rounds_for
from edgevit.pipeline.compress import compress
from edgevit.results.candidate import Candidate
from edgevit.results.ranking import fastest_first
from edgevit.results.run import Run
from edgevit.results.search import NONE, Search, SearchPoint
from edgevit.results.statistics import Ratio, paired_ratio
from edgevit.run.executor import Executor, processors
from edgevit.search.request import SearchRequest
from edgevit.search.run_search import search
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec

TIMEOUT_S = 900.0
MODELS = {"vit_tiny": "vit_tiny_patch16_224", "mobilenetv2": "mobilenetv2_100"}
PASSES = {"vit_tiny": {"tokens": "auto"}, "mobilenetv2": {"tokens": "auto", "prune": "auto"}}
ROWS = ("replay", *MODELS)
LIMIT = 1.0
"""Points that the best point may lose."""
_TABLE_SPEC: dict[str, Any] = {
    "model": {"name": "digits_vit"},
    "data": {"evaluation": "digits", "calibration": "calibration:digits"},
    "passes": {"tokens": "evit:0.7,tome:8,squeeze:0.6,resolution:26,resolution:22"},
    "export": {
        "backends": ["onnx", "openvino"],
        "schemes": ["static_wi8_ai8", "dynamic_wi8_afp32", "bf16", "fp16"],
    },
}


@dataclass(frozen=True)
class File:
    """An artifact to time."""

    name: str
    backend: str
    artifact: Path
    scheme: str


def main() -> None:
    """Runs what is asked for, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with imagenet_val, weights …")
    parser.add_argument("--out", type=Path, default=Path("runs") / f"bench-search-{time.strftime('%Y%m%d-%H%M%S')}")
    parser.add_argument("--only", default=",".join(ROWS), help="rows, separated by commas")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each search on a real model")
    given = parser.parse_args()
    names = given.only.split(",")
    unknown = set(names) - {*ROWS, "table"}
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}")
    if given.data is None and set(names) & set(MODELS):
        parser.error("no data folder: give --data DIR")
    rows: list[tuple[str, str, str]] = []
    for name in names:
        if name == "table":
            _make_table(given.out)
        elif name == "replay":
            rows += replay_rows()
        else:
            rows += _real_rows(name, given.data, given.out.resolve(), given.minutes)
    print_table(("figure", "found", "required"), rows)


def replay_rows(seeds: int = 5) -> Iterator[tuple[str, str, str]]:
    """Yields the figures of the replay."""
    table = read_table()
    found = compare(table, seeds)
    best = max(found.rivals.values())
    yield (
        "replay: share of the front's hypervolume",
        f"{100 * found.share:.1f} % by {found.candidates} of {found.points} points",
        "≥ 95 % by ≤ 20 %",
    )
    for name, share in found.rivals.items():
        yield (
            f"replay: {name} with {found.rival_candidates} candidates",
            f"{100 * share:.1f} % (search: {found.share / share:.2f} ×)",
            "search ≥ 1.2 ×" if best < 0.95 else "found ≥ 95 %: search no less",
        )
    yield "replay: measurements in their 80 % intervals", f"{100 * found.in_interval:.0f} %", "70 to 95 %"
    yield "replay: rank correlation of predicted and measured p50", f"{found.latency_correlation:.2f}", "≥ 0.9"


def _make_table(out: Path) -> None:
    spec = resolve_spec(None, None, _TABLE_SPEC)
    request = SearchRequest((spec,), max_trials=1000, method="exhaustive")
    with make_progress(verbose=False) as progress:
        found = search(request, out / "table", Where(), progress, resume=(out / "table").exists())
    keep_table(found, TABLE)
    print_line(f"{TABLE}: {sum(point.order is not None for point in found.points)} points")


def real_spec(name: str, data: Path, out: Path, **sections: Any) -> Spec:
    """Returns the spec of a real model, searched in everything, or with other sections.

    Args:
        name: See ``MODELS``.
        data: With images and weights.
        out: For the first images of imagenet_val.
        sections: Of the spec.
    """
    model = {
        "name": MODELS[name],
        "weights": str(data / "weights" / f"{MODELS[name]}.safetensors"),
        "preprocessing": {"crop_pct": 1.0},
    }
    images = {"evaluation": str(first_images(data, out)), "calibration": str(data / "imagenet_samples")}
    everything = {"passes": PASSES[name], "finetune": {"mode": "quick"}, **sections}
    return resolve_spec(None, None, {"model": model, "data": images, **everything})


def _real_rows(name: str, data: Path, out: Path, minutes: float) -> Iterator[tuple[str, str, str]]:
    folder = out / name
    request = SearchRequest((real_spec(name, data, out),), max_minutes=minutes)
    with make_progress(verbose=False) as progress:
        found = search(request, folder, Where(), progress, resume=folder.exists())
    for point in found.on_front:
        print_line(f"{name}: {point.id}: {_figures(point)}")
    yield f"{name}: minutes", f"{found.budget.minutes:.1f}, {found.budget.trials} candidates", f"≤ {1.1 * minutes:.0f}"
    yield f"{name}: ended", found.ended, "–"
    if found.forecasts.in_interval is not None:
        yield f"{name}: in 80 % intervals", f"{100 * found.forecasts.in_interval:.0f} %", "70 to 95 %"
    yield from (_against_compress if name == "vit_tiny" else _against_int8)(name, found, data, out)


def _figures(point: SearchPoint) -> str:
    drop, ms, size = (
        each.value if each else float("nan") for each in (point.drop_points, point.p50_ms, point.size_bytes)
    )
    return f"drop {drop:.2f}, {ms:.2f} ms, {size / 1e6:.1f} MB"


def _against_compress(name: str, found: Search, data: Path, out: Path) -> Iterator[tuple[str, str, str]]:
    best = _best(found, found.on_front)
    if best is None:
        yield f"{name}: best point within {LIMIT:g} point", "none", "a point"
        return
    file_format = get_backend(best.settings.backend).format
    spec = real_spec(name, data, out, finetune={"mode": "auto"}, export={"backends": [file_format]})
    folder = out / f"{name}-compress-{file_format}"
    with make_progress(verbose=False) as progress:
        run = compress(spec, folder, resume=folder.exists(), progress=progress)
    theirs = _usable(run)
    if theirs is None:
        yield f"{name}: compress --tokens auto --finetune auto", "nothing within the limit", "a file"
        return
    pair = (_file(best, out / name), theirs)
    yield (
        f"{name}: best point against compress --tokens auto --finetune auto ({theirs.name})",
        f"{best.id}: {_ratio_text(_ratio(*pair))}",
        "≥ 1 ×",
    )
    tried = {candidate.id for candidate in run.candidates}
    new = [point.id for point in found.on_front if point.candidate not in tried]
    yield f"{name}: points of the front that compress does not try", f"{len(new)}: {', '.join(new[:3])}", "≥ 1"


def _usable(run: Run) -> File | None:
    kept = [
        candidate
        for candidate in fastest_first(run.candidates)
        if candidate.status == "ok" and candidate.artifact and candidate.file
    ]
    return _artifact(kept[0]) if kept else None


def _against_int8(name: str, found: Search, data: Path, out: Path) -> Iterator[tuple[str, str, str]]:
    """The tokens or size of the best point, in int8 in every runtime; the search makes them where the front gains most."""
    best = _best(found, found.on_front)
    if best is None or best.settings.tokens == NONE:
        yield (
            f"{name}: best point within {LIMIT:g} point",
            "none" if best is None else best.id,
            "fewer tokens, or a smaller image",
        )
        return
    spec = real_spec(name, data, out, passes={"tokens": best.settings.tokens}, finetune={"mode": "none"})
    folder = out / f"{name}-compress"
    with make_progress(verbose=False) as progress:
        run = compress(spec, folder, resume=folder.exists(), progress=progress)
    for backend in dict.fromkeys(candidate.backend for candidate in run.candidates):
        int8 = [each for each in run.candidates if each.backend == backend and SCHEMES[each.scheme].is_int8]
        usable = [each for each in fastest_first(int8) if each.status == "ok" and each.file]
        smaller = next((each for each in usable if each.passes), None)
        whole = next((each for each in usable if not each.passes), None)
        if smaller is None or whole is None:
            yield f"{name}: {backend}: {best.settings.tokens} in int8", "loses more than the limit", "–"
            continue
        ratio = _ratio(_artifact(smaller), _artifact(whole))
        yield (
            f"{name}: {backend}: {best.settings.tokens} in int8 against int8 alone",
            f"{_ratio_text(ratio)}, change {_change(smaller)} (int8 alone {_change(whole)})",
            "≥ 1.15 × on two runtimes within 1.0 point, or the front above",
        )


def _artifact(candidate: Candidate) -> File:
    assert candidate.file is not None
    return File(candidate.id, candidate.backend, candidate.file, candidate.scheme)


def _change(candidate: Candidate) -> str:
    accuracy = candidate.accuracy
    drop = accuracy.drop_points if accuracy else None
    return "–" if drop is None else f"{-drop:+.1f} pt"


def _best(found: Search, points: Sequence[SearchPoint]) -> SearchPoint | None:
    """The fastest one that loses no more than the limit."""
    kept = [p for p in points if p.p50_ms and p.drop_points and p.drop_points.value <= LIMIT]
    return min(kept, key=lambda p: p.p50_ms.value if p.p50_ms else 0.0, default=None)


def _file(point: SearchPoint, folder: Path) -> File:
    """The artifact of a point that was made."""
    artifacts = folder / point.settings.model / "artifacts" / str(point.candidate)
    main = next(artifacts.glob(f"*{get_backend(point.settings.backend).suffix}"))
    return File(point.id, point.settings.backend, main, point.settings.scheme)


def _ratio(one: File, other: File) -> Ratio | None:
    """How many times faster the first one is, in the same rounds; None where they are the same file."""
    if one.artifact.read_bytes() == other.artifact.read_bytes():
        return None
    entries = [RoundEntry(n, f.backend, f.artifact, SCHEMES[f.scheme].precision) for n, f in (("a", one), ("b", other))]
    log = one.artifact.parents[3] / "rounds.log"
    with Executor(processors(), TIMEOUT_S, log) as executor:
        settings = RoundSettings(rounds=rounds_for(2))
        times = measure_rounds(entries, settings, functools.partial(executor.run_in_turn, log=log)).latencies
    return paired_ratio(times["b"].bursts_ms, times["a"].bursts_ms)


def _ratio_text(ratio: Ratio | None) -> str:
    if ratio is None:
        return "the same file"
    return f"{ratio.median:.2f} × ({ratio.interval.low:.2f} to {ratio.interval.high:.2f})"


if __name__ == "__main__":
    main()
