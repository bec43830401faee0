"""Numbers of points that lie apart stay near them; those of points that lie together do not cover each other."""

from __future__ import annotations

from edgevit.report.html.labels import label_offsets


def boxes(points: list[tuple[float, float]], offsets: tuple[tuple[int, int], ...]) -> list[tuple[float, float]]:
    return [(560 * x + right, 300 * (1 - y) + down) for (x, y), (right, down) in zip(points, offsets, strict=True)]


def test_a_single_number_is_beside_its_point() -> None:
    ((right, down),) = label_offsets([(0.5, 0.5)], ["1"], [6.0])
    assert 10 <= abs(right) + abs(down) <= 30


def test_numbers_of_points_at_one_place_are_apart() -> None:
    points = [(0.5, 0.5)] * 5
    found = boxes(points, label_offsets(points, list("12345"), [6.0] * 5))
    for at, (x, y) in enumerate(found):
        assert all(abs(x - other) >= 7 or abs(y - down) >= 13 for other, down in found[:at])


def test_a_number_keeps_clear_of_a_ring() -> None:
    ((right, down),) = label_offsets([(0.5, 0.5)], ["12"], [12.0])
    assert abs(right) >= 12 + 7 or abs(down) >= 12 + 6.5
    assert label_offsets([], [], []) == ()
