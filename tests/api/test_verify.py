"""A file is compared with what it came from: a module, a program, a model by name, or a float file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from torch import nn  # noqa: E402

import edgevit  # noqa: E402
from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.digits import load_split  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture, save_program  # noqa: E402
from edgevit.results.contract import Contract  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

MODEL = load_model(ModelSpec(name="digits_cnn"))
IMAGES = np.stack([np.asarray(image) for image in load_split("test").images[:8]])


class Louder(nn.Module):
    """The same network with logits that are 1 % larger."""

    def __init__(self) -> None:
        super().__init__()
        self.network = MODEL.module

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images) * 1.01


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the network as a captured program, and its ONNX file with and without a contract."""
    folder = tmp_path_factory.mktemp("verify")
    program = capture(MODEL.module, MODEL.preprocessing.input_size)
    save_program(program, folder / "model.pt2")
    for name in ("plain", "told"):
        (folder / name).mkdir()
        file = get_backend("onnxruntime").export(program, folder / name)
    contract = Contract(MODEL.preprocessing, "NCHW", MODEL.class_names, "fp32", "ab" * 32, "0.1.0")
    get_backend("onnxruntime").write_contract(file, contract)
    return folder


@pytest.mark.parametrize(
    ("reference", "called"),
    [
        (lambda folder: MODEL.module, "pytorch"),
        pytest.param(lambda folder: "digits_cnn", "pytorch", marks=pytest.mark.slow),
        pytest.param(lambda folder: ModelSpec(name="digits_cnn"), "pytorch", marks=pytest.mark.slow),
        pytest.param(lambda folder: folder / "model.pt2", "pytorch", marks=pytest.mark.slow),
        (lambda folder: str(folder / "plain" / "model.onnx"), "model.onnx"),
    ],
)
def test_the_float_file_computes_what_its_model_does(
    reference: Callable[[Path], nn.Module | ModelSpec | Path | str], called: str, made: Path
) -> None:
    found = edgevit.verify(made / "told" / "model.onnx", reference(made), IMAGES)
    assert found.passed
    assert found.max_rel_diff < 1e-5
    assert (found.samples, found.top1_agreement) == (8, 1.0)
    assert found.reference.endswith(called)


@pytest.mark.slow
def test_another_model_fails_unless_the_tolerance_allows_it(made: Path) -> None:
    file = made / "told" / "model.onnx"
    found = edgevit.verify(file, Louder().train(), IMAGES)
    assert not found.passed
    assert found.max_rel_diff == pytest.approx(0.01 / 1.01, rel=0.01)
    assert edgevit.verify(file, Louder(), IMAGES, tolerance=0.02, samples=4).passed


@pytest.mark.slow
def test_a_file_without_a_contract_is_told_its_preprocessing(made: Path) -> None:
    file = made / "plain" / "model.onnx"
    with pytest.raises(edgevit.UsageError, match="carries no contract"):
        edgevit.verify(file, MODEL.module, IMAGES)
    assert edgevit.verify(file, MODEL.module, IMAGES, preprocessing=MODEL.preprocessing).passed


def test_files_that_are_not_there_are_named(made: Path) -> None:
    with pytest.raises(edgevit.UsageError, match=r"nowhere\.onnx"):
        edgevit.verify("nowhere.onnx", MODEL.module, IMAGES)
    with pytest.raises(edgevit.UsageError, match=r"nowhere\.pt2"):
        edgevit.verify(made / "told" / "model.onnx", "nowhere.pt2", IMAGES)
    with pytest.raises(edgevit.UsageError, match="digits_cn"):
        edgevit.verify(made / "told" / "model.onnx", "digits_cn", IMAGES)


@pytest.mark.slow
def test_a_model_with_other_outputs_is_told_so(made: Path) -> None:
    class Three(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    with pytest.raises(edgevit.CheckFailed, match="shape"):
        edgevit.verify(made / "told" / "model.onnx", Three(), IMAGES)


@pytest.mark.slow
def test_maps_are_compared_output_by_output(tmp_path: Path) -> None:
    class Maps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, 2, 1)

        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.first(images)
            return {"low": found, "high": found.mean(dim=(2, 3))}

    torch.manual_seed(0)
    module = Maps().eval()
    file = get_backend("onnxruntime").export(capture(module, (8, 8)), tmp_path)
    plain = edgevit.Preprocessing((8, 8), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    found = edgevit.verify(file, module, IMAGES, preprocessing=plain)
    assert found.passed
    assert found.top1_agreement is None
    assert sorted(each.name for each in found.outputs) == ["high", "low"]
