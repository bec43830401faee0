"""One function opens what carries out tasks, and imports an engine only where it is asked for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.cluster.execution import HERE, Where, default_store, open_compute
from edgevit.cluster.stored_executor import StoredExecutor
from edgevit.errors import UsageError
from edgevit.run.executor import Executor, processors
from edgevit.run.folder import RunFolder
from edgevit.spec.spec import Spec
from tests.cluster.clusters import ROOT, opened


def folder(path: Path) -> RunFolder:
    return RunFolder(path, Spec.model_validate({"model": {"name": "digits_vit"}}), (), resume=False)


def test_this_machine_is_the_default(tmp_path: Path) -> None:
    with opened(tmp_path / "run", HERE) as executor:
        assert type(executor) is Executor
        assert executor.jobs == processors()
    with opened(tmp_path / "other", Where(jobs=3, store=str(tmp_path / "store"))) as executor:
        assert type(executor) is StoredExecutor
        assert executor.jobs == executor.at_once == 3


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (Where(tls=Path("certificate")), "--tls is for a cluster"),
        (Where(reuse_measurements=True), "looks into a store"),
        (Where(jobs=2, cluster="tcp://127.0.0.1:1"), "--jobs is for this machine"),
        (Where(cluster="tcp://127.0.0.1:1", store="memory://store"), "is in the memory of this process"),
        (Where(cluster="tcp://desk:8786"), "is on another machine"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, where: Where, says: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=says), open_compute(where, folder(tmp_path / "run")):
        pass
    assert not (tmp_path / "run").exists()


def test_the_store_of_a_cluster_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_store() == tmp_path / "edgevit" / "store"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_store() == tmp_path / ".cache" / "edgevit" / "store"


def test_jobs_and_a_local_store_import_no_engine(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from edgevit.cluster.execution import Where
from tests.cluster.clusters import opened
for where in (Where(jobs=2), Where(jobs=2, store=sys.argv[1] + "/store")):
    with opened(Path(sys.argv[1], f"run{len(where.store)}"), where):
        pass
import edgevit.pipeline.compress
sys.exit(str(sorted({"dask", "distributed", "fsspec", "tornado"} & set(sys.modules)) or ""))
"""
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ,
    )
    assert child.stderr.strip() == ""
