"""Lines of the script beside an artifact that make a file into what the model takes, see :mod:`edgevit.data.preprocess`."""

from __future__ import annotations

from edgevit.artifacts.use_tiles import tile_lines
from edgevit.data.preprocess import covering_size
from edgevit.results.artifact import Preprocessing
from edgevit.results.contract import Contract

_LEVELS = (
    "LEVELS = ((np.arange(256)[:, None] / 255 - MEAN) / STD).astype(np.float32)  # what each level of a pixel becomes\n"
)
_CROP = '''

def crop(image):
    """Returns the centre of the resized image."""
{resize}
    left, top = round((image.width - WIDTH) / 2), round((image.height - HEIGHT) / 2)
    return np.array(image.crop((left, top, left + WIDTH, top + HEIGHT)))


'''
_IMAGE = '''def load_pixels(path):
    """Returns an image as the model wants it: {given}."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode.startswith("I"):  # 16-bit grey
        image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) // 257).astype(np.uint8))
    pixels = {pixels}
    return {returned}
'''
_NORMALIZED = "np.ascontiguousarray(LEVELS[pixels, range({channels})].transpose(2, 0, 1)[None])"
_RGB = 'crop(image.convert("RGB"))'
_GREY = 'crop(image.convert("RGB").convert("L"))[..., None]'
_PLANES = '''def load_pixels(path):
    """Returns an image, uint8 [height, width, {channels}] in an .npy, as the model wants it: float32 [1, {channels}, height, width]."""
    image = np.load(path)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != {channels}:
        sys.exit(f"{{path}} is {{image.dtype}} {{list(image.shape)}}, not uint8 [height, width, {channels}]")
    planes = [crop(Image.fromarray(np.ascontiguousarray(image[..., channel]))) for channel in range({channels})]
    return np.stack([LEVELS[plane, channel] for channel, plane in enumerate(planes)])[None]
'''
_ARRAY = '''def load_pixels(path):
    """Returns an array, [{height}, {width}, {channels}] in an .npy, as the model wants it: float32 [1, {channels}, {height}, {width}]."""
    values = np.load(path)
    values = values[..., None] if values.ndim == 2 else values
    if values.dtype.kind != "f" or values.shape != (HEIGHT, WIDTH, {channels}):
        sys.exit(f"{{path}} is {{values.dtype}} {{list(values.shape)}}, not float32 [{height}, {width}, {channels}]")
    values = (values.astype(np.float64) - MEAN) / STD
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)
'''
_SQUASH = """    image = image.resize(({columns}, {rows}), Image.Resampling.{filter})  # whatever its aspect ratio"""
_SQUARE = """    if image.width < image.height:  # its shorter side becomes {rows} pixels
        size = {rows}, int(image.height * {rows} / image.width)
    else:
        size = int(image.width * {rows} / image.height), {rows}
    image = image if size == image.size else image.resize(size, Image.Resampling.{filter})"""
_OBLONG = """    ratio = min(image.height / {rows}, image.width / {columns})  # it covers {rows} rows and {columns} columns
    size = round(image.width / ratio), round(image.height / ratio)
    image = image if size == image.size else image.resize(size, Image.Resampling.{filter})"""


def imports_pillow(wanted: Preprocessing) -> str:
    """Returns the line that imports what the lines of :func:`pixel_lines` need of Pillow; empty where they need nothing."""
    if wanted.input == "array":
        return ""
    return f"from PIL import {'Image, ImageOps' if wanted.channels in (1, 3) else 'Image'}\n"


def given_files(wanted: Preprocessing) -> str:
    """Returns what the script is called with: "IMAGE..." or "ARRAY.npy..."."""
    return "IMAGE..." if wanted.input == "image" and wanted.channels in (1, 3) else "ARRAY.npy..."


def pixel_lines(contract: Contract) -> str:
    """Returns the lines that define ``load_pixels``, which does to a file exactly what edgevit does."""
    wanted, embeds = contract.preprocessing, contract.embeds_preprocessing
    height, width = wanted.input_size
    if wanted.input == "array":
        return "\n\n" + _ARRAY.format(height=height, width=width, channels=wanted.channels)
    crop = ("" if embeds else _LEVELS) + _CROP.format(resize=_resize(wanted))
    if wanted.channels not in (1, 3):
        return crop + _PLANES.format(channels=wanted.channels)
    given = "uint8 [1, height, width, 3]" if embeds else f"float32 [1, {wanted.channels}, height, width]"
    normalized = "pixels[None]" if embeds else _NORMALIZED.format(channels=wanted.channels)
    if wanted.tiles is None:
        pixels = _RGB if wanted.channels == 3 else _GREY
        return crop + _IMAGE.format(pixels=pixels, given=given, returned=normalized)
    views, last_axis = (_RGB, "") if wanted.channels == 3 else (_GREY.removesuffix("[..., None]"), "[..., None]")
    return (
        crop
        + tile_lines(wanted, wanted.tiles)
        + _IMAGE.format(
            pixels=f"[pixels{last_axis} for pixels in {views.replace('crop', 'views')}]",
            given=f"each of its tiles, {given}",
            returned=f"[{normalized} for pixels in pixels]",
        )
    )


def _resize(wanted: Preprocessing) -> str:
    """The lines that resize an image before its centre is cropped."""
    rows, columns = covering_size(wanted)
    lines = _SQUASH if wanted.crop_mode == "squash" else _SQUARE if rows == columns else _OBLONG
    return lines.format(rows=rows, columns=columns, filter=wanted.interpolation.upper())
