"""One worker for a machine, by one name, and one machine for a board."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.cluster.worker import WorkerSettings, only_worker, run_worker
from edgevit.errors import UsageError
from edgevit.measure.host import host_fingerprint
from tests.cluster.clusters import LocalCluster

pytest.importorskip("distributed", reason="Dask distributed is not installed")
HOST = host_fingerprint(1)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def test_a_second_worker_of_a_machine_is_refused_with_the_name_of_the_first() -> None:
    with (
        only_worker("desk", "tcp://127.0.0.1:8786"),
        pytest.raises(UsageError, match=r"has a worker already: .*, process \d+, worker desk of tcp://127.0.0.1:8786"),
        only_worker("other", "tcp://127.0.0.1:1"),
    ):
        pass
    with only_worker("other", "tcp://127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "one"}, "has a worker named one already"),
        ({"name": "three", "boards": ("pi@board",)}, "the board pi@board belongs to the worker two already"),
        ({"name": "three", "boards": ("a", "a")}, "named twice"),
        ({"name": "three", "url": "tcp://127.0.0.1:9"}, "there is no scheduler"),
        ({"name": "three", "url": "tcp://desk:8786"}, "is on another machine"),
    ],
)
def test_what_no_worker_can_be(two_workers: LocalCluster, changes: dict[str, object], says: str) -> None:
    asked = {"url": two_workers.url, "host": HOST, **changes}
    with pytest.raises(UsageError, match=says):
        run_worker(WorkerSettings(**asked), print)  # type: ignore[arg-type]
