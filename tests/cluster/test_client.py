"""Which clusters a run takes, and why not."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from edgevit.cluster.client import check_versions, open_cluster
from edgevit.cluster.execution import Where, open_compute
from edgevit.errors import UsageError
from edgevit.run.folder import RunFolder
from edgevit.spec.spec import Spec
from edgevit.store.store import open_store
from tests.cluster.clusters import LocalCluster, cluster, opened

pytest.importorskip("distributed", reason="Dask distributed is not installed")


def test_a_cluster_tells_its_machines_and_which_of_them_times(two_workers: LocalCluster) -> None:
    with open_cluster(two_workers.url, None) as found:
        assert [machine.name for machine in found.machines] == ["one", "two"]
        assert (found.ruler.name, found.window) == ("one", 8)
        assert "2 machines, 4 tasks side by side; times are from one" in found.description
    with open_cluster(two_workers.url, None, ruler="two") as found:
        assert found.ruler.name == "two"


def test_a_resumed_run_has_its_times_from_the_same_machine_or_none(two_workers: LocalCluster, tmp_path: Path) -> None:
    where = Where(cluster=two_workers.url, store=str(tmp_path / "store"))
    with opened(tmp_path / "run", where):
        pass
    pin = tmp_path / "run" / "pins" / "machine-that-times-are-from.txt"
    assert pin.read_text() == "one"
    pin.write_text("two")
    folder = RunFolder(tmp_path / "run", Spec.model_validate({"model": {"name": "digits_vit"}}), (), resume=True)
    with open_compute(where, folder) as compute:
        assert "times are from two" in compute.description
    pin.write_text("gone")
    with (
        pytest.raises(UsageError, match=r"from gone, which is no worker .* now \(there are: one, two\)"),
        open_compute(where, folder),
    ):
        pass


def test_a_store_that_workers_do_not_see(two_workers: LocalCluster, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    with open_cluster(two_workers.url, None) as found:
        found.check_store(store)
        with pytest.raises(UsageError, match="cannot be used by the worker one: it does not see"):
            found.check_store(replace(store, url=str(tmp_path / "elsewhere")))


def test_no_scheduler_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UsageError, match=f"there is no scheduler at {url}"), open_cluster(url, None):
        pass


def test_no_worker_there_and_then_one_of_another_version(tmp_path: Path) -> None:
    with cluster(tmp_path, workers={}) as local:
        with pytest.raises(UsageError, match="has no worker") as error, open_cluster(local.url, None):
            pass
        assert error.value.hint == f"start one on each machine: edgevit worker {local.url}"
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "sitecustomize.py").write_text(
            "import edgevit.version\nedgevit.version.__version__ = '9.9'\n"
        )
        path = f"{tmp_path / 'other'}:{Path(__file__).parents[2]}"
        local.worker("old", environment={"PYTHONPATH": path})
        says = r"the worker old has other versions: edgevit is .* here and 9\.9 there"
        with pytest.raises(UsageError, match=says), open_cluster(local.url, None):
            pass


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (
            {"edgevit": "1", "torch": "2.13.0+cu130", "onnxruntime": "1.23"},
            r"torch is 2\.13\.0\+cpu here and 2\.13\.0\+cu130 there",
        ),
        ({"edgevit": "1", "torch": "2.13.0+cpu"}, r"onnxruntime is 1\.23 here and missing there"),
        ({"edgevit": "2", "torch": "2.13.0+cpu", "onnxruntime": "1.23"}, "edgevit is 1 here and 2 there"),
        (None, "edgevit is 1 here and missing there"),
    ],
)
def test_other_versions_are_refused_and_both_named(there: dict[str, str] | None, says: str) -> None:
    here = {"edgevit": "1", "torch": "2.13.0+cpu", "onnxruntime": "1.23"}
    check_versions("desk", here, here)
    with pytest.raises(UsageError, match=f"the worker desk has other versions: .*{says}"):
        check_versions("desk", here, there)
