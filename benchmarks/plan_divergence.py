"""How well token searches foresee what the sites of a plan do together.

Random plans of real ViT-Tiny with two to four sites are carried out on images that the divergence of single sites was not
measured on. Their mean KL divergence is compared with two ways to add up single sites: each at the share of the tokens that
enter it, as token searches do, and as the difference of what the two shares of all tokens do alone.

    python -m benchmarks.plan_divergence [--data DIR] [--plans 40]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.imagenet import first_images, other_images
from benchmarks.models import default_data
from edgevit.cli.terminal import print_table
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages
from edgevit.model.over_batches import over_batches
from edgevit.pipeline.model_inputs import open_model
from edgevit.pipeline.token_search.divergence import site_divergences
from edgevit.pipeline.token_search.effort import DEFAULT_EFFORT, evenly
from edgevit.pipeline.token_search.parts import Parts, parts_of
from edgevit.pipeline.token_search.site_divergence import SiteDivergence
from edgevit.results.artifact import Preprocessing
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.token_plan import Site

METHOD = "squeeze"
BLOCKS = (2, 4, 6, 8, 10)
_SHARES = (0.55, 0.6)
"""Of the patch tokens of all blocks that plans keep, on average: plans that cost about the same, as much as limits of one to
three points allow."""
_BATCH = 32


def main() -> None:
    """Prints the correlation of each way to add up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder with imagenet_val, weights …")
    parser.add_argument("--plans", type=int, default=40, help="random plans")
    given = parser.parse_args()
    if given.data is None:
        parser.error("no data folder: give --data DIR")
    weights = str(given.data / "weights" / "vit_tiny_patch16_224.safetensors")
    named = {"name": "vit_tiny_patch16_224", "weights": weights, "preprocessing": {"crop_pct": 1.0}}
    spec = resolve_spec(None, None, {"model": named, "data": {"evaluation": str(given.data / "imagenet_val")}})
    model = open_model(spec.model, spec.seed)
    parts = parts_of(model.module, model.preprocessing.input_size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        some = _images(first_images(given.data, folder), model.preprocessing, DEFAULT_EFFORT.divergence_images)
        others = _images(other_images(given.data, folder), model.preprocessing, None)
        single = SiteDivergence(site_divergences(parts, iter(some), BLOCKS))
        plans = random_plans(np.random.default_rng(spec.seed), given.plans, parts.shape.patches, parts.shape.depth)
        found = divergences(parts, others, plans)
    ways: dict[str, Callable[[int, float, float], float]] = {
        "share of what enters": lambda block, before, after: single.step(METHOD, block, before, after),
        "difference of two shares": lambda block, before, after: max(
            0.0, single.alone(METHOD, block, after) - single.alone(METHOD, block, before)
        ),
    }
    rows = []
    for name, way in ways.items():
        sums = [added_up(plan, parts.shape.patches, way) for plan in plans]
        factors = np.log(found / np.array(sums))
        away = np.exp(np.median(np.abs(factors - np.median(factors))))
        rows.append((name, str(len(plans)), f"{spearmanr(sums, found).statistic:.2f}", f"{away:.2f} ×"))
    print_table(("sites are added up by", "plans", "Spearman", "median factor, scaled"), rows, numeric=(1, 2, 3))


def random_plans(rng: np.random.Generator, number: int, patches: int, depth: int) -> list[tuple[Site, ...]]:
    """Draws plans with two to four sites behind the first block, each of which keeps at least a third of what enters."""
    plans: list[tuple[Site, ...]] = []
    while len(plans) < number:
        sites = int(rng.integers(2, 5))
        blocks = sorted(rng.choice(np.arange(2, depth - 1), sites, replace=False).tolist())
        counts = sorted(rng.choice(np.arange(8, patches - 8), sites, replace=False).tolist(), reverse=True)
        steps = itertools.pairwise([patches, *counts])
        widths = [
            patches * blocks[0],
            *(n * (b - a) for n, (a, b) in zip(counts, itertools.pairwise([*blocks, depth]), strict=True)),
        ]
        if (
            all(3 * after >= before for before, after in steps)
            and _SHARES[0] <= sum(widths) / (patches * depth) <= _SHARES[1]
        ):
            plans.append(tuple(Site(block, tokens) for block, tokens in zip(blocks, counts, strict=True)))
    return plans


def divergences(parts: Parts, batches: Sequence[torch.Tensor], plans: Sequence[tuple[Site, ...]]) -> np.ndarray:
    """Returns the mean KL(dense || plan) of each plan, in nats, float64 [plans]."""
    firsts = tuple(sorted({plan[0].block for plan in plans}))
    tails = [parts.tail(METHOD, plan) for plan in plans]

    def diverge(batch: torch.Tensor) -> torch.Tensor:
        entering, logits = parts.streams(batch, firsts)
        dense = logits.double().log_softmax(dim=1)
        reduced = [
            tail(entering[plan[0].block]).double().log_softmax(dim=1) for tail, plan in zip(tails, plans, strict=True)
        ]
        return torch.stack([(dense.exp() * (dense - each)).sum(dim=1) for each in reduced])

    return np.asarray(torch.cat(list(over_batches(diverge, iter(batches))), dim=1).mean(dim=1))


def added_up(plan: Sequence[Site], patches: int, way: Callable[[int, float, float], float]) -> float:
    """Returns the nats of all sites of a plan."""
    counts = [patches, *(site.tokens for site in plan)]
    pairs = zip(plan, itertools.pairwise(counts), strict=True)
    return sum(way(site.block, before / patches, after / patches) for site, (before, after) in pairs)


def _images(folder: Path, preprocessing: Preprocessing, most: int | None) -> list[torch.Tensor]:
    """Batches, float32 [n, 3, h, w], of all images of a folder or of so many, evenly chosen."""
    samples = open_images(str(folder)).samples
    images = PreparedImages(samples, preprocessing)
    chosen = images.select(evenly(len(images), most)) if most else images
    return [torch.from_numpy(batch) for batch in chosen.batches(_BATCH)]


if __name__ == "__main__":
    main()
