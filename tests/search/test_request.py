"""What a search is asked for, and what is refused before anything is opened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edgevit.errors import UsageError
from edgevit.search.request import SearchRequest, check_request, parse_objectives, reach_of
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec

DIGITS = {"evaluation": "digits", "calibration": "calibration:digits"}


def _spec(name: str = "digits_vit", **sections: Any) -> Spec:
    return resolve_spec(None, None, {"model": {"name": name}, "data": DIGITS, **sections})


def _request(*specs: Spec, **changes: Any) -> SearchRequest:
    return replace(SearchRequest(specs or (_spec(),), max_trials=4), **changes)


def test_objectives_have_one_order() -> None:
    assert parse_objectives("size, top1") == ("top1", "size")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top1", "at least one other"),
        ("p50_ms,size", "needs top1"),
        ("top1,p50", "unknown objective: 'p50'"),
        ("top1,top1", "given twice"),
        ("", "unknown objective"),
    ],
)
def test_objectives_that_make_no_front_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_objectives(text)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (_request(max_trials=None), "needs a limit"),
        (_request(method="bayes"), "unknown method: 'bayes'"),
        (_request(_spec(data={})), "needs images"),
        (_request(_spec(model={"name": "digits_vit", "random_weights": True})), "random weights"),
        (_request(_spec(quick=True)), "quick has no effect"),
        (_request(_spec(boards={"on": ["pi@pi"]})), "boards.on has no effect"),
        (_request(_spec(max_minutes=3.0)), "max_minutes in the spec"),
        (_request(_spec(devices=["raspberry-pi-5", "raspberry-pi-4"])), "one device"),
        (_request(_spec(), _spec("digits_cnn", data={"calibration": "calibration:digits"})), "labels"),
        (_request(_spec(), _spec("digits_cnn", measure={"threads": 2})), "differ in measure.threads"),
        (_request(_spec(), _spec("digits_cnn", devices=["raspberry-pi-5"])), "differ in devices"),
    ],
)
def test_what_cannot_be_searched_is_refused(request_: SearchRequest, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_request(request_)


def test_models_of_one_name_are_told_apart() -> None:
    request = _request(_spec(), _spec("digits_cnn"), _spec())
    check_request(request)
    assert request.names == ("digits_vit", "digits_cnn", "digits_vit-2")


def test_more_than_is_allowed_is_looked_at() -> None:
    assert reach_of(_spec(budget={"max_drop": 0.5})) == 5.0
    assert reach_of(_spec(budget={"max_drop": 2.0})) == 8.0
