"""Execution providers: the CPU's unless another is asked for, and never another than was asked for without a word."""

from __future__ import annotations

from pathlib import Path

import pytest

ort = pytest.importorskip("onnxruntime")

from edgevit.backends import get_backend  # noqa: E402
from edgevit.backends.onnxruntime import providers  # noqa: E402
from edgevit.commands import probes  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"
PROBE = probes.probe_path(".onnx")


def open_probe() -> str:
    return get_backend("onnxruntime").open_session(PROBE, 1, "f32").delegate


def test_the_processor_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (None, "", "cpu"):
        monkeypatch.delenv(providers.VARIABLE, raising=False)
        if value is not None:
            monkeypatch.setenv(providers.VARIABLE, value)
        assert open_probe() == providers.CPU


def test_a_provider_that_is_not_installed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(providers.VARIABLE, "cuda")
    monkeypatch.setattr(ort, "get_available_providers", lambda: [providers.CPU])
    with pytest.raises(UsageError, match="has no CUDAExecutionProvider: it has CPUExecutionProvider"):
        open_probe()
    monkeypatch.setenv(providers.VARIABLE, "gpu")
    with pytest.raises(UsageError, match="unknown EDGEVIT_ONNXRUNTIME_PROVIDER: 'gpu'"):
        open_probe()


def test_a_provider_that_is_listed_and_does_not_load_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if CUDA in ort.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    monkeypatch.setenv(providers.VARIABLE, "cuda")
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, providers.CPU])
    with pytest.raises(UsageError, match="CUDAExecutionProvider could not be loaded: ONNX Runtime would use CPU"):
        open_probe()


def test_tensorrt_leaves_to_cuda_before_the_processor() -> None:
    names = [
        each if isinstance(each, str) else each[0]
        for each in providers.providers_of("tensorrt", [providers.CPU, CUDA, TENSORRT])
    ]
    assert names == [TENSORRT, CUDA, providers.CPU]
    assert providers.providers_of("tensorrt", [TENSORRT, providers.CPU]) == [TENSORRT, providers.CPU]


def test_nodes_are_counted_by_the_provider_that_ran_them() -> None:
    """On the processor, by a real profile."""
    options = ort.SessionOptions()
    with providers.profile_of(options) as count:
        session = ort.InferenceSession(str(PROBE), options, providers=[providers.CPU])
        (given,) = session.get_inputs()
        import numpy as np

        session.run(None, {given.name: np.zeros(given.shape, np.float32)})
        written = session.end_profiling()
        found = count(written)
    assert list(found) == [providers.CPU]
    assert found[providers.CPU] >= 1
    assert not Path(written).exists(), "nothing is left"


def test_what_falls_back_is_said_and_none_at_all_is_refused() -> None:
    assert providers.described("cpu", {}) == providers.CPU
    assert providers.described("cuda", {CUDA: 12}) == f"{CUDA}, all 12 nodes"
    assert providers.described("tensorrt", {TENSORRT: 1, CUDA: 2, providers.CPU: 3}) == (
        f"{TENSORRT}, 3 of 6 nodes on CPUExecutionProvider, 2 of 6 nodes on CUDAExecutionProvider"
    )
    with pytest.raises(UsageError, match="took no node of the model: 9 on CPUExecutionProvider"):
        providers.described("cuda", {providers.CPU: 9})


def test_what_is_for_the_processor_is_refused_with_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from edgevit.cli.app import run

    monkeypatch.setenv(providers.VARIABLE, "cuda")
    assert run(["devices", "calibrate", "--out", str(tmp_path / "host.toml")]) == 2
    assert run(["bench", str(PROBE), "--on", "pi@nowhere.invalid"]) == 2
    assert list(tmp_path.iterdir()) == []
