"""Options that several commands share, and the conversion of the command line into part of a spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgevit.errors import UsageError

if TYPE_CHECKING:
    from edgevit.spec.spec import PreprocessingOverrides

MODEL, IMAGES, ARTIFACTS, CHOICE = "Model", "Images", "Artifacts", "Choice"
MEASUREMENT, RUN, OUTPUT = "Measurement", "Run", "Output"
"""Groups of options in the help of a command."""
PRECISIONS = ("f32", "bf16", "fastest")

ArtifactFile = Annotated[
    Path, typer.Argument(metavar="ARTIFACT", help="An .onnx, .xml or .tflite file.", show_default=False)
]
Target = Annotated[
    str,
    typer.Argument(
        metavar="SPEC.toml|MODEL",
        help="A spec, a bundled model, a timm name, or package.module:factory.",
        show_default=False,
    ),
]
Precision = Annotated[
    str, typer.Option(rich_help_panel=RUN, help="f32, bf16, or fastest: let the runtime choose its float precision.")
]
Weights = Annotated[
    Path | None, typer.Option(rich_help_panel=MODEL, help="safetensors, or a torch file that holds a state dict.")
]
TeacherWeights = Annotated[
    Path | None,
    typer.Option(rich_help_panel=MODEL, help="Weights of the teacher; a bundled one has its own.", show_default=False),
]
Pretrained = Annotated[
    bool,
    typer.Option(
        "--pretrained",
        rich_help_panel=MODEL,
        help="Download timm's weights, or a repository of Hugging Face; of a factory: those that it loads itself.",
    ),
]
ClassEmbeddings = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=MODEL,
        help="Embeddings and names of classes (.npz), which make a zero-shot classifier of an image tower such as CLIP's.",
    ),
]
RandomWeights = Annotated[
    bool, typer.Option("--random-weights", rich_help_panel=MODEL, help="For trying out; accuracy is not reported.")
]
Calibration = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=IMAGES,
        help="Images for static quantization: a source as for --data, or a part of it, such as 20%.",
    ),
]
Data = Annotated[
    str | None,
    typer.Option(rich_help_panel=IMAGES, help="Images to evaluate: digits, a folder, an .npz, or a manifest (.toml)."),
]
DataSets = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        rich_help_panel=IMAGES,
        help="Images to evaluate: digits, a folder, an .npz, or a manifest (.toml). Repeated: further sets, which do not"
        " choose.",
    ),
]
Samples = Annotated[
    int | None, typer.Option(min=1, rich_help_panel=IMAGES, help="Evaluate on that many images, sampled with the seed.")
]
ClassOffset = Annotated[
    int | None,
    typer.Option(
        min=-1,
        rich_help_panel=IMAGES,
        help="Output of class 0: 1 if output 0 is a background class, -1 if labels count from 1.",
        show_default=False,
    ),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        rich_help_panel=IMAGES,
        help="Masks of --data: a .png for each image by its stem, pixels are classes, 255 none. Judged by mIoU.",
        show_default=False,
    ),
]
Metric = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=CHOICE,
        help="What to judge by, not top-1: agreement, value, multilabel, cosine, snr, miou, or package.module:function.",
        show_default=False,
    ),
]
ExpectTop1 = Annotated[
    float | None,
    typer.Option(
        metavar="PERCENT",
        rich_help_panel=CHOICE,
        help="Stop if the float model recognizes fewer images; chance when not given.",
    ),
]
NoEma = Annotated[
    bool,
    typer.Option(
        "--no-ema", rich_help_panel=MODEL, help="Take the raw weights of a checkpoint that has averaged ones (EMA) too."
    ),
]
Exports = Annotated[
    str | None, typer.Option("--export", rich_help_panel=ARTIFACTS, help="onnx,openvino,tflite, or some of them.")
]
Schemes = Annotated[
    str | None, typer.Option("--scheme", rich_help_panel=ARTIFACTS, help="auto, or names such as fp32,static_wi8_ai8.")
]
Tokens = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=ARTIFACTS,
        help="none, auto, or plans such as evit:0.7, tome:8, squeeze:0.8@4,7, resolution:192.",
    ),
]
Prune = Annotated[
    str | None,
    typer.Option(
        metavar="PLAN",
        rich_help_panel=ARTIFACTS,
        help="Remove units as a whole and refit the rest: mlp=0.25, heads=4, channels=0.2, several with commas; macs=0.8; auto.",
    ),
]
Form = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=ARTIFACTS, help="Export form of token selection: gather, arithmetic, or auto, which tries both."
    ),
]
Accelerator = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=ARTIFACTS, help="What to train on: auto, cpu, cuda or mps; auto takes a GPU where there is one."
    ),
]
Profile = Annotated[
    str | None, typer.Option(rich_help_panel=RUN, help="A shipped recipe; `edgevit profiles` lists them.")
]
Threads = Annotated[int | None, typer.Option(min=1, rich_help_panel=RUN, help="CPU threads; 1 when not given.")]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        rich_help_panel=RUN,
        help="Any other key of the spec, such as model.preprocessing.crop_pct=1.0.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, rich_help_panel=RUN, help="Tasks side by side; as many as there are processors when not given."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        rich_help_panel=RUN,
        help="Carry tasks out on the workers of this scheduler, such as tls://desk:8786: see `edgevit worker`.",
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        rich_help_panel=RUN,
        help="Keep what tasks make in this folder or bucket (s3://…), where further runs find it.",
    ),
]
Tls = Annotated[
    Path | None, typer.Option(rich_help_panel=RUN, help="Folder with the certificate and key of the cluster.")
]
ReuseMeasurements = Annotated[
    bool,
    typer.Option(
        "--reuse-measurements",
        rich_help_panel=RUN,
        help="Take over from --store also what another run has timed on the same machine.",
    ),
]
KeepWork = Annotated[
    bool, typer.Option("--keep-work", rich_help_panel=RUN, help="Leave the working files in the run folder at the end.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", rich_help_panel=RUN, help="A line for every stage, not only for candidates.")
]
RequireStable = Annotated[
    bool,
    typer.Option(
        "--require-stable",
        rich_help_panel=CHOICE,
        help="Exit 1 where the machine was too noisy for a latency to be relied on, or changed meanwhile.",
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        metavar="M | R,G,B", rich_help_panel=IMAGES, help="Mean of pixels in 0..1, if the file does not state it."
    ),
]
Std = Annotated[
    str | None,
    typer.Option(metavar="S | R,G,B", rich_help_panel=IMAGES, help="Standard deviation of pixels in 0..1, likewise."),
]
Interpolation = Annotated[
    str | None, typer.Option(rich_help_panel=IMAGES, help="bicubic, bilinear, nearest or lanczos.")
]
CropPct = Annotated[
    float | None,
    typer.Option(
        rich_help_panel=IMAGES, help="Share of the resized image that the crop keeps; 1 when nobody states it."
    ),
]
CropMode = Annotated[
    str | None, typer.Option(rich_help_panel=IMAGES, help="center, or squash: ignore the aspect ratio.")
]
InputKind = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="KIND",
        rich_help_panel=IMAGES,
        help="image, or array: floats of an .npz or .npy as they are.",
    ),
]
Tiles = Annotated[
    str | None,
    typer.Option(
        metavar="size=S,overlap=O,reduce=R",
        rich_help_panel=IMAGES,
        help="Feed large images in tiles: pixels of a tile, least overlap 0..0.9, and mean, max or best of the tiles.",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        rich_help_panel=IMAGES, help="Text file that names the class of each output, one a line, in their order."
    ),
]
EmbedPreprocessing = Annotated[
    bool,
    typer.Option(
        "--embed-preprocessing",
        rich_help_panel=ARTIFACTS,
        help="Artifacts take pixels, uint8 RGB [1, height, width, 3], and normalize them by themselves.",
    ),
]
Candidate = Annotated[
    str | None,
    typer.Option(
        metavar="RANK|ID",
        rich_help_panel=CHOICE,
        help="Which candidate, by its rank in the run's table or its id; the chosen one when not given.",
    ),
]
Json = Annotated[bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print one JSON document on stdout.")]
Wide = Annotated[
    bool,
    typer.Option(
        "--wide",
        rich_help_panel=OUTPUT,
        help="Show all columns of the candidates' table, in lines as long as they need to be.",
    ),
]
Layers = Annotated[
    bool, typer.Option("--layers", rich_help_panel=OUTPUT, help="One file: show the time of each layer.")
]
Plot = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        rich_help_panel=OUTPUT,
        help="With --layers: folder for layers.png and roofline.png.",
        show_default=False,
    ),
]
WideLayers = Annotated[
    bool,
    typer.Option(
        "--wide",
        rich_help_panel=OUTPUT,
        help="With --layers: show every layer and all columns, however long the lines.",
    ),
]
Out = Annotated[
    Path | None, typer.Option(rich_help_panel=RUN, help="Folder of the run; runs/<model>-<time> when not given.")
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel=RUN,
        help="Continue the run in --out, whatever stopped it; begin it where there is none.",
    ),
]


def check_layers(layers: bool, plot: Path | None, wide: bool) -> None:
    """Refuses the options of ``--layers`` without it.

    Raises:
        UsageError: one is given.
    """
    for option, given in {"--plot": plot is not None, "--wide": wide}.items():
        if given and not layers:
            raise UsageError(f"{option} is for --layers", f"add it, or leave out {option}")


def split(names: str | None) -> list[str] | None:
    """Returns the names in "a,b"; None for None.

    Raises:
        UsageError: one is empty.
    """
    if names is None:
        return None
    given = [name.strip() for name in names.split(",")]
    if not all(given):
        raise UsageError(f"{names!r} holds an empty name", "write names with one comma between")
    return given


def nested(**values: Any) -> dict[str, Any]:
    """Returns a nested document of what the user gave.

    Args:
        **values: Keys with "__" between the levels; None and False mean "not given".

    Raises:
        UsageError: a key is given twice.
    """
    document: dict[str, Any] = {}
    for key, value in values.items():
        if value is not None and value is not False:
            _put(document, key.split("__"), value)
    return document


def with_settings(document: dict[str, Any], settings: list[str] | None) -> dict[str, Any]:
    """Adds ``KEY=VALUE`` settings to a document and returns it; a value is read as TOML, else as text.

    Raises:
        UsageError: a setting is not of that form, or its key is in the document already.
    """
    import contextlib

    from edgevit.spec.toml_files import parse_toml

    for setting in settings or []:
        key, equals, text = setting.partition("=")
        if not equals or not all(part.strip() for part in key.split(".")) or not text.strip():
            raise UsageError(f"--set {setting!r} is not KEY=VALUE", "such as --set model.preprocessing.crop_pct=1.0")
        value: Any = text
        with contextlib.suppress(ValueError):
            value = parse_toml(f"value = {text}")["value"]
        _put(document, key.split("."), value)
    return document


def _put(document: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        document = document.setdefault(part, {})
        if not isinstance(document, dict):
            raise UsageError(
                f"{'.'.join(path)}: {part} is a value, not a section", "`edgevit schema spec` has the keys"
            )
    if path[-1] in document:
        raise UsageError(f"{'.'.join(path)} is given twice", "give it once: by its own option, or with --set")
    document[path[-1]] = value


def spec_file_or_model(target: str) -> tuple[Path | None, str | None]:
    """Returns the spec file, or else the model's name, that the first argument of a command is: .toml means a spec."""
    return (Path(target), None) if target.endswith(".toml") else (None, target)


def check_resume(resume: bool, out: Path | None) -> None:
    """Refuses ``--resume`` where nothing says which run is meant.

    Raises:
        UsageError: there is no ``--out``.
    """
    if resume and out is None:
        raise UsageError("--resume needs --out", "give --out DIR, the folder of the run; it begins there if it is new")


def refuse_with(option: str, others: Mapping[str, object], why: str) -> None:
    """Refuses options that have no effect beside another one.

    Args:
        option: The one that is given.
        others: By name, values of those that have no effect beside it; None, False and empty mean "not given".
        why: They have none, for the message.

    Raises:
        UsageError: names those that are given.
    """
    given = [name for name, value in others.items() if value]
    if given:
        raise UsageError(
            f"{' and '.join(given)} {'has' if len(given) == 1 else 'have'} no effect with {option}: {why}",
            f"leave out {' and '.join(given)}, or {option}",
        )


def refuse_without(option: str, others: Mapping[str, object]) -> None:
    """Refuses options that have an effect only beside another one, which is not given.

    Args:
        option: The one that is not given.
        others: By name, values of those that need it; None, False and empty mean "not given".

    Raises:
        UsageError: names those that are given.
    """
    given = [name for name, value in others.items() if value]
    if given:
        verb = "has" if len(given) == 1 else "have"
        raise UsageError(
            f"{' and '.join(given)} {verb} no effect without {option}",
            f"add {option}, or leave out {' and '.join(given)}",
        )


def check_json_place(subcommand: str | None, as_json: bool) -> None:
    """Refuses ``--json`` before the command of a group, where it would have no effect.

    Args:
        subcommand: The command of the group that is called; None for the group alone.
        as_json: Whether the group has the option.

    Raises:
        UsageError: both are given.
    """
    if as_json and subcommand:
        raise UsageError(f"--json stands before {subcommand}", f"give it after the command: {subcommand} --json")


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Checks the value of an option.

    Raises:
        UsageError: it is not among the choices.
    """
    from edgevit.errors import unknown_name

    if value not in choices:
        raise unknown_name(option, value, choices)


def preprocessing(
    mean: str | None = None,
    std: str | None = None,
    interpolation: str | None = None,
    crop_pct: float | None = None,
    crop_mode: str | None = None,
    input_kind: str | None = None,
) -> PreprocessingOverrides:
    """Returns what the command line says of preprocessing.

    Raises:
        UsageError: a value is not one that is possible.
    """
    from edgevit.spec.spec import PreprocessingOverrides
    from edgevit.spec.toml_files import validate

    given = nested(
        mean=channels("--mean", mean),
        std=channels("--std", std),
        interpolation=interpolation,
        crop_pct=crop_pct,
        crop_mode=crop_mode,
        input=input_kind,
    )
    return validate(PreprocessingOverrides, given, "command line")


def with_tiles(overrides: PreprocessingOverrides, text: str | None) -> PreprocessingOverrides:
    """Adds what ``--tiles`` says to the rest of preprocessing; see :func:`parse_tiles`.

    Raises:
        UsageError: it is not of its form, or a value is not one that is possible.
    """
    from edgevit.spec.spec import TilesSpec
    from edgevit.spec.toml_files import validate

    asked = parse_tiles(text)
    return overrides if asked is None else overrides.model_copy(update={"tiles": validate(TilesSpec, asked, "--tiles")})


def parse_tiles(text: str | None) -> dict[str, Any] | None:
    """Parses "size=224,overlap=0.1,reduce=mean", as ``--tiles`` has it, into a document of a spec; None for None.

    Raises:
        UsageError: it is not of that form.
    """
    if text is None:
        return None
    form = "such as --tiles size=224,overlap=0.1,reduce=mean: all three, reduce mean, max or best; size also 224x320"
    pairs = [part.partition("=") for part in text.split(",")]
    given = {key.strip(): value.strip() for key, _, value in pairs}
    if len(given) < len(pairs) or set(given) != {"size", "overlap", "reduce"}:
        raise UsageError(f"--tiles {text!r} does not say size, overlap and reduce, each once", form)
    try:
        sides = [int(side) for side in given["size"].split("x")]
        overlap = float(given["overlap"])
    except ValueError as error:
        raise UsageError(f"--tiles {text!r}: size is in pixels, overlap a share of a tile", form) from error
    return {"size": sides[0] if len(sides) == 1 else sides, "overlap": overlap, "reduce": given["reduce"]}


def channels(option: str, text: str | None) -> tuple[float, ...] | None:
    """Parses one number for all channels, or one for each; None for None.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    form = f"such as {option} 0.5, or {option} 0.485,0.456,0.406 for red, green and blue: commas, no spaces"
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a number, or one for each channel with commas between", form
        ) from error
