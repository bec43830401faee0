"""``edgevit.export`` in Python: verified artifacts of a model, and nothing measured or chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from edgevit.api.asked import Asked, carry_out, given, model_settings
from edgevit.api.progress import ProgressCallback, told
from edgevit.api.stored_images import Images
from edgevit.cluster.execution import Where
from edgevit.pipeline import compress as pipeline
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import Run
from edgevit.spec.spec import Spec


def export(
    model: Spec | nn.Module | str,
    out: Path | str | None = None,
    *,
    preprocessing: Preprocessing | None = None,
    weights: Path | str | None = None,
    pretrained: bool = False,
    random_weights: bool = False,
    num_classes: int | None = None,
    class_embeddings: Path | str | None = None,
    calibration: Images | None = None,
    export: Sequence[str] | None = None,
    schemes: Sequence[str] | None = None,
    labels: Sequence[str] | Path | str | None = None,
    embed_preprocessing: bool | None = None,
    tokens: str | None = None,
    form: str | None = None,
    seed: int | None = None,
    resume: bool = False,
    jobs: int | None = None,
    keep_work: bool = False,
    progress: ProgressCallback | None = None,
) -> Run:
    """Makes and verifies artifacts, without measuring or choosing, as ``edgevit export`` does.

    Args:
        model: As for :func:`edgevit.compress`; a whole spec takes no other setting than ``out``, ``resume``, ``jobs``,
            ``keep_work`` and ``progress``.
        out: Folder of the run; ``runs/<model>-<time>`` when None.
        preprocessing: Of the model's images; its own configuration when None.
        weights: safetensors, or a torch file that holds a state dict.
        pretrained: Download the weights from timm's own source; of a factory, take those that it loads itself.
        random_weights: For trying out.
        num_classes: Of a model by name, where it is not its default.
        class_embeddings: Embeddings and names of classes (.npz), as for :func:`edgevit.compress`.
        calibration: Images to calibrate with; static schemes need them.
        export: Formats or backends: "onnx", "openvino", "tflite"; all that are installed when None.
        schemes: Such as "static_wi8_ai8"; "fp32" when None.
        labels: Name of the class of each output, or a text file that has them, one a line.
        embed_preprocessing: Let artifacts take pixels, uint8 [1, h, w, 3], and normalize them by themselves.
        tokens: Token plans, see :mod:`edgevit.spec.token_plan`.
        form: How graphs select tokens: "auto", "gather" or "arithmetic".
        seed: Of all sampling.
        resume: Continue the run in ``out``.
        jobs: Tasks side by side; as many as there are processors when None.
        keep_work: Leave the working files in the folder when the run has ended.
        progress: Receives what the run does, see :class:`ProgressEvent`.

    Returns:
        The run; ``candidate.file`` of each of its candidates is an artifact, ``candidate.status`` says whether it is verified.

    Raises:
        UsageError: something that is asked for does not exist or does not fit; nothing heavy was started.
        DiskFull: there was no space left; ``resume`` continues.
    """
    chosen = None if schemes is None and isinstance(model, Spec) else list(schemes or ("fp32",))
    asked = Asked(
        model=model,
        preprocessing=preprocessing,
        labels=labels,
        of_model=model_settings(
            weights=weights,
            pretrained=pretrained,
            random_weights=random_weights,
            num_classes=num_classes,
            class_embeddings=class_embeddings,
        ),
        images=given(calibration=calibration),
        settings=given(
            passes=given(tokens=tokens, form=form) or None,
            export=given(backends=export and list(export), schemes=chosen, embed_preprocessing=embed_preprocessing)
            or None,
            seed=seed,
        ),
    )
    tells = told("export", progress)
    return carry_out(
        asked, out, partial(pipeline.export, resume=resume, where=Where(jobs), keep_work=keep_work, progress=tells)
    )
