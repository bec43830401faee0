"""One cluster for all tests that do not harm it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.clusters import ROOT, LocalCluster, cluster


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a child import the functions of ``child_jobs``."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="session")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """A cluster of the workers "one" and "two", with two tasks side by side each; a board belongs to "two"."""
    pytest.importorskip("distributed", reason="Dask distributed is not installed")
    with cluster(tmp_path_factory.mktemp("cluster"), workers={"one": 2}) as local:
        local.worker("two", "--jobs", "2", "--board", "pi@board")
        yield local
