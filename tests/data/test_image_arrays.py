"""Images in archives: what is read, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgevit.data.image_arrays import open_arrays
from edgevit.data.images import open_images
from edgevit.errors import UsageError


def test_an_npz_with_and_without_labels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=pixels, labels=np.array([2, 0, 1]))
    images = open_images(str(tmp_path / "a.npz"))
    assert (images.ids, images.labels) == (("0", "1", "2"), (2, 0, 1))
    np.testing.assert_array_equal(np.asarray(images.image("1")), pixels[1])
    np.savez(tmp_path / "b.npz", images=pixels[..., 0])
    grey = open_images(str(tmp_path / "b.npz"))
    assert (grey.labels, grey.image("0").mode) == (None, "RGB")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, 'needs an array "images"'),
        ({"images": np.zeros((2, 4, 4, 3), np.int32)}, 'needs an array "images"'),
        ({"images": np.zeros((4,), np.uint8)}, 'needs an array "images"'),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "no images in"),
        ({"pictures": np.zeros((2, 4, 4), np.uint8)}, "it has 'pictures'"),
        (
            {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(3, int)},
            r'"labels" must be 2 integers ≥ 0, one per image.* int64 \[3\]',
        ),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, -1])}, '"labels" must be 2 integers ≥ 0'),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0.5, np.nan])}, '"labels" hold NaN'),
        ({"images": np.array([object()])}, "cannot read"),
    ],
)
def test_a_bad_npz_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(UsageError, match=message):
        open_images(str(tmp_path / "a.npz"))


@pytest.mark.parametrize(
    ("images", "found", "step"),
    [
        (np.zeros((2, 4, 5), np.int64), "int64 [2, 4, 5]", "give pixels from 0 to 255 as uint8"),
        (np.zeros((24, 25, 3), np.uint8), "uint8 [24, 25, 3]", "images[None]"),
        (np.zeros((24, 25), np.uint8), "uint8 [24, 25]", "images[None]"),
        (np.zeros(4, np.uint8), "uint8 [4]", "along the first axis"),
        (np.zeros((1, 1, 2, 2, 3), np.uint8), "uint8 [1, 1, 2, 2, 3]", "along the first axis"),
        (np.zeros((), np.float32), "float32 []", "along the first axis"),
    ],
    ids=["int64", "one image", "one grey image", "one axis", "five axes", "none"],
)
def test_an_array_of_another_shape_or_type_is_told_what_it_is_and_what_to_do(
    tmp_path: Path, images: np.ndarray, found: str, step: str
) -> None:
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(UsageError) as caught:
        open_images(str(tmp_path / "a.npz"))
    assert caught.value.message.endswith(
        f'a.npz needs an array "images", uint8 [n, h, w, 3] or [n, h, w]; it is {found}'
    )
    assert caught.value.hint and step in caught.value.hint


def test_channels_are_last_unless_the_archive_says_that_they_are_first(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((2, 4, 5, 6))
    for name, archive in (
        ("last", {"images": values}),
        ("first", {"images": values.transpose(0, 3, 1, 2), "layout": "NCHW"}),
    ):
        np.savez(tmp_path / f"{name}.npz", **archive)
        found = open_arrays(tmp_path / f"{name}.npz")
        assert found.form is not None and (found.form.is_float, found.form.channels, found.form.size) == (
            True,
            6,
            (4, 5),
        )
        read = found.read("1")
        assert isinstance(read, np.ndarray) and read.dtype == np.float32
        np.testing.assert_array_equal(read, values[1].astype(np.float32))


@pytest.mark.parametrize("given", [{"layout": "CHW"}, {"layout": "NCHW", "images": np.zeros((2, 4, 4), np.uint8)}])
def test_another_layout_is_refused(tmp_path: Path, given: dict[str, np.ndarray]) -> None:
    np.savez(tmp_path / "a.npz", **{"images": np.zeros((2, 3, 4, 4), np.uint8), **given})
    with pytest.raises(UsageError, match='"layout" is') as caught:
        open_arrays(tmp_path / "a.npz")
    assert caught.value.hint and "NHWC or NCHW" in caught.value.hint


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(20, 4, 5, 3), (20, 3, 4, 5), (20, 4, 5)])
def test_images_with_nan_or_infinity_are_named(tmp_path: Path, value: float, shape: tuple[int, ...]) -> None:
    images = np.zeros(shape, np.float32)
    images[7, 1, 1] = images[12, 0] = value
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(UsageError, match=r"a.npz: 2 of 20 images hold NaN or infinity: 7, 12$") as caught:
        open_images(str(tmp_path / "a.npz"))
    assert caught.value.hint and "uint8 [n, h, w, 3]" in caught.value.hint
    images[:] = value
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(UsageError, match=r"20 of 20 images hold NaN or infinity: 0, 1, .* 9 and 10 more"):
        open_images(str(tmp_path / "a.npz"))


def test_a_broken_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (9, 9, 9), dtype=np.uint8))
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:200], whole[:150] + bytes(80) + whole[230:]):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=r"a\.npz"):
            open_images(str(path))
    with path.open("wb") as stream:
        np.save(stream, np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(UsageError, match="holds one array"):
        open_images(str(path))


def test_members_that_are_no_arrays_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", b"no array at all")
    with pytest.raises(UsageError, match=r"a\.npz: the member 'images' is not an array"):
        open_arrays(path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((1, 4, 4), np.uint8))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1  # the bit that says so
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"cannot read .*a\.npz: .*encrypted"):
        open_arrays(path)


def test_an_array_that_does_not_fit_in_memory_is_refused(tmp_path: Path) -> None:
    path, header = tmp_path / "a.npz", io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (1 << 50, 4, 4)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", header.getvalue())
    with pytest.raises(UsageError, match=r"cannot read .*a\.npz"):
        open_arrays(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_an_archive_escapes_as_anything_but_an_error_that_names_it(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "a.npz"
    save = np.savez_compressed if data.draw(st.booleans()) else np.savez
    save(path, images=np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3), labels=np.array([0, 1]))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    said = "a.npz"
    try:
        open_arrays(path)
    except UsageError as error:
        said = error.message
    assert "a.npz" in said
