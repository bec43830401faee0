"""The examples: run on images of digits, and built where their tools are; the index says which were not run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("torch")

from edgevit.api.load import load
from edgevit.artifacts.embed import EmbedJob, embed_preprocessing
from edgevit.backends import get_backend
from edgevit.data.images import open_images
from edgevit.data.prepared import PreparedImages

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two digits of the size that the model takes, one of them wide."""
    folder, images = tmp_path_factory.mktemp("photos"), open_images("digits")
    images.image(images.ids[0]).save(folder / "a.png")
    images.image(images.ids[1]).resize((90, 60)).save(folder / "b.png")
    return folder


@pytest.fixture(scope="module")
def embedded(digits_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Copies that take pixels, by backend."""
    found = {}
    for name, plain in digits_files.items():
        carried = get_backend(name).read_contract(plain)
        assert carried is not None
        images = PreparedImages(open_images("noise:2").samples, carried.preprocessing)
        contract = replace(carried, layout="NHWC", embeds_preprocessing=True)
        job = EmbedJob(name, plain, contract, images, 1, tmp_path_factory.mktemp("embedded") / name)
        found[name] = embed_preprocessing(job).main
    return found


def run(script: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(EXAMPLES / script), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def expected(model: Path, photo: Path) -> list[str]:
    return [f"{probability:8.2%}  {label}" for label, probability in load(model).classify(photo)[:5]]


def test_the_camera_loop_names_the_images_of_a_folder(embedded: dict[str, Path], photos: Path) -> None:
    done = run("raspberry_pi/camera.py", embedded["litert"], "--folder", photos)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    for place, photo in enumerate(sorted(photos.iterdir())):
        assert re.fullmatch(rf"{photo.name} \([\d.]+ ms\)", lines[6 * place])
        assert lines[6 * place + 1 : 6 * place + 6] == expected(embedded["litert"], photo)


@pytest.mark.parametrize("pixels", [False, True])
def test_openvino_in_python_answers_as_edgevit_does(
    pixels: bool, embedded: dict[str, Path], digits_files: dict[str, Path], photos: Path
) -> None:
    model = (embedded if pixels else digits_files)["openvino"]
    done = run("openvino/classify.py", model, *sorted(photos.iterdir()))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    for place, photo in enumerate(sorted(photos.iterdir())):
        assert lines[6 * place] == str(photo)
        assert lines[6 * place + 1] == expected(model, photo)[0]


def test_constants_are_those_of_the_file(embedded: dict[str, Path], digits_files: dict[str, Path]) -> None:
    header = run("constants.py", embedded["onnxruntime"], "cpp").stdout
    assert "kHeight = 32, kWidth = 32;" in header
    assert 'std::array<const char*, 10> kClasses = {{"0", "1", "2", "3"' in header
    kotlin = run("constants.py", embedded["onnxruntime"], "kotlin").stdout
    assert kotlin.splitlines()[1:4] == ["const val HEIGHT = 32", "const val WIDTH = 32", kotlin.splitlines()[3]]
    refused = run("constants.py", digits_files["onnxruntime"], "cpp")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "does not take pixels: make it with --embed-preprocessing" in refused.stderr
    assert "usage: python constants.py" in run("constants.py", "model.onnx", "java").stderr


def built(name: str, settings: list[str], embedded: dict[str, Path], folder: Path) -> Path:
    """Builds a program in C++ for a model, or skips and says what is missing."""
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    header = folder / "model.hpp"
    header.write_text(run("constants.py", embedded["onnxruntime"], "cpp").stdout, encoding="utf-8")
    configure = ["cmake", "-S", EXAMPLES / "cpp", "-B", folder / "build", f"-DMODEL_HPP={header}", *settings]
    for command in (configure, ["cmake", "--build", folder / "build", "--target", f"classify_{name}"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "build" / f"classify_{name}"


def settings_of(name: str) -> list[str]:
    """How CMake finds a runtime; skips where it would not."""
    if name == "openvino":
        utils = pytest.importorskip("openvino.utils")
        return [f"-DOpenVINO_DIR={utils.get_cmake_path()}"]
    variable = f"{name.upper()}_ROOT"
    if variable not in os.environ:
        pytest.skip(f"no package registry has the headers: ${variable} is not set, the folder that has them")
    return [f"-D{variable}={os.environ[variable]}"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "litert"])
def test_a_program_in_cpp_answers_as_edgevit_does(
    name: str, embedded: dict[str, Path], photos: Path, tmp_path: Path
) -> None:
    program = built(name, settings_of(name), embedded, tmp_path)
    image = Image.open(photos / "a.png").convert("RGB")
    image.save(tmp_path / "digit.ppm")
    image.resize((128, 96)).save(tmp_path / "large.ppm")
    command = [program, embedded[name], tmp_path / "digit.ppm", tmp_path / "large.ppm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == str(tmp_path / "digit.ppm")
    assert lines[1] == expected(embedded[name], photos / "a.png")[0]
    assert lines[7].split()[1] == lines[1].split()[1]  # smoothed in another way, the same digit
    (tmp_path / "broken.ppm").write_bytes((tmp_path / "digit.ppm").read_bytes()[:-1])
    broken = subprocess.run(
        [program, embedded[name], tmp_path / "broken.ppm"], capture_output=True, text=True, check=False
    )
    assert (broken.returncode, broken.stderr) == (1, f"{tmp_path / 'broken.ppm'} is cut off\n")


def test_the_index_has_every_example_and_says_which_were_not_run() -> None:
    index = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    sources = [path for path in sorted(EXAMPLES.rglob("*")) if path.suffix in (".py", ".cpp", ".kt")]
    for path in sources:
        assert path.relative_to(EXAMPLES).as_posix() in index
    for folder in ("raspberry_pi", "openvino", "cpp", "android"):
        assert (EXAMPLES / folder / "README.md").is_file()
    for page in ("android", "cpp"):
        assert "not run here" in (EXAMPLES / page / "README.md").read_text(encoding="utf-8").lower()
    for row in ("cpp/onnxruntime.cpp", "cpp/litert.cpp", "android/Classifier.kt"):
        assert re.search(rf"^\| \[{row}\].*\| not run here \|$", index, re.MULTILINE)
