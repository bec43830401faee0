from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.devices.evidence import CARRIED, read_rows
from edgevit.devices.features import FEATURES
from edgevit.devices.graph_table import by_name, capture_features, read_graphs, same_graphs, write_graphs


def test_what_is_written_is_read(tmp_path: Path) -> None:
    graphs = {"a@8x8": tuple(float(number) for number in range(len(FEATURES))), "b,c@8x8": (0.0,) * len(FEATURES)}
    write_graphs(tmp_path / "graphs.csv", graphs)
    assert read_graphs(tmp_path / "graphs.csv") == graphs


@pytest.mark.parametrize(
    ("graph", "giga"),
    [("resnet50@224x224", 4.09), ("mobilenetv2_100@224x224", 0.300), ("vit_base_patch16_224@224x224", 17.5)],
)
def test_carried_graphs_have_the_macs_that_papers_give(graph: str, giga: float) -> None:
    found = by_name(read_graphs()[graph])
    macs = sum(value for name, value in found.items() if name.startswith("macs_") and name != "macs_padded")
    assert (macs + found["weights_classifier"]) / 1e9 == pytest.approx(giga, rel=0.02)


def test_nearly_all_carried_rows_have_a_carried_graph() -> None:
    graphs, rows = read_graphs(), read_rows(CARRIED)
    assert sum(row.graph in graphs for row in rows) >= 0.97 * len(rows)


def test_the_carried_features_are_those_that_are_captured() -> None:
    assert capture_features("*MobileNetV1 0.25", (128, 128)) == pytest.approx(
        read_graphs()["*MobileNetV1 0.25@128x128"]
    )


def test_models_with_one_graph_are_left_out_together() -> None:
    one, other = (1.0,) * len(FEATURES), (2.0,) * len(FEATURES)
    graphs = {"deit@8x8": one, "vit@8x8": one, "vit@9x9": other, "beit@9x9": other, "cnn@8x8": (3.0,) * len(FEATURES)}
    assert same_graphs(graphs) == {"deit": "beit", "vit": "beit", "beit": "beit", "cnn": "cnn"}


def test_a_network_is_left_out_in_every_definition() -> None:
    graphs = {f"{name}@8x8": (float(at),) * len(FEATURES) for at, name in enumerate(("cnn (ncnn)", "cnn", "x (ncnn)"))}
    assert same_graphs(graphs) == {"cnn (ncnn)": "cnn", "cnn": "cnn", "x (ncnn)": "x (ncnn)"}
