"""``edgevit schemes``: every scheme of every runtime, and the kinds of ops that it changes."""

from __future__ import annotations

import json

import pytest

from edgevit.backends import all_backends
from edgevit.cli.app import run
from edgevit.spec.schemes import SCHEMES


def test_the_document_has_every_scheme_with_its_runtimes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schemes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["name"] for entry in document] == list(SCHEMES)
    found = {(name, entry["name"]): kinds for entry in document for name, kinds in entry["backends"].items()}
    assert found == {
        (backend.name, scheme): list(kinds) for backend in all_backends() for scheme, kinds in backend.schemes.items()
    }


def test_the_table_names_every_pair(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schemes"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for backend in all_backends() for name in (backend.name, *backend.schemes))
    assert len(out.splitlines()) >= sum(len(backend.schemes) for backend in all_backends())
