"""Files of anyone to int8: the same numbers as a run's recipe gives, judged against the float file, and refusals."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.artifacts.make import MadeArtifact  # noqa: E402
from edgevit.backends import Backend, get_backend  # noqa: E402
from edgevit.commands import quantize  # noqa: E402
from edgevit.commands.file_judge import open_metric  # noqa: E402
from edgevit.commands.file_trials import FileTrials  # noqa: E402
from edgevit.commands.float_file import FileQuantization, ReadFloatJob, read_float_file  # noqa: E402
from edgevit.commands.quantize import quantize_file  # noqa: E402
from edgevit.errors import CandidateFailed, UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture  # noqa: E402
from edgevit.results.artifact import TensorSpec  # noqa: E402
from edgevit.results.candidate import Attempt  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.recipe import Recipe  # noqa: E402
from edgevit.spec.spec import ModelSpec, PreprocessingOverrides  # noqa: E402

DIGITS = load_model(ModelSpec(name="digits_cnn"))
CONTRACT = PreprocessingOverrides(mean=DIGITS.preprocessing.mean, std=DIGITS.preprocessing.std)


def float_file(backend: Backend, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return backend.export(capture(DIGITS.module, DIGITS.preprocessing.input_size), folder)


def asked_of(artifact: Path, backend: Backend, folder: Path) -> FileQuantization:
    return FileQuantization(
        artifact=artifact,
        out=folder / f"int8{backend.suffix}",
        calibration="digits:calibration",
        evaluation="digits",
        scheme="static_wi8_ai8",
        preprocessing=CONTRACT,
        class_offset=None,
        max_drop=1.0,
        max_minutes=5.0,
        threads=1,
    )


@pytest.mark.parametrize(
    ("metric", "limit", "message"),
    [("snr", None, "unit of its own"), ("cosine", 101.0, "no drop in percentage points"), (None, -1.0, "no drop")],
)
def test_a_limit_is_in_the_unit_of_the_metric(
    metric: str | None, limit: float | None, message: str, tmp_path: Path
) -> None:
    asked = asked_of(tmp_path / "m.onnx", get_backend("onnxruntime"), tmp_path)
    with pytest.raises(UsageError, match=message):
        open_metric(replace(asked, metric=metric, max_drop=limit))


@pytest.mark.parametrize(
    "name", ["onnxruntime", *(pytest.param(each, marks=pytest.mark.slow) for each in ("openvino", "litert"))]
)
def test_a_file_without_its_run_becomes_int8(name: str, tmp_path: Path) -> None:
    backend = get_backend(name)
    artifact = float_file(backend, tmp_path / "float")
    found = quantize_file(asked_of(artifact, backend, tmp_path), Silent())
    assert found.path == tmp_path / f"int8{backend.suffix}"
    assert backend.read_graph(found.path).int8_mac_share > 0.5
    assert backend.open_session(found.path, 1, "fastest").run((np.zeros((1, 3, 32, 32), np.float32),))[0].shape == (
        1,
        10,
    )
    assert found.float_top1 is not None
    assert found.float_top1 > 0.95
    assert found.drop_points <= 1.0
    assert found.size_after < found.size_before
    assert found.left_out == ()
    carried = backend.read_contract(found.path)
    assert carried is not None
    assert (carried.scheme, carried.layout, carried.classes) == ("static_wi8_ai8", "NCHW", ())
    assert (carried.preprocessing.input_size, carried.preprocessing.mean) == ((32, 32), DIGITS.preprocessing.mean)


@pytest.mark.slow
def test_without_labels_it_is_judged_by_agreement(tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    asked = replace(asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path), evaluation=None)
    found = quantize_file(asked, Silent())
    assert found.accuracy.top1 is None
    assert found.accuracy.agreement is not None
    assert found.drop_points == pytest.approx(100 * (1 - found.accuracy.agreement))


@pytest.mark.slow
def test_the_ladder_is_climbed_without_the_rungs_that_need_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = get_backend("onnxruntime")
    attempt = FileTrials.attempt

    def loses(self: FileTrials, rung: str, recipe: Recipe) -> Attempt:
        return replace(attempt(self, rung, recipe), drop_points=50.0 - len(self.made))

    monkeypatch.setattr(FileTrials, "attempt", loses)
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    found = quantize_file(asked, Silent())
    names = [each.rung for each in found.attempts]
    assert names[0] == "policy"
    assert "layers in float: 2" in names
    assert not {"equalize", "bias correction"} & set(names)
    assert found.left_out == ("equalize", "bias correction")
    assert found.chosen.drop_points == min(each.drop_points for each in found.attempts if each.drop_points is not None)
    assert found.chosen != found.attempts[0]


def test_the_int8_file_itself_is_refused(tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    found = quantize_file(asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path), Silent())
    with pytest.raises(UsageError, match="is not a float32 file: its layers are static"):
        read_float_file(ReadFloatJob("onnxruntime", found.path, ()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preprocessing": PreprocessingOverrides()}, "cannot know how its images are normalized"),
        ({"out": Path("int8.tflite")}, r"does not end in \.onnx"),
        ({"scheme": "fp32"}, "fp32 is a float scheme"),
        ({"scheme": "static_wi2"}, "static_wi2"),
        ({"evaluation": "noise:4"}, "noise:4 has no labels"),
        ({"evaluation": None, "metric": "top1"}, "--metric top1 needs labels"),
        ({"metric": "miou"}, "masks, which quantize does not take"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, object], said: str, tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    with pytest.raises(UsageError, match=said):
        quantize_file(replace(asked, **changes), Silent())  # type: ignore[arg-type]
    assert not asked.out.exists()


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    asked.out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists"):
        quantize_file(asked, Silent())
    assert asked.out.read_bytes() == b"mine"


def test_weights_beside_it_stay_too(tmp_path: Path) -> None:
    backend = get_backend("openvino")
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    weights = tmp_path / "int8.bin"
    weights.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"int8\.bin exists") as caught:
        quantize_file(asked, Silent())
    assert caught.value.hint == "remove it, or choose another --out"
    assert (weights.read_bytes(), asked.out.exists()) == (b"mine", False)


def test_files_of_weights_are_written_over_no_other(tmp_path: Path) -> None:
    """Of an artifact that turns out to have them, under a name of its own."""
    folder, out = tmp_path / "made", tmp_path / "int8.onnx"
    folder.mkdir()
    for name in ("model.onnx", "weights.data"):
        (folder / name).write_bytes(name.encode())
    spec = TensorSpec("x", (1,), "float32", "")
    files = (folder / "model.onnx", folder / "weights.data")
    made = MadeArtifact(files[0], files, (spec,), (spec,), 1, 1, 1.0, "", 0, 0)
    (tmp_path / "weights.data").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"weights\.data exists"):
        quantize._write(made, out)
    assert ((tmp_path / "weights.data").read_bytes(), out.exists()) == (b"mine", False)
    (tmp_path / "weights.data").unlink()
    quantize._write(made, out)
    assert (out.read_bytes(), (tmp_path / "weights.data").read_bytes()) == (b"model.onnx", b"weights.data")


def test_preprocessing_is_embedded_in_what_was_quantized_and_not_a_second_time(tmp_path: Path) -> None:
    backend = get_backend("onnxruntime")
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    found = quantize_file(replace(asked, embed_preprocessing=True), Silent())
    carried = backend.read_contract(found.path)
    assert carried is not None
    assert (carried.embeds_preprocessing, carried.layout) == (True, "NHWC")
    assert carried.preprocessing.mean == DIGITS.preprocessing.mean
    (given,) = backend.open_session(found.path, 1, "f32").inputs
    assert (given.dtype, given.shape) == ("uint8", (1, 32, 32, 3))
    assert found.float_top1 is not None and found.float_top1 > 0.95
    assert found.drop_points <= 1.0
    plain = asked.artifact
    backend.embed_normalization(plain, *(DIGITS.preprocessing.mean, DIGITS.preprocessing.std))
    with pytest.raises(UsageError, match="takes uint8, not float32: normalization is in its graph") as caught:
        read_float_file(ReadFloatJob("onnxruntime", plain, ()))
    assert caught.value.hint and "--embed-preprocessing then puts it into the quantized one" in caught.value.hint


@pytest.mark.slow
def test_nothing_that_works_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend("onnxruntime")

    def fails(self: object, rung: str, recipe: Recipe) -> Attempt:
        return Attempt(rung, recipe, None, None, None, 0.0, "the quantizer gave up")

    monkeypatch.setattr(FileTrials, "attempt", fails)
    asked = asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path)
    with pytest.raises(CandidateFailed, match="the quantizer gave up"):
        quantize_file(asked, Silent())
    assert not asked.out.exists()


@pytest.mark.parametrize(
    ("metric", "max_drop", "said"),
    [
        ("value", None, "the largest drop is not said, and value has a unit of its own"),
        ("multilabel", 101.0, "no drop in percentage points"),
        (None, 101.0, "no drop in percentage points"),
        ("snr", float("nan"), "--max-drop nan is no drop of a metric"),
        ("nowhere", 1.0, "unknown metric: 'nowhere'"),
    ],
)
def test_a_metric_is_checked_before_anything_is_read(
    metric: str | None, max_drop: float | None, said: str, tmp_path: Path
) -> None:
    asked = asked_of(tmp_path / "float.onnx", get_backend("onnxruntime"), tmp_path)
    with pytest.raises(UsageError, match=said):
        quantize_file(replace(asked, metric=metric, max_drop=max_drop), Silent())


_OWN = """
def share(outputs, labels):
    return (outputs.argmax(axis=1) == labels).mean()


def raises(outputs, labels):
    raise KeyError("depth")
"""


def test_an_own_metric_judges_in_its_own_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quantizing_metric.py").write_text(_OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    backend = get_backend("onnxruntime")
    asked = replace(asked_of(float_file(backend, tmp_path / "float"), backend, tmp_path), max_drop=0.01)
    found = quantize_file(replace(asked, metric="quantizing_metric:share"), Silent())
    metric = found.accuracy.metric
    assert metric is not None and found.float_top1 is not None
    assert (metric.value, metric.unit) == (pytest.approx(found.accuracy.top1), "")
    assert found.drop_points == metric.drop == pytest.approx(found.float_top1 - metric.value)
    with pytest.raises(UsageError, match=r"KeyError: 'depth' .*quantizing_metric\.py, line 7"):
        quantize_file(replace(asked, metric="quantizing_metric:raises", out=tmp_path / "other.onnx"), Silent())
    assert not (tmp_path / "other.onnx").exists()
