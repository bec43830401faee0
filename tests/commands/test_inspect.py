"""Summing up an artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.commands import probes
from edgevit.commands.inspect import inspect_file
from edgevit.errors import UsageError


@pytest.mark.parametrize(("suffix", "backend"), [(".onnx", "onnxruntime"), (".xml", "openvino"), (".tflite", "litert")])
def test_the_probe_of_each_format_is_summed_up(suffix: str, backend: str) -> None:
    pytest.importorskip({"onnxruntime": "onnx", "openvino": "openvino", "litert": "ai_edge_litert"}[backend])
    path = probes.probe_path(suffix)
    found = inspect_file(path)
    assert (found.backend, found.macs, found.int8_mac_share) == (backend, 0, 0.0)  # 2 x + 1, one by one
    files = [path, path.with_suffix(".bin")] if suffix == ".xml" else [path]
    assert found.size_bytes == sum(file.stat().st_size for file in files)
    assert found.tensor_bytes is not None and found.tensor_bytes >= 2 * 4 * 4  # the input and an output
    assert len(found.inputs) == len(found.outputs) == 1
    assert found.inputs[0].endswith("float32 [1, 4]")
    assert all(op.count >= 1 for op in found.ops)


def test_a_file_that_no_backend_reads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="no backend reads .pt"):
        inspect_file(tmp_path / "model.pt")


@pytest.mark.parametrize(("suffix", "module"), [(".onnx", "onnx"), (".xml", "openvino"), (".tflite", "ai_edge_litert")])
def test_links_into_a_store_are_read_where_they_are(suffix: str, module: str, tmp_path: Path) -> None:
    """As the caches of Hugging Face, git-annex and DVC have them: the companion of a link is beside the link."""
    pytest.importorskip(module)
    path = probes.probe_path(suffix)
    files = [path, path.with_suffix(".bin")] if suffix == ".xml" else [path]
    (tmp_path / "store").mkdir()
    (tmp_path / "snapshot").mkdir()
    for number, file in enumerate(files):
        stored = tmp_path / "store" / f"{number}a7f"
        stored.write_bytes(file.read_bytes())
        (tmp_path / "snapshot" / f"model{file.suffix}").symlink_to(stored)
    found, expected = inspect_file(tmp_path / "snapshot" / f"model{suffix}"), inspect_file(path)
    assert (found.size_bytes, found.ops, found.inputs) == (expected.size_bytes, expected.ops, expected.inputs)
