"""Whether a model can be fed with the images of a source, and what has to be done where it cannot."""

from __future__ import annotations

import pytest

from edgevit.data.array_form import ArrayForm, check_form
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing, Tiles

RGB = Preprocessing((4, 5), (0.5,) * 3, (0.5,) * 3)
GREY = Preprocessing((4, 5), (0.5,), (0.5,))
FOUR = Preprocessing((4, 5), (0.5,) * 4, (0.5,) * 4)
ARRAY = Preprocessing((4, 5), (0.0,) * 2, (1.0,) * 2, input="array")
TILED_ARRAY = Preprocessing((4, 5), (0.0,) * 2, (1.0,) * 2, input="array", tiles=Tiles((4, 5), 0.0, "mean"))
FLAT_ARRAY = Preprocessing((4, 5), (0.0,), (1.0,), input="array")


def form(channels: int, *, is_float: bool = False, size: tuple[int, int] | None = (4, 5)) -> ArrayForm:
    return ArrayForm("as stored", is_float, channels, size)


@pytest.mark.parametrize(
    ("given", "contract"),
    [
        (None, RGB),
        (None, GREY),
        (form(3), RGB),
        (form(1), RGB),
        (form(3), GREY),
        (form(1, size=None), GREY),
        (form(4, size=(9, 9)), FOUR),
        (form(2, is_float=True), ARRAY),
        (form(1, is_float=True), FLAT_ARRAY),
        (form(2, is_float=True), TILED_ARRAY),
        (form(2, is_float=True, size=(4, 50)), TILED_ARRAY),
    ],
)
def test_what_a_model_takes(given: ArrayForm | None, contract: Preprocessing) -> None:
    check_form(given, "a.npz", contract)


@pytest.mark.parametrize(
    ("given", "contract", "wanted", "steps"),
    [
        (form(3, is_float=True), RGB, "uint8 [n, h, w, 3] or [n, h, w]", ["as uint8", "input = array"]),
        (form(4), RGB, "uint8 [n, h, w, 3] or [n, h, w]", ["images[..., :3]"]),
        (form(7), RGB, "uint8 [n, h, w, 3] or [n, h, w]", ["red, green, blue"]),
        (form(5, size=(3, 4)), RGB, "uint8 [n, h, w, 3] or [n, h, w]", ["images.transpose(0, 2, 3, 1)", "NCHW"]),
        (form(5, size=(3, 4), is_float=True), RGB, "uint8 [n, h, w, 3] or [n, h, w]", ["uint8", "images.transpose"]),
        (form(2), GREY, "uint8 [n, h, w, 1] or [n, h, w]", ["images[..., :1]"]),
        (form(3, size=(9, 9)), FOUR, "uint8 [n, h, w, 4]", ["the 4 channels"]),
        (form(2), ARRAY, "float32 [n, 4, 5, 2]", ["images.astype(numpy.float32)"]),
        (form(5, size=(2, 4), is_float=True), ARRAY, "float32 [n, 4, 5, 2]", ["images.transpose(0, 2, 3, 1)"]),
        (form(2, size=(5, 4), is_float=True), ARRAY, "float32 [n, 4, 5, 2]", ["are not resized"]),
        (form(3, is_float=True), ARRAY, "float32 [n, 4, 5, 2]", ["are not resized"]),
        (form(2, size=None, is_float=True), ARRAY, "float32 [n, 4, 5, 2]", ["are not resized"]),
        (form(3, is_float=True), FLAT_ARRAY, "float32 [n, 4, 5, 1] or [n, 4, 5]", ["are not resized"]),
    ],
)
def test_what_it_does_not_is_told_what_to_do(
    given: ArrayForm, contract: Preprocessing, wanted: str, steps: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        check_form(given, "a.npz", contract)
    assert caught.value.message == f'a.npz needs an array "images", {wanted}; it is as stored'
    assert caught.value.hint and all(step in caught.value.hint for step in steps)


@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (FOUR, "holds RGB images, and the model takes 4 channels"),
        (ARRAY, "holds images of 8 bits, and the model takes arrays"),
    ],
)
def test_decoded_images_are_no_arrays(contract: Preprocessing, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        check_form(None, "photos", contract)
    assert caught.value.hint and ".npz" in caught.value.hint


def test_an_array_smaller_than_a_tile_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        check_form(form(2, is_float=True, size=(3, 50)), "a.npz", TILED_ARRAY)
    assert "give the size, or with tiles a larger one" in str(refused.value.hint)
