"""Reading what is known of a project."""

from __future__ import annotations

import pytest

from edgevit.commands.recommend.situation import (
    check_situation,
    parse_images,
    parse_latency,
    parse_memory,
    parse_resolution,
)
from edgevit.errors import UsageError
from edgevit.results.recommendation import Situation


@pytest.mark.parametrize(
    ("text", "images"),
    [("5000", 5000), ("5,000", 5000), ("50k", 50_000), ("1.2M", 1_200_000), ("2G", 2_000_000_000), (None, None)],
)
def test_numbers_of_images(text: str | None, images: int | None) -> None:
    assert parse_images(text) == images


@pytest.mark.parametrize("text", ["", "0", "-5", "many", "5 kg", "1.5", "1e3", "9999G", "nan"])
def test_what_is_no_number_of_images(text: str) -> None:
    with pytest.raises(UsageError, match="--images"):
        parse_images(text)


@pytest.mark.parametrize(("text", "ms"), [("10ms", 10.0), ("10", 10.0), ("0.5 s", 500.0), (".5ms", 0.5), (None, None)])
def test_latencies(text: str | None, ms: float | None) -> None:
    assert parse_latency(text) == ms


@pytest.mark.parametrize("text", ["0", "-1ms", "fast", "10 h", "inf"])
def test_what_is_no_latency(text: str) -> None:
    with pytest.raises(UsageError, match="--max-latency"):
        parse_latency(text)


@pytest.mark.parametrize(("text", "size"), [("8MB", 8e6), ("512 KiB", 2**19), ("1gb", 1e9), (None, None)])
def test_amounts_of_memory(text: str | None, size: float | None) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["8", "0MB", "-8MB", "8 ms"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="--memory"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("4k", (2160, 3840)), ("4K", (2160, 3840)), ("640", (640, 640)), ("480x640", (480, 640)), (None, None)],
)
def test_resolutions(text: str | None, size: tuple[int, int] | None) -> None:
    assert parse_resolution(text) == size


@pytest.mark.parametrize("text", ["0", "0x640", "640x", "big", "-640", "1x2x3", "999999"])
def test_what_is_no_resolution(text: str) -> None:
    with pytest.raises(UsageError, match="--resolution"):
        parse_resolution(text)


def test_what_says_nothing_alone_is_refused() -> None:
    with pytest.raises(UsageError, match="--max-latency is on a device"):
        check_situation(Situation(max_latency_ms=10.0))
    with pytest.raises(UsageError, match="--fine-detail"):
        check_situation(Situation(fine_detail=True))
    check_situation(Situation(max_latency_ms=10.0, device="rk3588", fine_detail=True, resolution=(640, 640)))


def test_only_small_details_and_dense_tasks_need_the_whole_resolution() -> None:
    assert Situation(resolution=(2160, 3840)).full_size is None
    assert Situation(resolution=(2160, 3840), fine_detail=True).full_size == (2160, 3840)
    assert Situation(resolution=(512, 512), task="dense").full_size == (512, 512)
