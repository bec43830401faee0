"""Files that are no classifiers, scored beside the float file that they were made from."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.cli.app import run  # noqa: E402
from edgevit.commands.eval import FileEvaluation, evaluate_file  # noqa: E402
from edgevit.commands.float_file import FileQuantization  # noqa: E402
from edgevit.commands.quantize import quantize_file  # noqa: E402
from edgevit.data.preprocess import preprocess  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.model.program.outputs import NamedOutputs  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.output import Output  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.spec import PreprocessingOverrides, TilesSpec  # noqa: E402

# isort: split
from tests.factories import make_contract  # noqa: E402
from tests.several_outputs import SIDE, Embedding, EmbeddingAndMaps  # noqa: E402

OUTPUTS = (Output("zoomed", (4, 8, 8)), Output("embedding", (6,)), Output("body", (16, 8, 8)))
NOTHING = PreprocessingOverrides()


@pytest.fixture(scope="module")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three outputs, with its contract."""
    backend = get_backend("onnxruntime")
    path = backend.export(capture(NamedOutputs(EmbeddingAndMaps().eval()), (SIDE, SIDE)), tmp_path_factory.mktemp("f"))
    wanted = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3)
    backend.write_contract(path, make_contract(preprocessing=wanted, classes=(), scheme="fp32", outputs=OUTPUTS))
    return path


def question(artifact: Path, reference: Path | None, class_offset: int | None = None) -> FileEvaluation:
    return FileEvaluation(artifact, "digits", NOTHING, class_offset, 6, 1, "f32", reference=reference)


def test_int8_of_a_file_of_several_outputs_is_judged_by_cosine(float_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "int8.onnx"
    asked = FileQuantization(
        artifact=float_file,
        out=out,
        calibration="digits:calibration",
        evaluation=None,
        scheme="static_wi8_ai8",
        preprocessing=NOTHING,
        class_offset=None,
        max_drop=1.0,
        max_minutes=1.0,
        threads=1,
    )
    made = quantize_file(asked, Silent())
    metric = made.accuracy.metric
    assert metric is not None
    assert (metric.name, made.accuracy.top1, made.accuracy.agreement) == ("cosine", None, None)
    assert 0.99 < metric.value < 1
    assert made.drop_points == pytest.approx(100 * (1 - metric.value))
    contract = get_backend("onnxruntime").read_contract(out)
    assert contract is not None
    assert (contract.outputs, contract.scheme) == (OUTPUTS, "static_wi8_ai8")
    found = evaluate_file(question(out, float_file), Silent())
    assert [output.name for output in found.outputs] == ["zoomed", "embedding", "body"]
    assert found.accuracy.metric is not None
    assert found.accuracy.metric.value == pytest.approx(min(output.cosine for output in found.outputs))
    assert all(output.snr_db is not None and 20 < output.snr_db < 60 for output in found.outputs)
    with pytest.raises(UsageError, match="--class-offset is given, and .* has no classes"):
        quantize_file(replace(asked, out=tmp_path / "b.onnx", class_offset=1), Silent())


def test_a_file_is_identical_to_itself(float_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--data", "digits", "--samples", "4", "--metric", "snr", "--reference", str(float_file))
    assert run(("eval", str(float_file), *options)) == 0
    shown = capsys.readouterr().out
    assert "snr 100 dB to the reference on 4 images of digits" in shown
    assert shown.count("identical") == 3
    assert shown.count("1.00000") == 3


def test_without_a_reference_the_next_step_is_told(float_file: Path) -> None:
    with pytest.raises(UsageError, match=r"is no classifier: it gives zoomed \[4, 8, 8\], embedding \[6\]") as caught:
        evaluate_file(question(float_file, None), Silent())
    assert caught.value.hint and "--reference FLOAT_FILE" in caught.value.hint


def test_what_cannot_be_compared_is_refused(float_file: Path, tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    for name, side in (("small", 8), ("row", SIDE)):
        (tmp_path / name).mkdir()
        module = Embedding() if name == "row" else NamedOutputs(EmbeddingAndMaps())
        backend.export(capture(module.eval(), (side, side)), tmp_path / name)
    with pytest.raises(UsageError, match="takes images of 16 x 16 pixels, --reference .* 8 x 8"):
        evaluate_file(question(float_file, tmp_path / "small" / "model.onnx"), Silent())
    with pytest.raises(UsageError, match=r"gives zoomed .*, --reference .* logits \[6\]"):
        evaluate_file(question(float_file, tmp_path / "row" / "model.onnx"), Silent())
    with pytest.raises(UsageError, match="--class-offset has no effect where outputs are no classes"):
        evaluate_file(question(float_file, float_file, class_offset=1), Silent())
    for metric, reference, said in (
        ("cosine", None, "cosine compares with the float model, and here is a file alone"),
        ("multilabel", float_file, "multilabel compares with labels, and --reference with the outputs"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate_file(replace(question(float_file, reference), metric=metric), Silent())
    with pytest.raises(UsageError, match="no such file"):
        evaluate_file(question(float_file, tmp_path / "nowhere.onnx"), Silent())
    shutil.copy(float_file, tmp_path / "reference.bin")
    with pytest.raises(UsageError, match="no backend reads .bin"):
        evaluate_file(question(float_file, tmp_path / "reference.bin"), Silent())


def test_a_map_is_scored_by_masks(float_file: Path, tmp_path: Path) -> None:
    images, masks = tmp_path / "images", tmp_path / "masks"
    for folder in (images, masks):
        folder.mkdir()
    random = np.random.default_rng(0)
    session = get_backend("onnxruntime").open_session(float_file, 1, "f32")
    for name in ("a", "b"):
        picture = Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
        picture.save(images / f"{name}.png")
        zoomed = session.run((preprocess(picture, Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3))[None],))[0]
        answer = zoomed[0].argmax(0).astype(np.uint8)  # 8 x 8, of the image's 16 x 16
        Image.fromarray(np.repeat(np.repeat(answer, 2, 0), 2, 1)).save(masks / f"{name}.png")
    asked = replace(question(float_file, None), data=str(images), samples=None, masks=masks)
    metric = evaluate_file(asked, Silent()).accuracy.metric
    assert metric is not None
    assert (metric.name, metric.value) == ("miou", 1.0)
    for changes, said in (
        ({"reference": float_file}, "--reference and --masks are given"),
        ({"masks": None, "metric": "miou"}, "miou compares with masks"),
        ({"masks": tmp_path / "nowhere"}, "no such folder of masks"),
    ):
        with pytest.raises(UsageError, match=said):
            evaluate_file(replace(asked, **changes), Silent())


class _Map(torch.nn.Module):
    """A map of two classes at half the resolution: which of red and green is brighter."""

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"map": torch.nn.functional.avg_pool2d(images[:, :2], 2)}


def test_maps_of_tiles_are_scored_by_whole_masks(tmp_path: Path) -> None:
    """The mask of the whole image, of which a tile sees a quarter: all pixels are right, but only if maps lie where their tiles do."""
    backend, out = get_backend("onnxruntime"), (Output("map", (2, 8, 8)),)
    path = backend.export(capture(NamedOutputs(_Map().eval()), (SIDE, SIDE)), tmp_path)
    wanted = Preprocessing((SIDE, SIDE), (0.5,) * 3, (0.5,) * 3, crop_pct=0.9)
    backend.write_contract(path, make_contract(preprocessing=wanted, classes=(), scheme="fp32", outputs=out))
    images, masks = tmp_path / "images", tmp_path / "masks"
    for place, size in ((images, (28, 40)), (masks, (28, 40))):
        place.mkdir()
        classes = np.random.default_rng(0).integers(0, 2, (size[0] // 2, size[1] // 2)).repeat(2, 0).repeat(2, 1)
        pixels = np.stack([255 * (classes == 0), 255 * (classes == 1), 0 * classes], axis=2).astype(np.uint8)
        Image.fromarray(pixels if place == images else classes.astype(np.uint8)).save(place / "a.png")
    tiles = TilesSpec(size=(SIDE, SIDE), overlap=0.25, reduce="mean")
    asked = replace(question(path, None), data=str(images), samples=None, masks=masks)
    tiled = replace(asked, preprocessing=PreprocessingOverrides(tiles=tiles))
    metric = evaluate_file(tiled, Silent()).accuracy.metric
    assert metric is not None
    assert metric.value == 1.0
    worst = tiles.model_copy(update={"reduce": "max"})
    with pytest.raises(UsageError, match="maps are blended by their mean, and the tiles say reduce=max"):
        evaluate_file(replace(asked, preprocessing=PreprocessingOverrides(tiles=worst)), Silent())
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(images / "b.png")
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(masks / "b.png")
    with pytest.raises(UsageError, match="of 2 sizes"):
        evaluate_file(tiled, Silent())
