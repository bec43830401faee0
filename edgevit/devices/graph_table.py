"""Features of the graphs of published networks: captured once, carried as a table."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgevit.devices.evidence import NCNN
from edgevit.devices.features import FEATURES, features
from edgevit.devices.kernels import kernels

CARRIED_GRAPHS = Path(__file__).parent / "evidence" / "graphs.csv"
"""The table that edgevit carries: a row per model and input size, a column per feature."""

Features = tuple[float, ...]
"""Values in the order of ``FEATURES``, for one image."""


def read_graphs(path: Path = CARRIED_GRAPHS) -> dict[str, Features]:
    """Returns the features of each graph, by its name, such as "resnet50@224x224"."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        return {row["graph"]: tuple(float(row[name]) for name in FEATURES) for row in reader}


def write_graphs(path: Path, graphs: Mapping[str, Features]) -> None:
    """Writes such a table, sorted by name."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("graph", *FEATURES))
        for name in sorted(graphs):
            writer.writerow((name, *(f"{value:.10g}" for value in graphs[name])))


def capture_features(model: str, size: tuple[int, int]) -> Features:
    """Builds a published network without weights and returns the features of its graph.

    Args:
        model: timm's name, or the published one after "*".
        size: Height and width of the input.

    Raises:
        UsageError: there is no definition of the model.
        ImportError: PyTorch or timm is not installed.
    """
    from edgevit.devices.captured_graph import captured_graph
    from edgevit.devices.published_models import build_published

    found = features(kernels(captured_graph(build_published(model, size), (3, *size))))
    return tuple(found[name] for name in FEATURES)


def same_graphs(graphs: Mapping[str, Features]) -> dict[str, str]:
    """Groups models whose graphs are the same at some input size, such as DeiT and ViT.

    A network that ncnn defines in its own way is in the group of its name.

    Returns:
        For each model, the first name of its group. A group is left out as a whole when the cost model is validated.
    """
    parent = {name.partition("@")[0]: name.partition("@")[0] for name in graphs}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    alike: dict[Features, str] = {}
    for name in sorted(graphs):
        model = name.partition("@")[0]
        other = alike.setdefault(tuple(round(value) for value in graphs[name]), model)
        for alias in {other, model.removesuffix(NCNN)} & set(parent):
            first, second = sorted((root(model), root(alias)))
            parent[second] = first
    return {model: root(model) for model in parent}


def by_name(values: Iterable[float]) -> dict[str, float]:
    """Returns features by their names."""
    return dict(zip(FEATURES, values, strict=True))
