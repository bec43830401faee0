"""About how long a candidate takes, from costs that were measured once; the search corrects it by its own pace."""

from __future__ import annotations

from edgevit.pipeline.finetuning import RECIPES
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.plan import (
    CAPTURE_S,
    COMPARE_S,
    COSTS,
    FLOAT_S_PER_GMAC,
    INT8_S_PER_GMAC,
    OTHER_COSTS,
    PER_IMAGE_S,
    PREPARE_S,
    PYTORCH_S_PER_GMAC,
    TRAINING_PASSES,
    WARM_UP_S,
    BackendCosts,
)
from edgevit.results.search import NONE, PointSettings
from edgevit.search.divergence import DIVERGENCE_IMAGES
from edgevit.search.space import FLOAT
from edgevit.spec.schemes import SCHEMES


def candidate_seconds(point: PointSettings, inputs: Inputs, macs: int, mac_share: float) -> float:
    """Returns about how long a candidate takes on one core, once what it is made from is there.

    Args:
        point: The candidate.
        inputs: Of its run.
        macs: Of the dense model.
        mac_share: MACs of the candidate's token plan over those.
    """
    costs, gmacs = COSTS.get(point.backend, OTHER_COSTS), mac_share * macs / 1e9
    seconds = _float_seconds(point, inputs, costs, gmacs) if point.scheme == FLOAT or point.finetune != NONE else 0.0
    if point.scheme != FLOAT:
        seconds += _quantized_seconds(point, inputs, costs, gmacs)
    if point.finetune == NONE:
        return seconds
    spec = inputs.spec.finetune
    views = spec.images_seen or RECIPES["quick" if point.finetune == "quick" else "full"].images_seen
    tuning = views * (TRAINING_PASSES * mac_share + 1) * macs / 1e9 * PYTORCH_S_PER_GMAC  # the teacher answers, too
    return seconds + CAPTURE_S + min(60 * spec.max_minutes, tuning)


def _float_seconds(point: PointSettings, inputs: Inputs, costs: BackendCosts, gmacs: float) -> float:
    seconds = costs.export_s + _judged_seconds(inputs, costs, gmacs * FLOAT_S_PER_GMAC)
    if point.tokens != NONE or point.finetune != NONE:
        seconds += CAPTURE_S + len(inputs.images.ids) * gmacs * PYTORCH_S_PER_GMAC
    return seconds


def _quantized_seconds(point: PointSettings, inputs: Inputs, costs: BackendCosts, gmacs: float) -> float:
    scheme, images = SCHEMES[point.scheme], len(inputs.calibration.ids) if inputs.calibration else 0
    static = costs.static_s + images * gmacs * costs.static_s_per_image_gmac
    image_s = gmacs * (INT8_S_PER_GMAC if scheme.is_int8 else FLOAT_S_PER_GMAC)
    quantized = static if scheme.calibrated else costs.dynamic_s
    return PREPARE_S + costs.export_s + quantized + _judged_seconds(inputs, costs, image_s)


def _judged_seconds(inputs: Inputs, costs: BackendCosts, image_s: float) -> float:
    """To evaluate on all images, to measure the divergence, and to time."""
    images = len(inputs.images.ids) + DIVERGENCE_IMAGES
    return images * (image_s + PER_IMAGE_S) + COMPARE_S + WARM_UP_S + 2 * costs.start_s
