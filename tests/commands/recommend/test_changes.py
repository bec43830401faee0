"""The nearest thresholds at which the answer changes."""

from __future__ import annotations

from edgevit.commands.recommend.changes import Answer, changes
from edgevit.results.recommendation import Situation
from tests.commands.recommend.offered import make_offered

OFFERED = tuple(make_offered(f"n{ms}", "cnn", 0.7, ms, ms / 2, megabytes=ms) for ms in (4, 8, 16))


def said(situation: Situation, answer: object) -> dict[str, str]:
    return {change.what: change.then for change in changes(situation, OFFERED, answer)}  # type: ignore[arg-type]


def test_the_nearest_number_of_images_below_and_above() -> None:
    def answer(situation: Situation) -> Answer:
        images = situation.images or 0
        return Answer("cnn" if images < 50_000 else "hybrid" if images < 10_000_000 else "vit", None)

    found = said(Situation(images=100_000), answer)
    assert found == {
        "49,999 images instead of 100,000": "CNN",
        "10,000,000 images instead of 100,000": "ViT",
    }


def test_a_number_of_images_that_is_not_known() -> None:
    found = said(Situation(), lambda situation: Answer("vit" if (situation.images or 0) >= 10_000_000 else "cnn", None))
    assert found == {"10,000,000 images": "ViT"}


def test_the_nearest_budget_changes_the_network_and_the_family() -> None:
    def answer(situation: Situation) -> Answer:
        budget = situation.max_latency_ms or 0
        in_time = [network for network in OFFERED if network.latency_ms and network.latency_ms.p50 <= budget]
        return Answer("cnn", in_time[-1].name) if in_time else Answer(None, None)

    found = said(Situation(max_latency_ms=10.0, device="x"), answer)
    assert found == {
        "8.00 ms instead of 10.0 ms": "CNN, n4 first",
        "4.00 ms instead of 10.0 ms": "no family is possible",
        "16.0 ms instead of 10.0 ms": "CNN, n16 first",
    }


def test_the_nearest_memory() -> None:
    def answer(situation: Situation) -> Answer:
        fitting = [network for network in OFFERED if network.weights_bytes <= (situation.memory_bytes or 0)]
        return Answer("cnn", fitting[-1].name) if fitting else Answer(None, None)

    found = said(Situation(memory_bytes=9e6), answer)
    assert found["16.0 MB of weights instead of 9.0 MB"] == "CNN, n16 first"
    assert found["4.0 MB of weights instead of 9.0 MB"] == "no family is possible"


def test_everything_else_is_tried_once() -> None:
    asked: list[Situation] = []

    def answer(situation: Situation) -> Answer:
        asked.append(situation)
        return Answer("vit" if situation.shift else "cnn", None)

    now = Situation(images=10, resolution=(640, 640))
    assert said(now, answer) == {"images that differ from the training images": "ViT"}
    tried = {(s.pretraining, s.task, s.shift, s.explanations, s.fine_detail, s.resolution) for s in asked if s != now}
    assert {each[0] for each in tried} == {"none", "imagenet-1k", "larger"}
    assert {each[1] for each in tried} == {"classification", "dense"}
    assert (2160, 3840) in {each[5] for each in tried}
    assert all(True in {each[place] for each in tried} for place in (2, 3, 4))


def test_nothing_changes_where_the_answer_never_does() -> None:
    assert said(Situation(images=500), lambda _: Answer("cnn", "n4")) == {}
