"""``edgevit.compress`` in Python: a model and images as the caller has them, and every setting a keyword."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from edgevit.api.asked import Asked, as_document, carry_out, given, model_settings
from edgevit.api.metric_name import OwnMetric, metric_name
from edgevit.api.progress import ProgressCallback, told
from edgevit.api.stored_images import Images
from edgevit.cluster.execution import Where
from edgevit.errors import UsageError
from edgevit.pipeline import compress as pipeline
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import Run
from edgevit.spec.spec import BudgetSpec, DistillSpec, FinetuneSpec, MeasureSpec, QuantizeSpec, Spec


def compress(
    model: Spec | nn.Module | str,
    out: Path | str | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    weights: Path | str | None = None,
    pretrained: bool = False,
    random_weights: bool = False,
    num_classes: int | None = None,
    class_embeddings: Path | str | None = None,
    evaluation: Images | Mapping[str, Images] | None = None,
    calibration: Images | None = None,
    train: Images | None = None,
    masks: Path | str | None = None,
    samples: int | None = None,
    calibration_samples: int | None = None,
    class_offset: int | None = None,
    profile: str | None = None,
    export: Sequence[str] | None = None,
    schemes: Sequence[str] | None = None,
    labels: Sequence[str] | Path | str | None = None,
    embed_preprocessing: bool | None = None,
    tokens: str | None = None,
    form: str | None = None,
    search_minutes: float | None = None,
    distill: DistillSpec | None = None,
    finetune: FinetuneSpec | str | None = None,
    quantize: QuantizeSpec | None = None,
    devices: Sequence[str] | None = None,
    metric: OwnMetric | str | None = None,
    budget: BudgetSpec | None = None,
    measure: MeasureSpec | None = None,
    max_minutes: float | None = None,
    quick: bool | None = None,
    seed: int | None = None,
    resume: bool = False,
    jobs: int | None = None,
    keep_work: bool = False,
    progress: ProgressCallback | None = None,
) -> Run:
    """Compresses a model: makes every candidate, verifies, evaluates and measures it, and chooses one.

    What is in memory is written into the folder of the run first, under ``inputs``; the same call with ``resume`` goes on.
    A keyword that is left out has the value of the profile, or the default of :class:`edgevit.spec.spec.Spec`.

    Args:
        model: A module, float32 [n, channels, h, w] to logits [n, classes], or to other outputs, such as a dict; the name of a model, such as timm's, or
            "package.module:factory", or a captured program (.pt2); or a whole spec, which takes no other setting than
            ``out``, ``resume``, ``jobs``, ``keep_work`` and ``progress``.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        preprocessing: Of the model's images; its own configuration when None.
        weights: safetensors, or a torch file that holds a state dict.
        pretrained: Download the weights from timm's own source; of a factory, take those that it loads itself.
        random_weights: For trying out; accuracy is then not reported.
        num_classes: Of a model by name, where it is not its default; 0 for one that returns features and no logits, also in memory.
        class_embeddings: Embeddings and names of classes (.npz), which make a zero-shot classifier of an image tower, also in
            memory; see :func:`edgevit.data.class_embeddings.read_class_embeddings`.
        evaluation: Labelled images that candidates are judged on; of several sets, by name, the first judges, and the others,
            such as shifted ones, are scored beside it.
        calibration: Images to calibrate with, or a share of the evaluation images such as "20%".
        masks: Folder of PNG masks of the evaluation images, see :class:`edgevit.spec.spec.DataSpec`; then judged by mIoU.
        train: Images for distillation and fine-tuning; the latter takes the calibration images when None.
        samples: Number of evaluation images, chosen by the seed.
        calibration_samples: Number of calibration images.
        class_offset: Output of class 0, see :class:`edgevit.spec.spec.DataSpec`.
        profile: Name of a shipped profile, or a profile file.
        export: Formats or backends: "onnx", "openvino", "tflite".
        schemes: Such as "static_wi8_ai8"; chosen automatically when None.
        labels: Name of the class of each output, for the artifacts to carry, or a text file that has them, one a line; those of
            class folders, or the model's own, when None.
        embed_preprocessing: Let artifacts take pixels, uint8 [1, h, w, 3], and normalize them by themselves.
        tokens: Token plans, see :mod:`edgevit.spec.token_plan`; "auto" searches for one.
        form: How graphs select tokens: "auto", "gather" or "arithmetic".
        search_minutes: That the token searches of one backend may take.
        distill: Training before anything else: on the predictions of a teacher, on labels, or on both.
        finetune: "quick", "full" or "auto", or all settings.
        quantize: How far quantization may go to keep the accuracy drop.
        devices: Names of devices to predict latency and memory for.
        metric: What candidates are judged by, higher is better: the name of a metric, or a function (outputs, labels) to a
            float that another process can import; ``budget`` then says how much of it may be lost. Top-1 when None.
        budget: What a candidate may cost to be chosen.
        measure: How latency and memory are measured.
        max_minutes: For the whole run.
        quick: A first look.
        seed: Of all sampling.
        resume: Continue the run in ``out``.
        jobs: Tasks side by side; as many as there are processors when None.
        keep_work: Leave the working files in the folder when the run has ended.
        progress: Receives what the run does, see :class:`ProgressEvent`.

    Returns:
        The run; ``run.chosen.file`` is the file of the chosen candidate.

    Raises:
        UsageError: something that is asked for does not exist or does not fit; nothing heavy was started.
        DiskFull: there was no space left; ``resume`` continues.
    """
    asked = Asked(
        model=model,
        preprocessing=preprocessing,
        profile=profile,
        labels=labels,
        of_model=model_settings(
            weights=weights,
            pretrained=pretrained,
            random_weights=random_weights,
            num_classes=num_classes,
            class_embeddings=class_embeddings,
        ),
        images=given(evaluation=evaluation, calibration=calibration, train=train),
        of_data=given(
            samples=samples,
            calibration_samples=calibration_samples,
            class_offset=class_offset,
            masks=str(masks) if masks else None,
        ),
        settings=given(
            distill=distill,
            passes=given(tokens=tokens, form=form, search_minutes=search_minutes) or None,
            finetune={"mode": finetune} if isinstance(finetune, str) else finetune,
            export=given(
                backends=export and list(export),
                schemes=schemes and list(schemes),
                embed_preprocessing=embed_preprocessing,
            )
            or None,
            quantize=quantize,
            devices=devices and list(devices),
            budget=_with_metric(budget, metric),
            measure=measure,
            max_minutes=max_minutes,
            quick=quick,
            seed=seed,
        ),
    )
    tells = told("compress", progress)
    return carry_out(
        asked, out, partial(pipeline.compress, resume=resume, where=Where(jobs), keep_work=keep_work, progress=tells)
    )


def _with_metric(budget: BudgetSpec | None, metric: OwnMetric | str | None) -> dict[str, Any] | None:
    """The section of the budget as a spec file writes it."""
    document = {} if budget is None else as_document(budget)
    if metric is None:
        return document or None
    if document.get("metric") is not None:
        raise UsageError("budget names a metric, and metric another", "give it once")
    return {**document, "metric": metric_name(metric)}
