"""Layers of a file, predicted and measured, and their pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.commands import layers, probes
from edgevit.commands.layers import LAYERS, ROOFLINE, check_pictures, draw, of_op_times
from edgevit.errors import UsageError
from edgevit.results.document import from_json
from edgevit.results.layer_times import LayerTime, LayerTimes
from edgevit.results.op_times import OpTimes
from tests.factories import make_layer_times

PROBE = str(probes.probe_path(".onnx"))
SCALE = LayerTime("scale", "Mul", "elementwise", 0.5, 0, 16, "float32")
PROFILED = OpTimes("onnxruntime", "a profiler", 2, "f32", 1.0, 0.9, (SCALE,))


def test_layers_of_a_prediction_are_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    assert run(["profile", PROBE, "--device", "raspberry-pi-5", "--layers", "--json"]) == 0
    out = capsys.readouterr().out
    assert {layer.kind for layer in from_json(LayerTimes, out.encode()).layers} == {"elementwise"}
    document = json.loads(out)
    assert document["p50_ms"] == document["predictions"][0]["latency_ms"]["p50"]


def test_what_a_device_cannot_run_has_no_layers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx")
    assert run(["profile", PROBE, "--device", "coral-edge-tpu", "--layers", "--plot", str(tmp_path / "new")]) == 1
    assert "no layers: no latency is predicted" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_measured_layers_are_shown_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(layers, "profile_file", lambda *_: PROFILED)
    assert run(["bench", PROBE, "--layers", "--plot", str(tmp_path / "new"), "--device", "raspberry-pi-5"]) == 0
    out = capsys.readouterr().out
    assert "sum of 1 layer: 0.500 ms, 50 % of the whole run" in out
    assert [path.name for path in (tmp_path / "new").iterdir()] == [LAYERS]  # nothing has a rate
    assert run(["bench", PROBE, "--layers", "--json"]) == 0
    assert from_json(LayerTimes, capsys.readouterr().out.encode()).layers == (SCALE,)


def test_a_profile_says_with_what_it_ran() -> None:
    found: LayerTimes = of_op_times(PROFILED, "ONNX Runtime", None)
    assert (found.device, found.unit, found.source) == ("host", "ONNX Runtime, 2 threads, f32", "measured")
    assert (found.p50_ms, found.fastest_ms, found.layers) == (1.0, 0.9, (SCALE,))


def test_both_pictures_are_drawn_where_layers_have_rates(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert draw("model.onnx", make_layer_times(), tmp_path) == (tmp_path / LAYERS, tmp_path / ROOFLINE)


def test_pictures_need_matplotlib_and_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(layers, "is_installed", lambda _: True)
    check_pictures(tmp_path / "new")
    with pytest.raises(UsageError, match="is a file"):
        check_pictures(tmp_path / "file")
    monkeypatch.setattr(layers, "is_installed", lambda _: False)
    check_pictures(None)
    with pytest.raises(UsageError, match="matplotlib") as caught:
        check_pictures(tmp_path)
    assert caught.value.hint == "pip install 'edgevit[report]'"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("profile", PROBE, "--device", "raspberry-pi-5", "--plot", "p"), "--plot is for --layers"),
        (("profile", PROBE, "--device", "raspberry-pi-5", "--wide"), "--wide is for --layers"),
        (("profile", PROBE, "--device", "a", "--device", "b", "--layers"), "--layers is of one device"),
        (("profile", PROBE, "--device", "raspberry-pi-6", "--layers"), "raspberry-pi-6"),
        (("bench", PROBE, "--device", "raspberry-pi-5"), "--device is for --layers"),
        (("bench", PROBE, "--wide"), "--wide is for --layers"),
        (("bench", PROBE, "--layers", "--op-times"), "do not go together"),
        (("bench", PROBE, PROBE, "--layers"), "--layers takes one file"),
        (("bench", PROBE, "--layers", "--min-runs", "60"), "--min-runs has no effect with --layers"),
        (("bench", PROBE, "--layers", "--device", "hailo-8"), "no peak rate of its processor is known"),
    ],
)
def test_exit_2_for_options_that_do_not_fit(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    assert message in capsys.readouterr().err
