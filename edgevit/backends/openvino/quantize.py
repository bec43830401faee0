"""Quantizes OpenVINO IR: float16 weights by OpenVINO itself, integers by NNCF."""

from __future__ import annotations

import re
from pathlib import Path

import nncf
import numpy as np
import openvino as ov
from nncf.quantization.advanced_parameters import OverflowFix
from nncf.quantization.range_estimator import (
    AggregatorType,
    RangeEstimatorParameters,
    RangeEstimatorParametersSet,
    StatisticsCollectorParameters,
    StatisticsType,
)

from edgevit.backends.openvino.gelu import polynomial_gelu
from edgevit.spec.recipe import RangeMethod, Recipe
from edgevit.spec.schemes import SCHEMES

_OUTLIERS = 5e-6
"""Share of the values beyond each bound: 99.999 % are between the two."""
_GROUP = 64
"""Number of weights that share an int4 scale; divides the widths of all ViTs."""
_RANGE_ESTIMATORS: dict[RangeMethod, RangeEstimatorParameters] = {
    "min_max": RangeEstimatorParametersSet.MINMAX,
    "mean_min_max": RangeEstimatorParameters(),  # NNCF's default: the extremes, per channel where it can
    "mse": RangeEstimatorParametersSet.HISTOGRAM,
    "percentile_99.999": RangeEstimatorParameters(
        StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MIN, quantile_outlier_prob=_OUTLIERS),
        StatisticsCollectorParameters(StatisticsType.QUANTILE, AggregatorType.MAX, quantile_outlier_prob=_OUTLIERS),
    ),
}


def quantize(parent: Path, recipe: Recipe, calibration: np.ndarray | None, folder: Path) -> Path:
    """Writes ``model.xml`` and ``model.bin`` in another scheme.

    Args:
        parent: See :meth:`edgevit.backends.Backend.quantize`, also for the others.
        recipe: How to quantize.
        calibration: float32 [n, 3, h, w], preprocessed; None if there are none.
        folder: Where to write.

    Raises:
        ValueError: the scheme needs calibration images, and there are none.
    """
    path = folder / "model.xml"
    model = ov.Core().read_model(parent)
    if recipe.scheme in ("fp16", "bf16"):
        ov.save_model(model, path, compress_to_fp16=recipe.scheme == "fp16")
        return path
    if SCHEMES[recipe.scheme].numerics == "int8_weights":
        quantized = _compress_weights(model, recipe, calibration)
    elif calibration is None:
        raise ValueError(f"{recipe.scheme} needs calibration images")
    else:
        quantized = _quantize_static(model, recipe, calibration)
        if "polynomial_gelu" in recipe.preparations:
            polynomial_gelu(quantized)  # after NNCF, which would quantize the ops of the polynomial
    _name_by_position(quantized)
    ov.save_model(quantized, path, compress_to_fp16=False)
    return path


def _compress_weights(model: ov.Model, recipe: Recipe, calibration: np.ndarray | None) -> ov.Model:
    """Quantizes weights symmetrically, per channel for int8, in groups for int4; they are used as floats."""
    if recipe.scheme == "weight_only_wi8_afp32":
        return nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode.INT8_SYM, ignored_scope=_ignored(recipe.float_layers)
        )
    gptq = recipe.rounding == "gptq"
    return nncf.compress_weights(
        model,
        mode=nncf.CompressWeightsMode.INT4_SYM,
        group_size=_GROUP,
        all_layers=True,
        gptq=gptq,
        dataset=_dataset(calibration) if gptq and calibration is not None else None,
        ignored_scope=_ignored(recipe.float_layers),
    )


def _quantize_static(model: ov.Model, recipe: Recipe, calibration: np.ndarray) -> ov.Model:
    """Quantizes with NNCF's post-training quantization.

    Its transformer mode keeps residual adds, LayerNorm, GELU, softmax and its product with the values in float: the
    recipe's float kinds, except for the product of query and key. Without it a ViT-Tiny loses all its accuracy.
    """
    return nncf.quantize(
        model,
        _dataset(calibration),
        subset_size=len(calibration),
        model_type=nncf.ModelType.TRANSFORMER if "elementwise" in recipe.float_kinds else None,
        ignored_scope=_ignored(recipe.float_layers),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            # the default takes half of the range for the first layer, which costs most where processors do not saturate
            overflow_fix=OverflowFix.ENABLE if recipe.reduce_range else OverflowFix.DISABLE,
            disable_bias_correction="tuned_biases" in recipe.preparations,
            activations_range_estimator_params=_RANGE_ESTIMATORS[recipe.ranges],
        ),
    )


def _dataset(calibration: np.ndarray) -> nncf.Dataset:
    return nncf.Dataset([image[None] for image in calibration])


def _ignored(layers: tuple[str, ...]) -> nncf.IgnoredScope | None:
    return nncf.IgnoredScope(names=list(layers)) if layers else None


def _name_by_position(model: ov.Model) -> None:
    """Replaces names that contain a counter of the process, so that the same inputs give the same file."""
    for position, op in enumerate(model.get_ordered_ops()):
        if re.fullmatch(r"[A-Za-z]+_\d+", op.get_friendly_name()):
            op.set_friendly_name(f"{op.get_type_name()}_at_{position}")
