"""``edgevit search``: what it asks for, prints, picks and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from edgevit.cli import app
from edgevit.results.document import to_document, to_json
from edgevit.results.search import Infeasible, Search
from edgevit.search import run_search
from edgevit.search.request import SearchRequest
from edgevit.spec.resolve import resolve_spec
from tests.factories import make_search

Call = Callable[..., tuple[int, str, str]]
DIGITS = ("--data", "digits", "--calibration", "calibration:digits")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs the command in this process and an empty folder; returns its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        code = app.run(["search", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def _found(**changes: Any) -> Search:
    search = make_search(**changes)
    spec = resolve_spec(None, None, {"model": {"name": "digits_vit"}, "data": {"evaluation": "digits"}})
    return replace(search, models=(replace(search.models[0], spec=spec.model_dump(mode="json")),))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[SearchRequest]:
    """Takes the place of the work; keeps what was asked for."""
    questions: list[SearchRequest] = []

    def answer(request: SearchRequest, out: Path, *rest: object, resume: bool) -> Search:
        questions.append(request)
        out.mkdir(exist_ok=True)
        (out / "search.json").write_bytes(to_json(_found()))
        return _found()

    monkeypatch.setattr(run_search, "search", answer)
    return questions


def test_a_model_without_a_spec_is_searched_in_everything(call: Call, asked: list[SearchRequest]) -> None:
    code, out, _ = call("digits_vit", "digits_cnn", *DIGITS, "--trials", 9, "--objectives", "top1,p50_ms", "--out", "s")
    assert code == 0
    (request,) = asked
    assert [(spec.model.name, spec.passes.tokens, spec.finetune.mode) for spec in request.specs] == [
        ("digits_vit", "auto", "quick"),
        ("digits_cnn", "auto", "quick"),
    ]
    assert (request.max_trials, request.max_minutes, request.objectives) == (9, None, ("top1", "p50_ms"))
    assert "3 on the front; 1 predicted, 1 not run (dominated by prediction)" in out
    assert "report: s/report.md" in out


def test_a_spec_is_taken_as_it_is(call: Call, asked: list[SearchRequest]) -> None:
    Path("spec.toml").write_text('[model]\nname = "digits_vit"\n[data]\nevaluation = "digits"\n', encoding="utf-8")
    assert call("spec.toml", "--trials", 3, "--out", "s")[0] == 0
    assert (asked[0].specs[0].passes.tokens, asked[0].specs[0].finetune.mode) == ("none", "none")


def test_json_is_the_document(call: Call, asked: list[SearchRequest]) -> None:
    code, out, _ = call("digits_vit", *DIGITS, "--trials", 3, "--out", "s", "--json")
    assert (code, json.loads(out)) == (0, to_document(_found()))


def test_a_search_within_whose_limits_nothing_lies_ends_with_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    none = Infeasible("max_drop 1", "x", "no compressed point keeps max_drop 1: x drops 2.0")
    monkeypatch.setattr(run_search, "search", lambda *_, **__: replace(_found(), infeasible=none))
    code, out, _ = call("digits_vit", *DIGITS, "--trials", 3, "--out", "s")
    assert code == 1
    assert none.words in out


@pytest.mark.parametrize("with_model", [True, False])
def test_a_picked_point_is_a_spec(call: Call, asked: list[SearchRequest], *, with_model: bool) -> None:
    first = call("digits_vit", *DIGITS, "--trials", 3, "--out", "s", *(("--pick", "p50_ms<=8") if with_model else ()))
    assert first[0] == 0
    if not with_model:
        code, out, err = call("--out", "s", "--pick", "p50_ms<=8")
        assert (code, out) == (0, "edgevit compress s/pick.toml\n")
        assert "picked: digits_vit/openvino/static_wi8_ai8" in err
    spec = resolve_spec(Path("s/pick.toml"), None, {})
    assert (spec.export.backends, spec.export.schemes) == (("openvino",), ("static_wi8_ai8",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no model is given"),
        (("--pick", "p50_ms<=8"), "needs the folder of a search"),
        (("--pick", "p50_ms<=8", "--out", "nowhere"), "cannot read a search"),
        (("digits_vit", *DIGITS), "a search needs a limit"),
        (("digits_vit", *DIGITS, "--trials", "0"), "--trials"),
        (("digits_vit", *DIGITS, "--max-minutes", "-1"), "--max-minutes"),
        (("digits_vit", *DIGITS, "--trials", "3", "--objectives", "top1,latency"), "unknown objective"),
        (("digits_vit", *DIGITS, "--trials", "3", "--method", "bayes"), "unknown method"),
        (("digits_vit", *DIGITS, "--trials", "3", "--pick", "fast"), "is no limit"),
        (("digits_vit", "digits_cnn", *DIGITS, "--trials", "3", "--weights", "w.safetensors"), "--weights is for one"),
        (("digits_vit", "--trials", "3"), "needs images"),
        (("digits_vit", *DIGITS, "--trials", "3", "--tokens", "evot:0.7"), "unknown token reduction method"),
        (("digits_vit", *DIGITS, "--trials", "3", "--dry-run", "--out", "s"), "--out has no effect with --dry-run"),
        (("digits_vit", *DIGITS, "--trials", "3", "--resume"), "--resume"),
    ],
)
def test_bad_input_is_refused(call: Call, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert not list(Path().iterdir())
