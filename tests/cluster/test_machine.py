"""What a machine tells, and what of it has to be the same everywhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgevit.cluster import machine
from edgevit.cluster.machine import Machine, computing_versions, isa_class, version_differences, versions_in
from edgevit.measure.host import host_fingerprint
from edgevit.results.document import from_json, to_json
from edgevit.version import __version__

HOST = replace(host_fingerprint(1), os="Linux 6.1 x86_64")


@pytest.mark.parametrize(
    ("isa", "name"),
    [
        (("avx2", "avx512f", "avx512_vnni"), "avx512_vnni"),
        (("avx2", "avx_vnni"), "avx_vnni"),
        (("avx2", "f16c"), "avx2"),
        (("asimd", "asimddp", "i8mm"), "i8mm"),
        (("asimd",), "asimd"),
        ((), "x86_64"),
    ],
)
def test_machines_with_the_same_int8_kernels_are_of_one_class(isa: tuple[str, ...], name: str) -> None:
    assert isa_class(replace(HOST, isa=isa)) == name


def test_versions_that_differ_are_both_named() -> None:
    here = {"edgevit": "1.0", "torch": "2.13.0+cpu", "onnxruntime": "1.23"}
    assert version_differences(here, here) == ()
    assert version_differences(here, {"edgevit": "1.0", "torch": "2.13.0+cu130"}) == (
        "torch is 2.13.0+cpu here and 2.13.0+cu130 there",
        "onnxruntime is 1.23 here and missing there",
    )


def test_what_only_draws_does_not_count() -> None:
    found = computing_versions()
    assert found["edgevit"].partition("+")[0] == __version__
    assert "numpy" in found
    assert not {"matplotlib", "rich", "typer", "bokeh"} & found.keys()


def test_a_description_of_another_version_still_tells_its_versions() -> None:
    told = Machine("desk", HOST, 2, {"edgevit": "9"}, ())
    assert from_json(Machine, to_json(told)) == told
    assert versions_in(to_json(told).decode()) == {"edgevit": "9"}
    assert versions_in('{"versions": {"edgevit": "10"}, "new": []}') == {"edgevit": "10"}
    for text in ("", "[]", "{}", '{"versions": 3}'):
        assert versions_in(text) is None


def test_between_releases_the_code_itself_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "__version__", "1.2.0")
    assert computing_versions()["edgevit"] == "1.2.0"
    monkeypatch.setattr(machine, "__version__", "1.3.0.dev0")
    assert computing_versions()["edgevit"] == f"1.3.0.dev0+{machine.source_digest()}"
