"""Files that others made: `edgevit eval` and `bench` give the known answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgevit.artifacts.feed import image_size, run_once
from edgevit.backends import backend_of_file
from edgevit.data.images import Samples
from edgevit.data.prepared import PreparedImages
from edgevit.results.artifact import Preprocessing

HALF = ("--mean", "0.5", "--std", "0.5")
IMAGENET = ("--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")
BACKGROUND = ("--class-offset", "1")
LISTED = {
    "tflite/mobilenet_v2_1.0_224_keras_ptq_int8.tflite": (0.790, "imagenet_val", (*HALF, *BACKGROUND)),
    "tflite/mobilenet_v1_0.25_128_qat_uint8.tflite": (0.524, "imagenet_val", (*HALF, *BACKGROUND)),
    "tflite/mobilenet_v1_0.5_160_qat_uint8.tflite": (0.687, "imagenet_val", (*HALF, *BACKGROUND)),
    "tflite/mobilenet_v1_0.25_224_float.tflite": (0.643, "imagenet_val", (*HALF, *BACKGROUND)),
    "tflite/mobilenet_v2_1.0_224_pytorch_nchw_int8.tflite": (0.745, "imagenet_val", IMAGENET),
    "tflite/efficientnet_lite0_flowers5_int8.tflite": (0.933, "flowers5", ("--mean", "0", "--std", "1")),
    "onnx/mobilenet_v2_torchvision_qdq_uint8.onnx": (0.672, "imagenet_val", IMAGENET),
}
"""Top-1 as published with the files, the images, and how they are normalized."""


def edgevit(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgevit", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTED)
def test_eval_gives_the_listed_top1(name: str, shared_data: Path) -> None:
    top1, images, options = LISTED[name]
    file = shared_data / "edge_models" / name
    done = edgevit("eval", file, "--data", shared_data / images, "--crop-mode", "squash", "--json", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"]["top1"] == pytest.approx(top1, abs=0.0011)  # listed to 0.1 points


@pytest.mark.parametrize("name", [name for name, (_, images, _) in LISTED.items() if images == "imagenet_val"])
def test_every_predicted_class_is_the_known_one(name: str, shared_data: Path) -> None:
    known = json.loads((shared_data / "edge_models" / "expected.json").read_text())["imagenet_val_first64"][name]
    imagenet_normalization = "ImageNet mean/std" in known["preprocess"]
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if imagenet_normalization else ((0.5,) * 3, (0.5,) * 3)
    file = shared_data / "edge_models" / name
    session = backend_of_file(file).open_session(file, 1, "f32")
    contract = Preprocessing(image_size(session.inputs[0]), mean, std, "bicubic", 1.0, "squash")
    images = PreparedImages(Samples(str(shared_data / "imagenet_val"), tuple(known["files"])), contract)
    predicted = [int(run_once(session, batch).argmax()) - known["class_offset"] for batch in images.batches()]
    assert predicted == known["pred_class_index"]


def test_a_third_partys_network_gives_its_own_logits(shared_data: Path) -> None:
    folder = shared_data / "edge_models" / "onnx"
    session = backend_of_file(folder / "cct_2_32x32_fp32.onnx").open_session(folder / "cct_2_32x32_fp32.onnx", 1, "f32")
    with (
        np.load(folder / "cct_2_32x32_fp32.inputs.npz") as given,
        np.load(folder / "cct_2_32x32_fp32.outputs.npz") as known,
    ):
        (images,), (logits,) = given.values(), known.values()
    (found,) = session.run((images.astype(np.float32).reshape(session.inputs[0].shape),))
    np.testing.assert_allclose(found.ravel(), logits.ravel(), atol=1e-5)


def test_a_full_int8_file_gives_its_known_answer(shared_data: Path) -> None:
    name = "tflite/mobilevit_xxs_128_10class_int8.tflite"
    known = json.loads((shared_data / "edge_models" / "expected.json").read_text())["zero_input_output"][name]
    session = backend_of_file(shared_data / "edge_models" / name).open_session(
        shared_data / "edge_models" / name, 1, "f32"
    )
    (found,) = session.run((np.zeros(session.inputs[0].shape, np.int8),))
    assert found.ravel().tolist() == known


@pytest.mark.parametrize("command", ["bench", "eval"])
def test_a_file_that_needs_flex_ops_gets_a_clear_error(command: str, shared_data: Path) -> None:
    file = shared_data / "edge_models" / "tflite" / "mobilevit_xxs_256_flowers5_flexops.tflite"
    options = {"eval": ["--data", shared_data / "flowers5", *HALF]}.get(command, [])
    done = edgevit(command, file, *options)
    assert done.returncode == 2
    assert "FlexTranspose" in done.stderr
    assert "hint: " in done.stderr
    assert done.stdout == ""


def test_a_file_that_needs_flex_ops_gets_no_latency(shared_data: Path) -> None:
    file = shared_data / "edge_models" / "tflite" / "mobilevit_xxs_256_flowers5_flexops.tflite"
    done = edgevit("profile", file, "--device", "raspberry-pi-5")
    assert done.returncode == 1
    assert "FlexTranspose" in done.stdout + done.stderr
    assert "unsupported" in done.stdout


def test_bench_measures_a_third_party_file(shared_data: Path) -> None:
    file = shared_data / "edge_models" / "tflite" / "mobilenet_v1_0.25_128_qat_uint8.tflite"
    done = edgevit("bench", file, "--min-seconds", "0", "--json")
    assert done.returncode == 0, done.stderr
    measurement = json.loads(done.stdout)["measurement"]
    assert len(measurement["samples_ms"]) == measurement["conditions"]["runs"] >= 50
    assert 0 < measurement["latency_ms"]["min"] <= measurement["latency_ms"]["p50"] <= measurement["latency_ms"]["p99"]
