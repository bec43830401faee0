"""The script beside an artifact, run as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgevit.api.load import load
from edgevit.artifacts.use_script import USE_SCRIPT, use_script
from edgevit.backends import all_backends, backend_names, get_backend
from edgevit.backends.litert import use as of_litert
from edgevit.backends.onnxruntime import use as of_onnxruntime
from edgevit.backends.openvino import use as of_openvino
from edgevit.data.preprocess import fed_views, preprocess, to_rgb
from edgevit.results.artifact import Preprocessing
from tests.factories import make_contract


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Digits in files of different sizes, kinds and orientations."""
    from edgevit.data.images import open_images

    folder, images = tmp_path_factory.mktemp("photos"), open_images("digits")
    picture = images.image("digits-0010")
    grey = np.asarray(picture.convert("L")).astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "plain.png")
    picture.resize((90, 60), Image.Resampling.BICUBIC).save(folder / "wide.jpg")
    picture.resize((33, 75), Image.Resampling.BICUBIC).transpose(Image.Transpose.ROTATE_90).save(
        folder / "turned.jpg", exif=exif
    )
    Image.fromarray(grey).save(folder / "deep.png")
    picture.convert("RGBA").save(folder / "clear.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("name", backend_names())
def test_it_answers_as_edgevit_does(name: str, digits_files: dict[str, Path], photos: list[Path]) -> None:
    path = digits_files[name]
    command = [sys.executable, "-I", str(path.with_name(USE_SCRIPT)), *map(str, photos)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=photos[0].parent)
    assert done.returncode == 0, done.stderr
    lines, classifier = done.stdout.splitlines(), load(path)
    assert len(lines) == 6 * len(photos)
    for place, photo in enumerate(photos):
        head, *answers = lines[6 * place : 6 * place + 6]
        expected = [f"{probability:8.2%}  {label}" for label, probability in classifier.classify(photo)[:5]]
        assert (head, answers[0]) == (str(photo), expected[0])
        assert sorted(answers) == sorted(expected)  # equal probabilities may stand in another order


def test_it_says_how_it_is_called(digits_files: dict[str, Path]) -> None:
    script = digits_files["onnxruntime"].with_name(USE_SCRIPT)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "usage: python use.py IMAGE...")


@pytest.mark.parametrize(
    "wanted",
    [
        Preprocessing((32, 32), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear", 0.875),
        Preprocessing((24, 40), (0.5,) * 3, (0.5,) * 3, "bicubic", 0.9),
        Preprocessing((24, 40), (0.5,) * 3, (0.5,) * 3, "lanczos", 0.95, "squash"),
        Preprocessing((17, 17), (0.0,) * 3, (1.0,) * 3, "nearest", 1.0),
    ],
)
def test_it_prepares_images_exactly_as_edgevit_does(wanted: Preprocessing, tmp_path: Path) -> None:
    contract = make_contract(preprocessing=wanted)
    text = use_script(get_backend("onnxruntime"), "model.onnx", contract).replace("import onnxruntime\n", "")
    functions: dict[str, object] = {"__file__": str(tmp_path / USE_SCRIPT)}
    exec(text[: text.index("def load_model")], functions)
    load_pixels = functions["load_pixels"]
    assert callable(load_pixels)
    for place, size in enumerate([(50, 50), (61, 40), (33, 90), (40, 24), (3, 200)]):
        pixels = np.random.default_rng(place).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        path = tmp_path / f"{place}.png"
        Image.fromarray(pixels).save(path)
        np.testing.assert_array_equal(load_pixels(path), preprocess(to_rgb(Image.open(path)), wanted)[None])


def test_pixels_that_the_model_normalizes_stay_as_they_are(tmp_path: Path) -> None:
    contract = make_contract(layout="NHWC", embeds_preprocessing=True)
    text = use_script(get_backend("onnxruntime"), "model.onnx", contract).replace("import onnxruntime\n", "")
    assert "MEAN" not in text
    functions: dict[str, object] = {"__file__": str(tmp_path / USE_SCRIPT)}
    exec(text[: text.index("def load_model")], functions)
    load_pixels = functions["load_pixels"]
    assert callable(load_pixels)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 61, 3), dtype=np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(pixels).save(path)
    found, expected = load_pixels(path), next(fed_views(to_rgb(Image.open(path)), contract.fed))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_names_of_classes_stay_texts() -> None:
    names = ("a'b", 'a"b', "{brace}", "\\n", "x\ny", "é")
    for backend in all_backends():
        text = use_script(backend, "model", replace(make_contract(), classes=names))
        found = re.search(r"^CLASSES = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
        assert found
        assert tuple(eval(found[1])) == names
    assert "\nCLASSES = []\n" in use_script(get_backend("litert"), "model.tflite", make_contract(classes=()))


def test_only_openvino_has_a_choice_of_precision() -> None:
    assert of_litert.loading_lines("f32") == of_litert.loading_lines("fastest")
    assert of_onnxruntime.loading_lines("f32") == of_onnxruntime.loading_lines("fastest")
    assert '"INFERENCE_PRECISION_HINT": "bf16"' in of_openvino.loading_lines("bf16")
    assert "HINT" not in of_openvino.loading_lines("fastest")
