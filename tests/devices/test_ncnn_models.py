from __future__ import annotations

import pytest
import torch

from edgevit.devices.captured_graph import captured_graph
from edgevit.devices.evidence import CARRIED, NCNN, read_rows
from edgevit.devices.graph_table import by_name, read_graphs
from edgevit.devices.ncnn_models import ncnn_models
from edgevit.devices.published_models import build_published
from edgevit.errors import UsageError


@pytest.mark.parametrize(
    ("model", "size", "mega"),
    [
        ("*AlexNet", 227, 724),  # 720 to 727 where the model is published
        ("*GoogLeNet", 224, 1582),  # 1.6 G in the paper's table, without the auxiliary classifiers
        ("resnet50", 224, 3858),  # 3.8 G in the paper
    ],
)
def test_networks_have_their_published_macs(model: str, size: int, mega: int) -> None:
    with torch.device("meta"):
        built = build_published(model + NCNN, (size, size))
    assert captured_graph(built, (3, size, size)).macs / 1e6 == pytest.approx(mega, rel=0.01)


def test_every_network_is_measured_and_differs_from_its_namesake() -> None:
    graphs, measured = read_graphs(), {(row.model, row.graph) for row in read_rows(CARRIED) if row.model.endswith(NCNN)}
    assert {model for model, _ in measured} == {name + NCNN for name in ncnn_models()}
    for _, graph in measured:
        own, namesake = by_name(graphs[graph]), by_name(graphs[graph.replace(NCNN, "")])
        assert sum(own[name] != namesake[name] for name in own) >= 3


def test_no_other_network_has_such_a_definition() -> None:
    with pytest.raises(UsageError, match="no definition of vgg16"):
        build_published("vgg16" + NCNN, (224, 224))
