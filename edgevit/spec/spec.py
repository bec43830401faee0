"""What users write: the spec of a run, as TOML or on the command line, strict and frozen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from edgevit.errors import EdgevitError
from edgevit.spec.normalization import normalization_problem
from edgevit.spec.pruning_plan import NONE as NO_PRUNING
from edgevit.spec.pruning_plan import parse_pruning
from edgevit.spec.recipe import IntegerIo
from edgevit.spec.schemes import AUTO, SCHEMES, parse_schemes
from edgevit.spec.token_plan import AUTO as SEARCHED_PLAN
from edgevit.spec.token_plan import NONE, parse_plans

Positive = Annotated[int, Field(gt=0, lt=2**31)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Minutes = Annotated[float, Field(gt=0, le=100_000)]
Pixels = Annotated[int, Field(gt=0, le=16_384)]
TileSide = Annotated[int, Field(ge=16, le=16_384)]
Given = TypeVar("Given")
Checked = TypeVar("Checked")
Rung = Literal["quick", "full"]
"""How much of a model is fine-tuned."""
Accelerator = Literal["auto", "cpu", "cuda", "mps"]


def _as_path(value: Any) -> Any:
    """Takes a text for a path, but not "", which would be the current folder."""
    if value == "":
        raise ValueError("is empty; give a value, or leave it out")
    return Path(value) if isinstance(value, str) else value


GivenPath = Annotated[Path, BeforeValidator(_as_path)]


def _as_names(value: Any) -> Any:
    """Refuses a single name where several are asked for, and says how they are written."""
    if isinstance(value, str):
        raise ValueError(f"is a list: write [{json.dumps(value)}]")
    return value


def _as_height_and_width(value: Any) -> Any:
    """Refuses a single number for both, and says how it is written."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"is height and width: write [{value}, {value}]")
    return value


def _as_channels(value: Any) -> Any:
    """Refuses a number outside a list, and says how it is written."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"is a list, of a value for each channel or one for all: write [{value}]")
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_names)]


class Section(BaseModel):
    """A part of a user's file: frozen, without unknown keys, and each value of the very type that is asked for."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, str_min_length=1, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _arrays_as_tuples(cls, document: Any) -> Any:
        """Takes the arrays of TOML and JSON, which Python reads as lists, for the tuples that frozen values have."""
        if not isinstance(document, dict):
            return document
        return {key: tuple(value) if isinstance(value, list) else value for key, value in document.items()}


def _as_square(value: Any) -> Any:
    """Takes a single number for height and width."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


class TilesSpec(Section):
    """How a large image is cut into tiles that are fed one by one; all three have to be said."""

    size: Annotated[tuple[TileSide, TileSide], BeforeValidator(_as_square)]
    """Height and width of a tile in pixels of the image, or one number for both."""
    overlap: Annotated[float, Field(ge=0, le=0.9)]
    """Share of a tile that neighbours have in common at least."""
    reduce: Literal["mean", "max", "best"]
    """mean of the tiles' probabilities, max of each class, or best: those of the most confident tile; maps are blended by their
    mean."""


class PreprocessingOverrides(Section):
    """Replaces single values of the preprocessing that the model's own configuration gives."""

    input_size: Annotated[tuple[Pixels, Pixels] | None, BeforeValidator(_as_height_and_width)] = None
    """Height and width in pixels."""
    channels: Annotated[int, Field(gt=0, le=65_536)] | None = None
    """Of the input: 1 for grey, 3 for RGB, any number for arrays; the model's own, or 3, when not given."""
    input: Literal["image", "array"] | None = None
    """array: floats from an .npz as they are, without resizing, and without normalization unless mean or std are given; images
    of 8 bits when not given."""
    mean: Annotated[tuple[float, ...] | None, Field(min_length=1), BeforeValidator(_as_channels)] = None
    """Mean of pixels in 0..1, or of the values of arrays, for each channel or one for all."""
    std: Annotated[tuple[PositiveFloat, ...] | None, Field(min_length=1), BeforeValidator(_as_channels)] = None
    """Standard deviation of pixels in 0..1, or of the values of arrays, for each channel or one for all."""
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = None
    """How an image is resized."""
    crop_pct: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the resized image that the crop keeps."""
    crop_mode: Literal["center", "squash"] | None = None
    """center: by the shorter side; squash: by both, whatever the aspect ratio."""
    tiles: TilesSpec | None = None
    """Tiles that a large image is fed in, such as {size = 224, overlap = 0.1, reduce = "mean"}; as a whole when not given."""

    @model_validator(mode="after")
    def _fits_the_input(self) -> PreprocessingOverrides:
        if self.input == "array":
            resizing = [key for key in ("interpolation", "crop_pct", "crop_mode") if getattr(self, key) is not None]
            if resizing:
                raise ValueError(f"{', '.join(resizing)}: no effect on arrays, which are taken as they are")
            return self
        problem = normalization_problem(self.mean, self.std)
        if problem:
            raise ValueError(f"{problem}; of arrays as they are: input = array")
        return self


class ModelSpec(Section):
    """Which network, and where its weights come from: exactly one of the three ways."""

    name: str
    """A bundled model (digits_vit, digits_cnn), a timm name, "package.module:factory", a captured program (.pt2), a repository of
    Hugging Face for timm ("hf-hub:org/model") or a folder like one ("local-dir:path"), or an image classifier of transformers
    ("transformers:org/model", "transformers:path")."""
    weights: GivenPath | None = None
    """safetensors, or a torch file that holds a state dict."""
    pretrained: bool = False
    """Downloads the weights from timm's own source, or what a repository of Hugging Face holds; of a factory, takes those that it
    loads itself."""
    random_weights: bool = False
    """Accuracy is then not reported."""
    no_ema: bool = False
    """Takes the raw weights of a file that has averaged ones (EMA) too."""
    num_classes: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    """Classes of the model, where they are not its default; 0 for an embedding model, which returns features and not logits."""
    features_only: bool = False
    """Of a timm name: the maps of its stages as outputs, instead of classes."""
    class_embeddings: GivenPath | None = None
    """.npz with ``embeddings`` [classes, width] and ``names``, and if need be ``logit_scale``: makes a zero-shot classifier of an image
    tower, such as CLIP's."""
    preprocessing: PreprocessingOverrides = PreprocessingOverrides()
    """Single values in place of those of the model's own configuration."""
    factory_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Time limit for importing and calling a factory, and running its model once."""

    @model_validator(mode="after")
    def _one_source_of_weights(self) -> ModelSpec:
        if (self.weights is not None) + self.pretrained + self.random_weights > 1:
            raise ValueError("give only one of weights, pretrained and random_weights")
        return self


class DataSpec(Section):
    """Images: "digits", a folder, an .npz, or a calibration manifest (.toml)."""

    evaluation: str | None = None
    """Images that candidates are judged on; accuracy needs labels."""
    also_evaluate: Names = ()
    """Further images with labels, such as shifted ones: candidates are scored on them, too, but judged on the first alone."""
    masks: GivenPath | None = None
    """Folder of PNG masks, one for each evaluation image by its stem, whose pixels are indices of classes, 255 for none; candidates
    are then judged by mIoU."""
    calibration: str | None = None
    """Images for static quantization: a source, or a percentage such as "20%", which holds out that part of the evaluation
    images."""
    train: str | None = None
    """For distillation and fine-tuning; the latter takes the calibration images when not given."""
    samples: Positive | None = None
    """Number of evaluation images, chosen by the seed; all when not given."""
    calibration_samples: Positive | None = None
    """Number of calibration images; up to 128 when not given."""
    class_offset: Annotated[int, Field(ge=-1)] | None = None
    """Output of class 0: 1 if output 0 is a background class, -1 if labels count from 1; 0 when not given."""


class AugmentationSpec(Section):
    """Random views of the training images, which student and teacher see alike."""

    views: Literal["auto", "affine", "crop", "none"] = "auto"
    """affine: turned, shifted and scaled a little; crop: random parts, mirrored and recoloured; none: as they are. auto: crop of
    photos, affine of arrays and of images that the models take in 32 pixels or fewer."""
    least_area: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Smallest share of an image that a crop may have."""
    horizontal_flip: Share = 0.5
    """Share of the crops that are mirrored; 0 where left and right have a meaning."""
    color_jitter: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """By which brightness, contrast and saturation of crops vary; without effect with rand_augment."""
    rand_augment: str | None = None
    """timm's RandAugment of crops, such as "rand-m9-mstd0.5-inc1"; none when not given."""
    random_erasing: Share = 0.0
    """Share of the crops that a rectangle is erased from."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Alpha of Mixup, which blends images of a batch and their labels; 0 for none."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """Alpha of CutMix, which puts a part of one image into another; 0 for none, with Mixup one of both by turns."""

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> AugmentationSpec:
        fields = type(self).model_fields
        for_crops = ("least_area", "horizontal_flip", "color_jitter", "rand_augment", "random_erasing")
        given = [name for name in for_crops if getattr(self, name) != fields[name].default]
        if given and self.views in ("affine", "none"):
            raise ValueError(f'{", ".join(given)}: no effect with views = "{self.views}"; give views = "crop"')
        return self


class DistillSpec(Section):
    """Training of the model before anything else: on the predictions of a teacher, on labels, or on both."""

    teacher: ModelSpec | None = None
    """The model whose predictions are learned; labels alone when not given."""
    epochs: Positive = 1
    """Times that each training image is seen."""
    loss: Literal["kl", "hard", "nkd", "dist"] = "kl"
    """kl: the teacher's probabilities (Hinton et al. 2015); hard: its best class (DeiT); nkd: normalised, target and others apart
    (NKD); dist: correlations of classes and of images (DIST)."""
    temperature: PositiveFloat | None = None
    """By which logits are divided before they are compared; when not given 3 for kl, 1 for nkd and dist; hard has none."""
    use_labels: Literal["auto", "never"] = "auto"
    """auto: used beside the teacher where the images have them."""
    label_weight: Share = 0.5
    """Of the cross entropy with the labels in the loss; the rest is the teacher's."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of a label that is spread over all classes."""
    feature_weight: Annotated[float, Field(ge=0)] = 0.0
    """Of the squared error of the features, where student and teacher have equally wide ones; 0 for none."""
    learning_rate: PositiveFloat | None = None
    """Largest of the schedule; 3e-5, or 1e-3 of a student without weights, when not given."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Of AdamW; none of norms, biases, tokens and position tables."""
    warmup_share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Of all steps, in which the learning rate rises; then it falls as a cosine."""
    batch_size: Annotated[int, Field(ge=2, le=65_536)] = 64
    """Images in each step, of all processes together."""
    augmentation: AugmentationSpec = AugmentationSpec()
    """Random views of the training images."""
    freeze: Annotated[int, Field(ge=0)] | None = None
    """Blocks from the input on that are not trained, nor what is before them; 0 for the embedding alone; none when not given."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None
    """Factor of the learning rate from each layer to the one before; none when not given."""
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of residual branches that a step leaves out at random, rising to this one towards the output."""
    token: bool = False
    """Gives a plain vision transformer DeiT's distillation token, with a head of its own that learns from the teacher."""
    teacher_cache: GivenPath | None = None
    """Folder that keeps the teacher's predictions, so that a later run need not make them again."""
    patience: Positive | None = None
    """Looks at the images kept apart (one an epoch, at most 100 in all) without a better result, after which it stops; all epochs
    when not given."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the forward pass on a GPU; auto: bfloat16 where the GPU has it, else float16; on a processor float32."""
    accelerator: Accelerator = "auto"
    """What to train on; auto takes a GPU where there is one."""
    processes: Annotated[int, Field(ge=1, le=1024)] = 1
    """On this machine, each with a GPU, or a share of the processors, of its own; needs the extra train."""

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> DistillSpec:
        fields = type(self).model_fields
        taught = ("loss", "temperature", "use_labels", "label_weight", "feature_weight", "token", "teacher_cache")
        given = [name for name in taught if getattr(self, name) != fields[name].default]
        if given and self.teacher is None:
            raise ValueError(f"{', '.join(given)}: no effect without a teacher; give distill.teacher (--teacher)")
        if self.teacher_cache is not None and (self.augmentation.mixup or self.augmentation.cutmix):
            raise ValueError(
                "teacher_cache: it keeps what the teacher says to each image by itself, and mixup and cutmix blend images;"
                " leave out one of them"
            )
        if self.teacher_cache is not None and self.feature_weight:
            raise ValueError(
                "teacher_cache: it keeps predictions, and feature_weight asks for features; leave out one of them"
            )
        if self.temperature is not None and self.loss == "hard":
            raise ValueError('temperature: no effect with loss = "hard", which takes the best class of the teacher')
        if self.batch_size < 2 * self.processes:
            raise ValueError(
                f"batch_size = {self.batch_size} is less than 2 images for each of {self.processes} processes"
            )
        return self


class PassesSpec(Section):
    """What is done to the model before export."""

    tokens: str = NONE
    """Token plans separated by commas, each for a candidate of its own, such as "evit:0.7@4,7,10,tome:8,auto"; none, or
    auto, which searches for one."""
    form: Literal["auto", "gather", "arithmetic"] = "auto"
    """How a graph selects tokens; auto makes both, and continues with the one that the devices of the spec support, or
    that measures faster."""

    prune: str = NO_PRUNING
    """What leaves the model as a whole, such as "mlp=0.25,heads=4" or "channels=0.2"; none, or auto, the most that keeps the drop
    allowed."""
    search_minutes: Minutes | None = None
    """Minutes that the token searches of one backend may take; as long as they need when not given."""

    @field_validator("tokens")
    @classmethod
    def _known_plans(cls, value: str) -> str:
        _as_value_error(parse_plans, value)
        return value

    @model_validator(mode="before")
    @classmethod
    def _distill_has_moved(cls, document: Any) -> Any:
        if isinstance(document, dict) and "distill" in document:
            raise ValueError("distill is a section of its own now: write [distill] and [distill.teacher]")
        return document

    @field_validator("prune")
    @classmethod
    def _known_pruning(cls, value: str) -> str:
        _as_value_error(parse_pruning, value)
        return value

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> PassesSpec:
        plans = parse_plans(self.tokens)
        if self.search_minutes is not None and SEARCHED_PLAN not in plans:
            raise ValueError(
                'search_minutes has no effect: no plan is searched for; add "auto" to tokens, or leave it out'
            )
        return self


class FinetuneSpec(Section):
    """Label-free fine-tuning of what is compressed, by self-distillation from the dense float model."""

    mode: Literal["none", "quick", "full", "auto"] = "none"
    """quick: norms, biases, class token and position table; full: all weights; auto: what exceeds the budget without,
    quick first."""
    teacher: Literal["student", "teacher"] = "student"
    """Whose predictions are learned: those of the model itself in float, after distillation, or of the teacher that it was distilled
    from."""
    images_seen: Positive | None = None
    """Views of images in all steps together; 3,200 for quick and 32,000 for full when not given."""
    learning_rate: Annotated[float | None, Field(gt=0)] = None
    """Largest of the schedule; 1e-3 for quick, 5e-5 for full (2e-5 of a network without attention) when not given."""
    feature_weight: Annotated[float, Field(ge=0)] = 1.0
    """Of the squared error of what the last layer reads, beside the KL divergence of the predictions."""
    mixed_share: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the batches whose images are mixed in pairs, each by a share of its own."""
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    """Views of a step."""
    max_minutes: Minutes = 20.0
    """For each fine-tuning, which then makes fewer steps."""
    accelerator: Accelerator = "auto"
    """What to train on; auto takes a GPU where there is one."""

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> FinetuneSpec:
        fields = type(self).model_fields
        others = [name for name, field in fields.items() if name != "mode" and getattr(self, name) != field.default]
        if self.mode == "none" and others:
            raise ValueError(f'{", ".join(others)}: no effect without finetune.mode; give mode = "auto"')
        return self

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """What is tried, cheapest first."""
        by_mode: dict[str, tuple[Rung, ...]] = {"quick": ("quick",), "full": ("full",), "auto": ("quick", "full")}
        return by_mode.get(self.mode, ())


class ExportSpec(Section):
    """Which artifacts are made."""

    backends: Names = ("onnx", "openvino", "tflite")
    """onnx, openvino and tflite, or the names of their runtimes; of these, those that a device of the run reads, when not given."""
    schemes: Names = (AUTO,)
    """Names such as "static_wi8_ai8", which ``edgevit schemes`` lists, or "auto" alone."""
    labels: GivenPath | None = None
    """Text file with the name of a class in each line, in the order of the outputs, for artifacts to carry; the names of class
    folders, or the model's own, when not given."""
    embed_preprocessing: bool = False
    """Whether artifacts take pixels, uint8 [1, height, width, 3], RGB, and normalize them by themselves; images are resized and
    cropped outside as ever."""

    @field_validator("backends")
    @classmethod
    def _distinct_backends(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct(value)

    @field_validator("schemes")
    @classmethod
    def _known_schemes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _as_value_error(parse_schemes, value)


class QuantizeSpec(Section):
    """How far quantization may go to keep the accuracy drop."""

    max_minutes: Minutes = 20.0
    """Minutes for each candidate after which no further rung of the repair ladder is tried."""
    integer_io: IntegerIo = "none"
    """int8 or uint8: integers from input to output, as some NPUs need it; TFLite only."""
    float_layers: Names | None = None
    """Modules such as "blocks.7.mlp.fc2" whose layers stay in float. Each scheme that is named is then made by exactly the first
    recipe of its runtime and these layers, without repair, as a point of ``edgevit search`` was; a list that is empty keeps no
    layer in float. The runtime's first recipe and the repair choose when not given."""


class BudgetSpec(Section):
    """What a candidate may cost to be chosen."""

    metric: str | None = None
    """What candidates are judged by, higher is better: top1, agreement, value, multilabel, or "package.module:function" of
    your own, (outputs, labels) to a float; top1 when not given, without labels agreement."""
    max_drop: Annotated[float, Field(ge=0)] = 1.0
    """Largest loss of the metric against the float model, in percentage points; of a metric that is no percentage, in its own
    unit, and then it has to be given."""
    expect_top1: Annotated[float, Field(ge=0, le=100)] | None = None
    """Top-1 of the float model, in percent, below which the run stops; when not given it has to be better than chance."""

    @model_validator(mode="after")
    def _in_points(self) -> BudgetSpec:
        if self.metric is None and self.max_drop > 100:
            raise ValueError(f"max_drop is in percentage points, 0 to 100, not {self.max_drop:g}")
        return self

    @field_validator("expect_top1")
    @classmethod
    def _in_percent(cls, value: float | None) -> float | None:
        if value is not None and 0 < value <= 1:
            raise ValueError(f"it is in percent: {100 * value:g}, not {value:g}")
        return value


class MeasureSpec(Section):
    """How latency and memory are measured on this host."""

    threads: Positive = 1
    """Threads of the runtime."""
    min_runs: Annotated[int, Field(ge=50, le=10_000_000)] = 50
    """Least number of runs of the first, single measurement."""
    min_seconds: Annotated[float, Field(ge=0, le=86_400)] = 0.5
    """Runs of the first, single measurement continue until both minima are reached; the final round decides."""
    timeout_seconds: Annotated[float, Field(gt=0, le=1_000_000)] = 900.0
    """Seconds without progress after which a child process is ended: a conversion, an evaluation or a measurement."""


class BoardsSpec(Section):
    """Boards on which candidates are measured and chosen, over SSH."""

    on: Names = ()
    """Addresses such as pi@raspberrypi.local, or a Host of ``~/.ssh/config``."""
    python: str = "python3"
    """Python there: a name, or a path that may begin with "~/"."""
    wait_minutes: Annotated[float, Field(ge=0, le=1440)] = 10.0
    """How long to wait for another bench there to end."""

    @field_validator("on")
    @classmethod
    def _distinct_boards(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct(value)


class Spec(Section):
    """A whole run."""

    model: ModelSpec
    """The network and its weights."""
    data: DataSpec = DataSpec()
    """Images to judge, calibrate and train with."""
    distill: DistillSpec | None = None
    """Training of the model before anything else; none when not given."""
    passes: PassesSpec = PassesSpec()
    """What is done to the model before export."""
    finetune: FinetuneSpec = FinetuneSpec()
    """Training back, without labels, what compression lost."""
    export: ExportSpec = ExportSpec()
    """Which artifacts are made."""
    quantize: QuantizeSpec = QuantizeSpec()
    """How far quantization may go."""
    devices: Names = ()
    """Device names to predict latency and memory for."""
    boards: BoardsSpec = BoardsSpec()
    """Boards to measure on and choose for."""
    budget: BudgetSpec = BudgetSpec()
    """What a candidate may cost to be chosen."""
    measure: MeasureSpec = MeasureSpec()
    """How latency and memory are measured on this host."""
    max_minutes: Minutes | None = None
    """Minutes for the whole run: token search and repair ladder stop in time for what has to follow. Without limit when
    not given."""
    quick: bool = False
    """A first look: dense candidates, no repair ladder, a fifth of the evaluation images."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of all sampling and training."""

    @field_validator("devices")
    @classmethod
    def _distinct_devices(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct(value)

    @model_validator(mode="after")
    def _every_key_has_an_effect(self) -> Spec:
        data = self.data
        if data.samples is not None and data.evaluation is None:
            raise ValueError("data.samples (--samples) has no effect without data.evaluation (--data)")
        if data.also_evaluate and data.evaluation is None:
            raise ValueError("data.also_evaluate has no effect without data.evaluation (--data), the set that chooses")
        twice = [name for name in data.also_evaluate if (data.evaluation, *data.also_evaluate).count(name) > 1]
        if twice:
            raise ValueError(f"data.also_evaluate: {twice[0]} is given twice; give each set once")
        if data.masks is not None and (data.evaluation is None or data.also_evaluate):
            raise ValueError(
                "data.masks (--masks) belongs to one set of images, that of data.evaluation (--data); give one"
            )
        if data.calibration_samples is not None and data.calibration is None:
            raise ValueError("data.calibration_samples has no effect without data.calibration (--calibration)")
        if self.export.embed_preprocessing and self.quantize.integer_io != "none":
            raise ValueError(
                "export.embed_preprocessing (--embed-preprocessing) and quantize.integer_io (--integer-io) both say what the input"
                " is: with integers from input to output, normalization is in the scale of the input; leave one of them out"
            )
        floats_only = all(name != AUTO and SCHEMES[name].is_float for name in self.export.schemes)
        if self.finetune.rungs and self.passes.tokens == NONE and self.passes.prune == NO_PRUNING and floats_only:
            raise ValueError(
                "finetune (--finetune) has no effect where nothing is compressed; give a token plan (--tokens), --prune or an int8"
                " scheme (--scheme)"
            )
        if self.quantize.float_layers is not None and (floats_only or AUTO in self.export.schemes):
            raise ValueError(
                "quantize.float_layers is for schemes that are named, and not float ones: give --scheme static_wi8_ai8, or leave it out"
            )
        if not self.boards.on and self.boards != BoardsSpec():
            raise ValueError(
                "boards.python (--python) and boards.wait_minutes (--wait) have no effect without boards.on (--on)"
            )
        if data.train is not None and self.distill is None and not self.finetune.rungs:
            raise ValueError("data.train (--train) has no effect without [distill] (--teacher) or --finetune")
        if self.finetune.teacher == "teacher" and (self.distill is None or self.distill.teacher is None):
            raise ValueError(
                'finetune.teacher = "teacher" (--finetune-teacher) needs a teacher: distill.teacher (--teacher)'
            )
        if data.train is None and self.distill is not None:
            raise ValueError("distillation needs images to train on: data.train (--train), apart from all others")
        return self

    @property
    def sha256(self) -> str:
        """Digest of the resolved spec; two specs that ask for the same have the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Refuses a name that is given twice."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is given twice; give it once")
    return names


def _as_value_error(check: Callable[[Given], Checked], value: Given) -> Checked:
    """Lets pydantic collect an edgevit error together with all others."""
    try:
        return check(value)
    except EdgevitError as error:
        raise ValueError(f"{error.message} ({error.hint})" if error.hint else error.message) from error
