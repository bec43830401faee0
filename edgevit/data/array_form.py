"""What kind of values a source of images holds, and whether a model can be fed with them."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing


@dataclass(frozen=True)
class ArrayForm:
    """What the images of an archive are, all alike; those of files are 8-bit RGB."""

    described: str
    """Type and shape as they are stored, such as "float32 [100, 64, 64, 4]"."""
    is_float: bool
    """Floats, else 8 bits."""
    channels: int
    size: tuple[int, int] | None
    """Height and width; None where each image has its own."""


def check_form(form: ArrayForm | None, source: str, contract: Preprocessing) -> None:
    """Refuses images that are not of the kind that a model takes.

    Args:
        form: Of the images; None for those that are decoded to RGB.
        source: Of the images, for the message.
        contract: Of the model.

    Raises:
        UsageError: they have other channels or values, or arrays that are not resized another size; says what to do.
    """
    if form is None:
        _check_decoded(source, contract)
        return
    steps = steps_to_fit(form, contract)
    if steps:
        raise UsageError(
            f'{source} needs an array "images", {_wanted(contract)}; it is {form.described}', "; ".join(steps)
        )


def steps_to_fit(form: ArrayForm, contract: Preprocessing) -> list[str]:
    """Returns what has to be done to arrays before a model takes them; nothing where it does."""
    return _steps_to_array(form, contract) if contract.input == "array" else _steps_to_image(form, contract)


def _check_decoded(source: str, contract: Preprocessing) -> None:
    height, width = contract.input_size
    if contract.input == "array":
        raise UsageError(
            f"{source} holds images of 8 bits, and the model takes arrays as they are (input = array)",
            f'give an .npz with "images" as {_wanted(contract)}, or leave out input',
        )
    if contract.channels not in (1, 3):
        raise UsageError(
            f"{source} holds RGB images, and the model takes {contract.channels} channels of {height} x {width} pixels",
            f'give an .npz with "images" as {_wanted(contract)}',
        )


def _wanted(contract: Preprocessing) -> str:
    height, width = contract.input_size
    if contract.input == "array":
        grey = f" or [n, {height}, {width}]" if contract.channels == 1 else ""
        return f"float32 [n, {height}, {width}, {contract.channels}]{grey}"
    grey = " or [n, h, w]" if contract.channels in (1, 3) else ""
    return f"uint8 [n, h, w, {contract.channels}]{grey}"


def _steps_to_image(form: ArrayForm, contract: Preprocessing) -> list[str]:
    steps = []
    if form.is_float:
        steps.append(
            "give pixels from 0 to 255 as uint8, not normalized: edgevit does that as the model asks; for values that are to be"
            " taken as they are, set input = array (model.preprocessing.input in a spec, --input of a command)"
        )
    wanted = contract.channels
    if form.channels == wanted or {form.channels, wanted} == {1, 3}:
        return steps
    forms = {(2, 1): "drop the alpha channel: images[..., :1]", (4, 3): "drop the alpha channel: images[..., :3]"}
    first = _channels_first(form, wanted)
    other = f"the last axis must be the {wanted} channel{'s'[: wanted > 1]}" if wanted != 3 else None
    return [*steps, forms.get((form.channels, wanted)) or first or other or "the last axis must be red, green, blue"]


def _steps_to_array(form: ArrayForm, contract: Preprocessing) -> list[str]:
    steps = []
    if not form.is_float:
        steps.append("give floats: images.astype(numpy.float32); they are not divided by 255")
    if form.channels != contract.channels or not _has_size(form, contract):
        is_first = form.size is not None and (*form.size, form.channels) == (contract.channels, *contract.input_size)
        first = _channels_first(form, contract.channels) if is_first else None
        least = ", or with tiles a larger one" if contract.tiles else ""
        steps.append(first or f"arrays are not resized: give the size{least} and the channels that the model takes")
    return steps


def _has_size(form: ArrayForm, contract: Preprocessing) -> bool:
    """Whether arrays are of the size that the model takes; larger ones can be fed in tiles."""
    if contract.tiles is None or form.size is None:
        return form.size == contract.input_size
    return all(side >= least for side, least in zip(form.size, contract.input_size, strict=True))


def _channels_first(form: ArrayForm, channels: int) -> str | None:
    if form.size is None or form.size[0] != channels:
        return None
    return 'put the channels last: images.transpose(0, 2, 3, 1), or save layout="NCHW" beside them'
