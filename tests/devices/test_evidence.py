from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from edgevit.devices.evidence import CARRIED, COLUMNS, OF_DEVICE, read_rows, without_duplicates
from edgevit.errors import UsageError

CELLS = {
    "id": "a", "device": "Raspberry Pi 4B", "soc": "BCM2711", "unit": "cpu", "runtime": "TFLite", "precision": "fp32",
    "threads": "4", "batch": "", "model": "MobileNetV1", "timm_name": "mobilenetv1_100", "input_hw": "160x128",
    "latency_ms": "12.5", "runtime_version": "2.5", "date": "2021", "source_repo_or_page": "a/b", "note": "",
}  # fmt: skip


def table(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "rows.csv"
    lines = [",".join(COLUMNS), *(",".join({**CELLS, **row}[name] for name in COLUMNS) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row(tmp_path: Path) -> None:
    (row,) = read_rows(table(tmp_path, {}))
    assert (row.graph, row.latency_ms, row.source) == ("mobilenetv1_100@160x128", 12.5, "a/b")
    assert (row.configuration.architecture, row.configuration.batch) == ("Cortex-A72", 1)


def test_rows_without_a_latency_are_left_out_and_sizes_filled_in(tmp_path: Path) -> None:
    rows = read_rows(
        table(
            tmp_path,
            {"latency_ms": ""},
            {"input_hw": "", "timm_name": "inception_v3"},
            {"input_hw": "", "timm_name": ""},
        )
    )
    assert [row.graph for row in rows] == ["inception_v3@299x299", "*MobileNetV1@224x224"]


def test_a_note_tells_of_the_configuration(tmp_path: Path) -> None:
    rows = read_rows(table(tmp_path, {"note": "little cores only"}, {"note": "MaxQ; single thread"}, {}))
    assert [row.configuration.variant for row in rows] == ["little cores", "MaxQ+single thread", ""]
    assert [row.configuration.threads for row in rows] == ["4", "1", "4"]
    assert len({row.configuration.groups()["configuration"] for row in rows}) == 3


def test_networks_that_ncnn_defines_in_its_own_way(tmp_path: Path) -> None:
    caffes = {"source_repo_or_page": "Tencent/ncnn", "input_hw": "224x224"}
    named = {"timm_name": "resnet50"}, {"timm_name": "", "model": "GoogLeNet"}, {"timm_name": "vgg16"}
    rows = read_rows(table(tmp_path, *({**caffes, **each} for each in named), {"timm_name": "resnet50"}))
    assert [row.model for row in rows] == ["resnet50 (ncnn)", "*GoogLeNet (ncnn)", "vgg16", "resnet50"]


def test_tflite_on_a_processor_computes_fp16_weights_in_fp32(tmp_path: Path) -> None:
    half, single, other = (
        row.configuration.groups()
        for row in read_rows(
            table(tmp_path, {"precision": "fp16"}, {"precision": "fp32"}, {"precision": "fp16", "runtime": "ncnn"})
        )
    )
    assert half["kernels device"] == single["kernels device"]
    assert half["runtime"] != single["runtime"]
    assert other["kernels"] == ("cpu", "ncnn", "fp16")


def test_versions_are_sessions_of_one_configuration(tmp_path: Path) -> None:
    first, second = (row.configuration.groups() for row in read_rows(table(tmp_path, {}, {"runtime_version": "2.6"})))
    assert {level for level in first if first[level] != second[level]} == {"session"}


def test_levels_of_one_device_are_those_whose_groups_name_it(tmp_path: Path) -> None:
    groups = read_rows(table(tmp_path, {"device": "Board"}))[0].configuration.groups()
    assert {level for level, group in groups.items() if "Board" in group} == set(OF_DEVICE)


def test_duplicates_but_for_the_id_are_dropped(tmp_path: Path) -> None:
    rows = read_rows(table(tmp_path, {}, {"id": "b"}, {"id": "c", "latency_ms": "13"}))
    assert [row.id for row in without_duplicates(rows)] == ["a", "c"]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("latency_ms", "-1"), ("latency_ms", "nan"), ("latency_ms", "fast"), ("input_hw", "224"), ("batch", "0")],
)
def test_every_wrong_cell_is_named_with_its_line(cell: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"line 3: {cell} is") as raised:
        read_rows(table(tmp_path, {}, {cell: value}, {cell: value}))
    assert "line 4" in str(raised.value)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,device\n", encoding="utf-8")
    with pytest.raises(UsageError, match="lacks the columns soc, unit"):
        read_rows(path)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_rows(tmp_path / "none.csv")


def test_the_carried_table_has_sources() -> None:
    rows = read_rows(CARRIED)
    assert len(rows) > 7000
    assert all(row.source for row in rows)
    with gzip.open(CARRIED, "rt", encoding="utf-8") as stream:
        assert "source_path" in stream.readline()
