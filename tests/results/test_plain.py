"""The plain codec and pydantic's documents agree on everything that boards are asked and answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from edgevit.measure.bench import BenchJob
from edgevit.measure.boards.probe import BoardFacts, PackageFault, ProbeJob
from edgevit.measure.burst import Burst, BurstJob
from edgevit.measure.conditions import Activity
from edgevit.measure.sustained import SustainedJob, SustainedLatency, Window
from edgevit.measure.turns import Turns, TurnsJob
from edgevit.results.alias import Alias, alias
from edgevit.results.artifact import TensorSpec
from edgevit.results.document import from_document, to_document
from edgevit.results.measurement import Host, Measurement
from edgevit.results.plain import from_plain, to_plain
from tests.factories import make_measurement

ACTIVITY = Activity(1.5, 0.9, None, 0.25, 3, 2400.0)
HOST = Host("Cortex-A76", 4, ("asimd", "asimddp"), 8 << 30, "Debian", "3.11.2", "ondemand", 4)
VALUES = [
    BenchJob("litert", Path("/home/pi/m.tflite"), 4, "f32", 50, 2.0, None),
    BurstJob("litert", Path("/home/pi/m.tflite"), "fastest", 1, 0.1, 6, 1.0, 8),
    Burst((1.0, 2.5), 0.0, ACTIVITY, 4, 1, "x86"),
    SustainedJob("onnxruntime", Path("m.onnx"), "f32", 1, 600.0),
    SustainedLatency((Window(1.0, 100, 9.5, None, "noise"), Window(1.0, 90, 10.5, 1500.0)), 4, 1),
    TurnsJob("openvino", Path("m.xml"), "bf16", 2, None, 12, 3, 0.5, 7),
    Turns(
        ((1.0, 2.0), ()),
        (ACTIVITY, ACTIVITY),
        4,
        "f32",
        "XNNPACK",
        (TensorSpec("x", (1, 3), "int8", "NC", 0.5, -1),),
        (),
    ),
    ProbeJob(4, (("ai-edge-litert", "tflite-runtime"), ("onnxruntime",))),
    BoardFacts(HOST, "raspberrypi", "aarch64", None, "", (PackageFault("numpy", None, "", ""),)),
    make_measurement(3.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_both_make_the_same_document_and_the_same_value_of_it(value: Any) -> None:
    document = to_document(value)
    assert to_plain(value) == document
    assert from_plain(type(value), document) == value == from_document(type(value), to_plain(value))


def test_integers_are_read_as_floats_where_a_float_is_meant() -> None:
    document = to_document(make_measurement(3.0))
    document["latency_ms"]["p50"] = 3
    read = from_plain(Measurement, document).latency_ms.p50
    assert (read, type(read)) == (3.0, float)


@dataclass(frozen=True)
class Renamed:
    """With a name in JSON of its own."""

    python_name: Annotated[int, alias("json_name")]
    kind: Literal["a", "b"] = "a"


def test_names_in_json_and_defaults() -> None:
    assert to_plain(Renamed(3)) == to_document(Renamed(3)) == {"json_name": 3, "kind": "a"}
    assert from_plain(Renamed, {"json_name": 3}) == Renamed(3)


def test_without_pydantic_a_name_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pydantic", None)
    assert alias("json_name") == Alias("json_name")


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        (Renamed, {"json_name": "3"}),
        (Renamed, {"json_name": True}),
        (Renamed, {"json_name": 3, "kind": "c"}),
        (Renamed, {}),
        (Renamed, []),
        (ProbeJob, {"threads": 1, "runtimes": 5}),
        (BenchJob, {**to_document(VALUES[0]), "artifact": 5}),
        (BenchJob, {**to_document(VALUES[0]), "batch": "x"}),
        (BenchJob, {**to_document(VALUES[0]), "min_seconds": True}),
    ],
)
def test_what_is_not_of_its_type_is_refused(kind: type[Any], document: Any) -> None:
    with pytest.raises(TypeError):
        from_plain(kind, document)


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(TypeError, match="no plain form"):
        to_plain({"a": object()})
    with pytest.raises(TypeError, match="no plain form"):
        from_plain(bytes, b"")
