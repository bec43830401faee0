"""What a board is, and which packages it lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.measure.boards import probe
from edgevit.measure.boards.probe import ProbeJob, package_fault, probe_board


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def package(site: Path, name: str, tag: str, source: str = "") -> None:
    """Writes a package as pip installs it."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (site / f"{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")


def test_this_machine_has_numpy_and_no_fault() -> None:
    facts = probe_board(ProbeJob(1, ()))
    assert (facts.faults, facts.emulated, facts.host.threads) == ((), "", 1)
    assert facts.available_bytes is None or facts.available_bytes > 0


def test_too_many_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="more than this machine can use"):
        probe_board(ProbeJob(100_000, ()))


def test_the_preferred_package_is_named_where_none_is_there_and_another_one_will_do(site: Path) -> None:
    fault = package_fault(("own_one", "own_other"), "aarch64")
    assert fault is not None
    assert (fault.distribution, fault.version) == ("own_one", None)
    package(site, "own_other", "py3-none-any")
    sys.path_importer_cache.clear()
    assert package_fault(("own_one", "own_other"), "aarch64") is None


@pytest.mark.parametrize(
    ("tag", "wheel"),
    [
        ("cp311-cp311-manylinux_2_17_x86_64", "x86_64"),
        ("cp311-cp311-linux_armv7l", "armv7l"),
        ("cp311-cp311-manylinux_2_27_aarch64", ""),
        ("py3-none-any", ""),
    ],
)
def test_a_package_that_cannot_be_imported_and_what_it_was_made_for(site: Path, tag: str, wheel: str) -> None:
    name = f"own_{abs(hash(tag))}"
    package(site, name, tag, "raise ImportError('invalid ELF header')")
    fault = package_fault((name,), "aarch64")
    assert fault is not None
    assert (fault.version, fault.error, fault.wheel_machine) == ("1.0", "invalid ELF header", wheel)


def test_memory_that_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "_MEMINFO", tmp_path / "none")
    assert probe_board(ProbeJob(1, ())).available_bytes is None
