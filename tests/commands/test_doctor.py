"""Whatever a runtime does, the doctor shows a row."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from edgevit.backends import Backend, all_backends
from edgevit.commands import doctor, probes
from edgevit.errors import CandidateFailed
from edgevit.measure.host import host_fingerprint
from edgevit.run import packages, stages
from tests.factories import make_machine_state


def backends() -> list[pytest.param]:  # type: ignore[valid-type]
    return [pytest.param(backend, id=backend.name) for backend in all_backends()]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A backend whose runtime seems to be installed."""
    monkeypatch.setattr(packages, "version_of", lambda name: "1.0")
    return all_backends()[0]


@pytest.mark.parametrize("backend", backends())
def test_every_backend_has_a_small_probe(backend: Backend) -> None:
    path = probes.probe_path(backend.suffix)
    assert path.is_file()
    assert path.stat().st_size < 4096


def test_the_answer_is_that_of_the_formula() -> None:
    assert tuple(2 * x + 1 for x in probes.INPUT) == probes.ANSWER


@pytest.mark.parametrize("backend", backends())
def test_an_installed_runtime_works(backend: Backend) -> None:
    if packages.version_of(backend.runtime) is None:
        pytest.skip(f"{backend.runtime} is not installed")
    probe = doctor.probe_backend(backend)
    assert (probe.status, probe.runtime) == ("works", backend.runtime), probe.detail


def test_a_missing_runtime_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version_of", lambda name: None)
    for probe in map(doctor.probe_backend, all_backends()):
        assert probe.status == "missing"
        assert probe.detail.startswith("pip install 'edgevit[")


def test_a_runtime_may_come_by_another_name(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    other = f"{backend.runtime}-gpu"
    monkeypatch.setattr(packages, "found_as", lambda name: f"{name}-gpu")
    monkeypatch.setattr(packages, "version_of", lambda name: "9.8.7" if name == other else None)
    monkeypatch.setattr(stages, "run_in_child", lambda *_, **__: doctor.ProbeAnswer(probes.ANSWER, "cpu"))
    found = doctor.probe_backend(backend)
    assert (found.runtime, found.version, found.status) == (other, "9.8.7", "works")


def test_a_format_that_cannot_be_made_says_how_it_could(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "version_of", lambda name: None)  # so that nothing is run
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    found = {probe.backend: probe.cannot_make for probe in map(doctor.probe_backend, all_backends())}
    assert "LiteRT files cannot be made here: litert-torch" in found["litert"]
    assert "compress-tflite" in found["litert"] or "no wheels" in found["litert"]
    assert "litert-torch" not in found["openvino"]


def test_a_crash_or_hang_is_a_row(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    def crash(*_: object, **__: object) -> None:
        raise CandidateFailed("run probe: the process was killed by SIGSEGV; see /tmp/gone.log")

    monkeypatch.setattr(stages, "run_in_child", crash)
    probe = doctor.probe_backend(backend)
    assert (probe.status, probe.detail) == ("broken", "run probe: the process was killed by SIGSEGV")


@pytest.mark.parametrize("values", [(-1.0, 1.0, 3.0, 6.1), (), (float("nan"),) * 4])
def test_a_wrong_answer_is_a_row(monkeypatch: pytest.MonkeyPatch, backend: Backend, values: tuple[float, ...]) -> None:
    monkeypatch.setattr(stages, "run_in_child", lambda *_, **__: doctor.ProbeAnswer(values, "cpu"))
    assert doctor.probe_backend(backend).status == "broken"


def test_a_probe_that_takes_too_long_is_a_row(backend: Backend) -> None:
    probe = doctor.probe_backend(backend, timeout_seconds=0.01)
    assert probe.status == "broken"
    assert "0.01 s" in probe.detail


def test_healthy_means_the_base_and_one_backend() -> None:
    works = doctor.Probe("a", "a", "1", "works", "cpu", "")
    base = doctor.Package("numpy", "2", None)
    absent = doctor.Package("torch", None, "compress")
    probes = (works, replace(works, status="missing"))
    whole = doctor.Diagnosis("0", host_fingerprint(1), (base, absent), probes, make_machine_state(), "")
    assert whole.healthy
    assert not replace(whole, backends=(replace(works, status="broken"),)).healthy
    assert not replace(whole, packages=(replace(base, version=None),)).healthy
    assert not replace(whole, backends=()).healthy
