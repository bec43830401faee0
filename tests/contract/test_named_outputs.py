"""Models that are no classifiers on every backend: exported, quantized and used with their outputs by name."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from edgevit.artifacts.feed import run_once  # noqa: E402
from edgevit.artifacts.output_differences import compare_outputs  # noqa: E402
from edgevit.artifacts.outputs import split_rows  # noqa: E402
from edgevit.artifacts.use_script import USE_SCRIPT, use_script  # noqa: E402
from edgevit.artifacts.verify import FLOAT_TOLERANCE, verify_signature  # noqa: E402
from edgevit.backends import backend_names, get_backend  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.outputs import NamedOutputs, as_rows, outputs_of  # noqa: E402
from edgevit.quantization.policy import Target, first_recipe  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.output import Output  # noqa: E402

# isort: split
from tests.factories import make_contract  # noqa: E402
from tests.several_outputs import SIDE, EmbeddingAndMaps  # noqa: E402

OUTPUTS = (Output("zoomed", (4, 8, 8)), Output("embedding", (6,)), Output("body", (16, 8, 8)))
IMAGES = np.random.default_rng(0).standard_normal((8, 3, SIDE, SIDE)).astype(np.float32)


@cache
def module() -> NamedOutputs:
    return NamedOutputs(EmbeddingAndMaps().eval())


WANTED = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """The float and the static int8 artifact of every backend."""
    made, program = {}, capture(module(), (SIDE, SIDE))
    for name in backend_names():
        backend, folder = get_backend(name), tmp_path_factory.mktemp(name)
        made[name, "fp32"] = backend.export(program, folder)
        recipe = first_recipe(backend.policy, "static_wi8_ai8", Target("cnn", False, "none", ("avx512_vnni",)))
        quantized = tmp_path_factory.mktemp(f"{name}-int8")
        made[name, "static_wi8_ai8"] = backend.quantize(made[name, "fp32"], recipe, IMAGES, quantized)
    return made


def rows_of(name: str, path: Path) -> np.ndarray:
    session = get_backend(name).open_session(path, 1, "f32")
    verify_signature(session.inputs, session.outputs, WANTED, OUTPUTS, "float32")
    return np.concatenate([run_once(session, image[None]) for image in IMAGES])


@cache
def expected() -> np.ndarray:
    with torch.inference_mode():
        found = module()(torch.from_numpy(IMAGES))
        assert outputs_of(module()(torch.from_numpy(IMAGES[:1]))) == OUTPUTS
        return np.asarray(as_rows(found).numpy())


@pytest.mark.parametrize("name", backend_names())
def test_every_output_is_as_in_pytorch(name: str, files: dict[tuple[str, str], Path]) -> None:
    rows = rows_of(name, files[name, "fp32"])
    found = compare_outputs(rows, expected(), "pytorch", FLOAT_TOLERANCE, OUTPUTS)
    assert found.passed
    assert [each.name for each in found.outputs] == ["zoomed", "embedding", "body"]


@pytest.mark.parametrize("name", backend_names())
def test_int8_keeps_names_shapes_and_real_values(name: str, files: dict[tuple[str, str], Path]) -> None:
    path = files[name, "static_wi8_ai8"]
    graph = get_backend(name).read_graph(path)
    assert graph.numerics == "static int8" or graph.layer_share("int8_static") > 0.9
    found = compare_outputs(rows_of(name, path), expected(), "pytorch", None, OUTPUTS)
    for output in found.outputs:
        assert output.snr_db is not None
        assert 20 < output.snr_db < 60
        assert output.cosine > 0.99


@pytest.mark.parametrize("name", backend_names())
def test_the_script_prints_every_output(name: str, files: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    path, backend = files[name, "fp32"], get_backend(name)
    contract = make_contract(preprocessing=WANTED, classes=(), scheme="fp32", outputs=OUTPUTS)
    backend.write_contract(path, contract)
    assert backend.read_contract(path) == contract
    script = path.with_name(USE_SCRIPT)
    script.write_text(use_script(backend, path.name, contract))
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    command = [sys.executable, "-I", str(script), str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head == str(tmp_path / "a.png")
    session = backend.open_session(path, 1, "f32")
    outputs = split_rows(run_once(session, preprocess(Image.fromarray(pixels), WANTED)[None]), OUTPUTS)
    assert [line.split(":")[0] for line in lines] == [
        "  zoomed [1, 4, 8, 8]",
        "  embedding [1, 6]",
        "  body [1, 16, 8, 8]",
    ]
    for line, values in zip(lines, outputs.values(), strict=True):
        low, high = (float(number) for number in line.split(": ")[1].split(", ")[0].split(" to "))
        assert (low, high) == pytest.approx((values.min(), values.max()), rel=1e-4)
