"""The JSON document of ``edgevit inspect``."""

from __future__ import annotations

from pathlib import Path

from edgevit.results.document import to_document
from edgevit.results.graph_summary import OpCount, Summary


def test_the_document_has_all_values_under_their_names() -> None:
    ops = (OpCount("CONV_2D", "conv", "int8_static", 3, 900),)
    found = Summary(Path("a.tflite"), "litert", 1234, 8, ("input",), ("logits",), 1000, 50, 0.9, ops)
    assert to_document(found) == {
        "path": "a.tflite",
        "backend": "litert",
        "size_bytes": 1234,
        "batch": 8,
        "inputs": ["input"],
        "outputs": ["logits"],
        "macs": 1000,
        "params": 50,
        "int8_mac_share": 0.9,
        "ops": [{"native": "CONV_2D", "kind": "conv", "numerics": "int8_static", "count": 3, "macs": 900}],
        "contract": None,
        "tensor_bytes": None,
    }
