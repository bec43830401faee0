"""The engine itself: TLS, a board of another worker, and Dask that is missing."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.cluster.execution import Where
from edgevit.errors import UsageError
from edgevit.run.task import BoardUse, Task
from tests.cluster.clusters import ROOT, LocalCluster, cluster, opened
from tests.cluster.file_jobs import Number, Span, sleep
from tests.cluster.test_cluster_executor import number


def test_a_certificate_is_for_its_owner_alone_and_is_not_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    assert run(["cluster", "certificate", str(tmp_path / "tls")]) == 0
    for name in ("cert.pem", "key.pem"):
        assert (tmp_path / "tls" / name).stat().st_mode & 0o777 == 0o600
    assert run(["cluster", "certificate", str(tmp_path / "tls")]) == 2
    assert "has a cert.pem already" in capsys.readouterr().err


def test_a_run_over_tls_and_nobody_without_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    for name in ("tls", "stranger"):
        assert run(["cluster", "certificate", str(tmp_path / name)]) == 0
    with cluster(tmp_path, "--tls", str(tmp_path / "tls"), workers={"one": 1}) as local:
        assert local.url.startswith("tls://127.0.0.1:")
        where = Where(cluster=local.url, store=str(tmp_path / "store"), tls=tmp_path / "tls")
        with opened(tmp_path / "run", where) as executor:
            assert executor.run_now(number(1), tmp_path / "run" / "logs" / "log").end
        capsys.readouterr()
        assert run(["cluster", "status", local.url, "--tls", str(tmp_path / "stranger")]) == 2
        assert "there is no scheduler" in capsys.readouterr().err
        assert run(["cluster", "status", f"tcp{local.url[3:]}"]) == 2


@pytest.mark.slow
def test_two_runs_on_one_board_take_turns_and_one_that_does_not_wait_is_told_whose_it_is(
    two_workers: LocalCluster, tmp_path: Path
) -> None:
    where = Where(cluster=two_workers.url, store=str(tmp_path / "store"))
    with (
        opened(tmp_path / "a", where) as first,
        opened(tmp_path / "b", where) as second,
        ThreadPoolExecutor(1) as pool,
    ):

        def use(number: int, seconds: float, wait_seconds: float) -> Task[Number, Span]:
            return Task(sleep, Number(number, seconds), Span, timing=True, board=BoardUse("pi@board", wait_seconds))

        slow = pool.submit(first.run_now, use(1, 8.0, 0.0), tmp_path / "a" / "logs" / "log")
        time.sleep(1.5)
        with pytest.raises(UsageError, match=rf"pi@board is in use by .*: {tmp_path / 'a'} for \d+ s"):
            second.run_now(use(2, 0.0, 0.0), tmp_path / "b" / "logs" / "log")
        waited = second.run_now(use(3, 0.0, 60.0), tmp_path / "b" / "logs" / "log")
        assert waited.begin >= slow.result().end


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    with cluster(tmp_path, workers={}) as local:
        port = local.url.rpartition(":")[2]
        assert run(["cluster", "start", "--port", port]) == 2
        assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "desk:8786"]) == 2
    assert "is no address of a scheduler" in capsys.readouterr().err


def test_without_dask_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['distributed'] = None\nfrom edgevit.cli.app import run\n"
        "sys.exit(run(['cluster', 'status', 'tcp://127.0.0.1:1']))"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert child.returncode == 2
    assert "pip install 'edgevit[cluster]'" in child.stderr
