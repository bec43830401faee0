"""What a run is going to make at least, and about how long it takes: the first lines of a run, and ``--dry-run``.

An estimate from a few costs that were measured once; :mod:`edgevit.run.time_left` refines it by what has been done.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from edgevit.run.progress import PlannedStages, RunPlan
from edgevit.spec.schemes import SCHEMES


@dataclass(frozen=True)
class PlannedScheme:
    """A scheme that a backend's candidates are quantized in."""

    name: str
    prepared: bool
    """Whether the program is rewritten and exported again before it is quantized."""


@dataclass(frozen=True)
class PlannedBackend:
    """A backend of a run."""

    name: str
    schemes: tuple[PlannedScheme, ...]
    """Those that are made for certain, without float32: by "auto", the first of the policy."""


@dataclass(frozen=True)
class PlannedVariant:
    """The model, or one with fewer tokens."""

    slugs: tuple[str, ...]
    """One for each export form; at least one of them is quantized."""
    mac_share: float = 1.0
    """MACs as a share of the original model's."""
    quantized: bool = True
    """Whether it is quantized for certain."""
    tuning_views: int = 0
    """Views of images that it is fine-tuned with, for all backends together."""
    tuning_limit_s: float = math.inf
    """Seconds after which fine-tuning ends in any case, of all backends together."""


@dataclass(frozen=True)
class RunFacts:
    """What the length of a run depends on."""

    backends: tuple[PlannedBackend, ...]
    variants: tuple[PlannedVariant, ...]
    """The dense model first."""
    macs: int
    """Of the original model, for one image."""
    images: int
    """That each candidate is run on."""
    calibration_images: int
    devices: int
    """That latency is predicted for."""
    training_macs: int
    """MACs of one forward pass over all training images, of student and teacher, times the epochs; 0 without
    distillation."""
    min_seconds: float
    """Of one measurement."""
    rounds: int
    """Of the final round, each of which times every candidate once; 0 where there is none."""
    jobs: int
    """Stages that run side by side."""
    measures: bool
    """Whether candidates are evaluated and measured; otherwise only made and verified."""
    quick: bool = False
    """Whether it is a first look, which does not measure the original model."""
    embeds: bool = False
    """Whether preprocessing is put into each artifact."""
    may_add: tuple[str, ...] = ()
    """See :class:`edgevit.run.progress.RunPlan`."""
    other_images: tuple[int, ...] = ()
    """Of each further evaluation set."""


@dataclass(frozen=True)
class BackendCosts:
    """Seconds that one backend takes."""

    export_s: float
    dynamic_s: float
    """To quantize without calibration."""
    static_s: float
    """To quantize with calibration, besides the images."""
    static_s_per_image_gmac: float
    start_s: float
    """To start a cold process, import the runtime and load an artifact."""


COSTS: Mapping[str, BackendCosts] = {
    "onnxruntime": BackendCosts(4.0, 2.7, 1.5, 0.045, 0.4),
    "openvino": BackendCosts(3.5, 2.9, 3.0, 0.07, 0.5),
    "litert": BackendCosts(9.0, 1.6, 1.0, 0.04, 0.4),
}
"""Measured with ViT-Tiny and MobileNetV2 on two cores with AVX-512 VNNI."""
OTHER_COSTS = BackendCosts(5.0, 2.0, 2.0, 0.06, 0.5)
"""Of a backend that was not measured."""
FLOAT_S_PER_GMAC = 0.021
INT8_S_PER_GMAC = 0.0095
PYTORCH_S_PER_GMAC = 0.025
"""In batches."""
TRAINING_PASSES = 3.0
"""Forward and backward, in forward passes."""
DECODE_S = 0.003
"""To decode and preprocess one image."""
PER_IMAGE_S = 0.0005
"""To hand one image to a runtime."""
CAPTURE_S = 4.5
FIND_S = 2.0
"""To find the layers that verification does not see."""
PREPARE_S = 5.0
"""To rewrite a program before it is exported again."""
EMBED_S = 1.5
"""To put the preprocessing into an artifact, and to compare the two."""
KEEP_S = 0.1
"""To copy the artifact of the recipe that was chosen."""
COMPARE_S = 2.5
"""Seconds to compare a candidate with its float parent, in the process that measures it."""
WARM_UP_S = 0.3
BURST_S = 0.45
"""Of one candidate in one round, warmed up, waited for and timed."""
SIDE_BY_SIDE = 0.8
"""Share of the time on further cores that is gained by using them."""


@dataclass(frozen=True)
class _Stage:
    kind: str
    seconds: float
    alone: bool = False


def make_plan(facts: RunFacts) -> RunPlan:
    """Returns what a run makes at least: its candidates, its stages by kind, and about how many seconds they take.

    Args:
        facts: What the length depends on.
    """
    stages = tuple(_stages(facts))
    beside = sum(stage.seconds for stage in stages if not stage.alone)
    alone = sum(stage.seconds for stage in stages if stage.alone)
    return RunPlan(
        candidates=tuple(_candidates(facts)),
        stages=_by_kind(stages),
        jobs=facts.jobs,
        seconds=beside / (1 + SIDE_BY_SIDE * (facts.jobs - 1)) + alone,
        may_add=facts.may_add,
    )


def _by_kind(stages: Iterable[_Stage]) -> tuple[PlannedStages, ...]:
    """Stages of one kind together, with their mean time; in the order of their first."""
    kinds: dict[tuple[str, bool], list[float]] = {}
    for stage in stages:
        kinds.setdefault((stage.kind, stage.alone), []).append(stage.seconds)
    return tuple(
        PlannedStages(kind, len(seconds), sum(seconds) / len(seconds), alone)
        for (kind, alone), seconds in kinds.items()
    )


def _candidates(facts: RunFacts) -> Iterator[str]:
    for backend in facts.backends:
        for variant in facts.variants:
            yield from (f"{backend.name}/fp32/{slug}" for slug in variant.slugs)
            if variant.quantized:
                yield from (f"{backend.name}/{scheme.name}/{variant.slugs[0]}" for scheme in backend.schemes)


def _stages(facts: RunFacts) -> Iterator[_Stage]:
    yield from _of_the_model(facts)
    for variant in facts.variants[1:]:
        yield from _of_a_reduced_model(facts, variant)
    for backend in facts.backends:
        for variant in facts.variants:
            yield from _of_candidates(facts, backend, variant)
    if facts.measures and facts.rounds:
        yield _Stage("time", _rounds(facts), alone=True)


def _of_the_model(facts: RunFacts) -> Iterator[_Stage]:
    for count in (facts.images, facts.calibration_images):
        if count:
            yield _Stage("preprocess", DECODE_S * count)
    trained = 2 if facts.training_macs else 1
    for _ in range(trained):
        yield _Stage("capture", CAPTURE_S)
        yield _Stage("evaluate", facts.images * facts.macs / 1e9 * PYTORCH_S_PER_GMAC)
    for count in facts.other_images if facts.measures else ():
        yield _Stage("preprocess", DECODE_S * count)
        yield _Stage("evaluate", count * facts.macs / 1e9 * PYTORCH_S_PER_GMAC)
    yield _Stage("find", FIND_S)
    if facts.training_macs:
        yield _Stage("distill", TRAINING_PASSES * facts.training_macs / 1e9 * PYTORCH_S_PER_GMAC)
    if facts.measures and not facts.quick:
        yield _Stage("measure", facts.min_seconds + WARM_UP_S + CAPTURE_S, alone=True)


def _of_a_reduced_model(facts: RunFacts, variant: PlannedVariant) -> Iterator[_Stage]:
    for _ in variant.slugs:
        yield _Stage("capture", CAPTURE_S)
    if variant.tuning_views:
        macs = (TRAINING_PASSES * variant.mac_share + 1) * facts.macs  # the teacher answers, too
        seconds = variant.tuning_views * macs / 1e9 * PYTORCH_S_PER_GMAC
        yield _Stage("fine-tune", min(seconds, variant.tuning_limit_s))
    yield _Stage("evaluate", facts.images * variant.mac_share * facts.macs / 1e9 * PYTORCH_S_PER_GMAC)


def _of_candidates(facts: RunFacts, backend: PlannedBackend, variant: PlannedVariant) -> Iterator[_Stage]:
    costs, gmacs = COSTS.get(backend.name, OTHER_COSTS), variant.mac_share * facts.macs / 1e9
    compared_s = 0.0 if variant == facts.variants[0] else COMPARE_S
    for _ in variant.slugs:
        yield _Stage("export", costs.export_s)
        yield from _embedded(facts)
        yield from _judged(facts, costs.start_s + compared_s, gmacs * FLOAT_S_PER_GMAC)
    for scheme in backend.schemes if variant.quantized else ():
        known = SCHEMES[scheme.name]
        if scheme.prepared:
            yield _Stage("export", PREPARE_S + costs.export_s)
        images = facts.calibration_images * gmacs * costs.static_s_per_image_gmac
        yield _Stage("quantize", costs.static_s + images if known.calibrated else costs.dynamic_s)
        yield from _embedded(facts)
        yield _Stage("keep", KEEP_S)
        image_s = gmacs * (INT8_S_PER_GMAC if known.is_int8 else FLOAT_S_PER_GMAC)
        yield from _judged(facts, costs.start_s + COMPARE_S, image_s)


def _embedded(facts: RunFacts) -> Iterator[_Stage]:
    if facts.embeds:
        yield _Stage("embed", EMBED_S)


def _judged(facts: RunFacts, besides_s: float, image_s: float) -> Iterator[_Stage]:
    """Evaluating, measuring and predicting one candidate, which takes ``image_s`` seconds for an image.

    Args:
        facts: What the length depends on.
        besides_s: To start, and to compare it with its parent, when it is measured.
        image_s: For one image.
    """
    yield _Stage("evaluate", facts.images * (image_s + PER_IMAGE_S))
    if facts.measures:
        for count in facts.other_images:
            yield _Stage("evaluate", count * (image_s + PER_IMAGE_S))
        yield _Stage("measure", besides_s + WARM_UP_S + max(facts.min_seconds, 50 * image_s), alone=True)
        if facts.devices:
            yield _Stage("predict", 0.5)


def _rounds(facts: RunFacts) -> float:
    """Seconds of the final round, in which each artifact is timed several times, each time in a fresh process."""
    starts = sum(
        COSTS.get(backend.name, OTHER_COSTS).start_s * (len(variant.slugs) + len(backend.schemes))
        for backend in facts.backends
        for variant in facts.variants
    )
    return facts.rounds * (starts + BURST_S * len(tuple(_candidates(facts))))
