"""Image sources: what is read, what is refused, and digests of images."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgevit.data.images import ImageSet, Samples, manifest, open_images, open_samples, set_sha256, sorted_digests
from edgevit.data.sampling import refuse_overlap
from edgevit.errors import UsageError
from tests.data.pictures import save


@pytest.fixture
def listed(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a folder with labels.csv, two images under images/ and one beside it."""

    def make(text: str) -> Path:
        folder = tmp_path / "listed"
        for seed, name in enumerate(("images/x.png", "images/y.png", "z.png")):
            save(folder / name, 100 + seed)
        (folder / "labels.csv").write_bytes(text.encode())
        return folder

    return make


def test_class_folders_are_numbered_in_the_order_of_their_names(classes: Path) -> None:
    save(classes / "stray.png", 99)
    (classes / "a" / "notes.txt").write_text("no image")
    (classes / ".thumbnails").mkdir()
    images = open_images(str(classes))
    assert images.ids == (
        "a/0.png",
        "a/1.png",
        "a/2.png",
        "a/3.png",
        "b/0.png",
        "b/1.png",
        "b/2.png",
        "c/0.png",
        "c/1.png",
    )
    assert images.labels == (0, 0, 0, 0, 1, 1, 1, 2, 2)
    assert images.image("b/0.png").size == (6, 6)


def test_an_empty_class_folder_would_shift_the_classes_and_is_refused(classes: Path) -> None:
    (classes / "aa").mkdir()
    with pytest.raises(UsageError, match="the class folder aa holds no images"):
        open_images(str(classes))


def test_a_folder_of_images_has_no_labels(tmp_path: Path) -> None:
    for suffix in ("PNG", "jpg", "webp", "bmp", "gif", "tif", "ppm"):
        save(tmp_path / f"one.{suffix}", 1)
    images = open_images(str(tmp_path))
    assert (len(images), images.labels) == (7, None)
    assert {images.image(image_id).size for image_id in images.ids} == {(6, 6)}


def test_a_table_of_labels(listed: Callable[[str], Path]) -> None:
    images = open_images(str(listed("file,class_index,note\nx.png,7,a\nz.png,0,b\ny.png,7,c\n")))
    assert images.ids == ("x.png", "z.png", "y.png")
    assert images.labels == (7, 0, 7)
    assert images.image("y.png").mode == "RGB"


def test_a_table_from_a_spreadsheet(listed: Callable[[str], Path]) -> None:
    images = open_images(str(listed("\ufefffile,class_index\r\nx.png,1\r\n")))
    assert (images.ids, images.labels) == (("x.png",), (1,))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks the column class_index and file"),
        ("file,label\nx.png,1\n", "lacks the column class_index"),
        ("file,class_index\n", "no images in"),
        ("file,class_index\nx.png,-1\n", "line 2: class_index '-1' is not an integer ≥ 0"),
        ("file,class_index\nx.png,1\ny.png,1.0\n", "line 3: class_index '1.0'"),
        ("file,class_index\nx.png,²\n", "is not an integer ≥ 0"),
        ("file,class_index\nx.png\n", "line 2: class_index ''"),
        ("file,class_index\n,1\n", "line 2: no file ''"),
        ("file,class_index\nw.png,1\n", "line 2: no file 'w.png' beside it or under images/"),
        ("file,class_index\nx.png,1\nx.png,2\n", "line 3: 'x.png' is listed twice"),
        ("file,class_index\n../secret.png,1\n", "line 2: no file '../secret.png'"),
        ("file,class_index\nimages/../../secret.png,1\n", "line 2: no file"),
        ("file,class_index\n" + "x" * 200_000 + ",1\n", "cannot read .*labels.csv"),
    ],
)
def test_a_bad_table_names_its_line(listed: Callable[[str], Path], tmp_path: Path, text: str, message: str) -> None:
    save(tmp_path / "secret.png", 1)
    with pytest.raises(UsageError, match=message):
        open_images(str(listed(text)))


def test_a_table_does_not_reach_out_of_its_folder(listed: Callable[[str], Path], tmp_path: Path) -> None:
    save(tmp_path / "secret.png", 1)
    folder = listed(f"file,class_index\n{tmp_path / 'secret.png'},1\n")
    with pytest.raises(UsageError, match="line 2: no file"):
        open_images(str(folder))
    (folder / "labels.csv").write_text("file,class_index\nlink.png,1\n")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(UsageError, match=r"line 2: no file 'link.png'"):
        open_images(str(folder))


def test_a_table_in_another_encoding_is_named(listed: Callable[[str], Path]) -> None:
    folder = listed("")
    (folder / "labels.csv").write_bytes("file,class_index\nä.png,0\n".encode("latin-1"))
    with pytest.raises(UsageError, match="labels.csv") as caught:
        open_images(str(folder))
    assert caught.value.hint and "UTF-8" in caught.value.hint


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
        ({"images": np.zeros((2, 4, 4, 3), np.float32)}, 'needs an array "images"'),
        ({"images": np.zeros((2, 4, 4, 4), np.uint8)}, 'needs an array "images"'),
        ({"images": np.zeros((4,), np.uint8)}, 'needs an array "images"'),
        ({"images": np.zeros((0, 4, 4), np.uint8)}, "no images in"),
        ({"pictures": np.zeros((2, 4, 4), np.uint8)}, "it has 'pictures'"),
        (
            {"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(3, int)},
            r'"labels" must be 2 integers ≥ 0, one per image.* int64 \[3\]',
        ),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.array([0, -1])}, '"labels" must be 2 integers ≥ 0'),
        ({"images": np.zeros((2, 4, 4), np.uint8), "labels": np.zeros(2)}, '"labels" must be 2 integers ≥ 0'),
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
        (np.zeros((2, 4, 5, 3), np.float32), "float32 [2, 4, 5, 3]", "give pixels from 0 to 255 as uint8"),
        (np.zeros((2, 4, 5), np.int64), "int64 [2, 4, 5]", "give pixels from 0 to 255 as uint8"),
        (np.zeros((2, 3, 4, 5), np.uint8), "uint8 [2, 3, 4, 5]", "images.transpose(0, 2, 3, 1)"),
        (np.zeros((2, 3, 4, 5), np.float64), "float64 [2, 3, 4, 5]", "images.transpose(0, 2, 3, 1)"),
        (np.zeros((2, 4, 5, 1), np.uint8), "uint8 [2, 4, 5, 1]", "images[..., 0]"),
        (np.zeros((2, 4, 5, 4), np.uint8), "uint8 [2, 4, 5, 4]", "images[..., :3]"),
        (np.zeros((2, 4, 5, 7), np.uint8), "uint8 [2, 4, 5, 7]", "red, green, blue"),
        (np.zeros((24, 25, 3), np.uint8), "uint8 [24, 25, 3]", "images[None]"),
        (np.zeros((24, 25), np.uint8), "uint8 [24, 25]", "images[None]"),
        (np.zeros(4, np.uint8), "uint8 [4]", "along the first axis"),
        (np.zeros((1, 1, 2, 2, 3), np.uint8), "uint8 [1, 1, 2, 2, 3]", "along the first axis"),
        (np.zeros((), np.float32), "float32 []", "give pixels"),
    ],
    ids=str,
)  # fmt: skip
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


def test_digits_and_their_parts() -> None:
    pytest.importorskip("sklearn")
    assert open_images("digits").ids == open_images("digits:test").ids
    assert (len(open_images("digits")), len(open_images("digits:calibration"))) == (500, 200)
    with pytest.raises(UsageError, match="unknown digits split: 'tset'"):
        open_images("digits:tset")


def test_noise_is_the_same_every_time() -> None:
    first, second = (np.asarray(open_images("noise:3").image("2")) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(open_images("noise:3")) == 3
    for source in ("noise:x", "noise:-1", "noise:0", "noise:", "noise:1e3"):
        with pytest.raises(UsageError, match="is not a number of images"):
            open_images(source)


def test_unknown_and_unreadable_sources(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such image source: nowhere") as caught:
        open_images("nowhere")
    assert caught.value.hint and "digits" in caught.value.hint
    (tmp_path / "a.zip").write_bytes(b"PK")
    with pytest.raises(UsageError, match="cannot read images from"):
        open_images(str(tmp_path / "a.zip"))
    with pytest.raises(UsageError, match="no images in"):
        open_images(str(tmp_path))
    with pytest.raises(UsageError, match="unknown calibration set: 'nowhere'"):
        open_images("calibration:nowhere")


def write_manifest(path: Path, source: str, ids: str, sha256: str) -> str:
    path.write_text(f'source = "{source}"\nids = {ids}\nsha256 = "{sha256}"\n')
    return str(path)


def test_a_manifest_names_images_and_their_digest(classes: Path) -> None:
    chosen = open_images(str(classes)).select(("c/0.png", "a/1.png"))
    path = classes.parent / "m.toml"
    images = open_images(write_manifest(path, "classes", '["c/0.png", "a/1.png"]', set_sha256(chosen)))
    assert (images.ids, images.labels) == (("c/0.png", "a/1.png"), (2, 0))
    save(classes / "c" / "0.png", 12345)
    with pytest.raises(UsageError, match="sha256 differs"):
        open_images(str(path))


def test_a_written_manifest_opens_the_same_images(classes: Path) -> None:
    chosen = open_images(str(classes)).select(("c/0.png", "a/1.png"))
    path = classes.parent / "m.toml"
    path.write_text(manifest(chosen, 'with "quotes"'))
    images = open_images(str(path))
    assert (images.source, images.ids, images.labels) == (str(path), chosen.ids, (2, 0))
    assert set_sha256(images) == set_sha256(chosen)


@pytest.mark.parametrize(
    ("source", "ids", "message"),
    [
        ("classes", '["d/0.png"]', "has no image 'd/0.png'"),
        ("classes", "[1]", "not a calibration manifest"),
        ("classes", '[["a"]]', "not a calibration manifest"),
        ("m.toml", '["a"]', "is a manifest too"),
        ("calibration:x", '["a"]', "is a manifest too"),
        ("nowhere", '["a"]', "no such image source"),
        ("classes", '["a/0.png"]', "sha256 differs"),
    ],
)
def test_a_bad_manifest_is_refused(classes: Path, source: str, ids: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_images(write_manifest(classes.parent / "m.toml", source, ids, "0"))


def test_the_digest_of_a_set_is_known_and_does_not_depend_on_the_order(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"two")
    images = open_images(str(tmp_path))
    lines = sorted(hashlib.sha256(content).hexdigest() for content in (b"one", b"two"))
    assert set_sha256(images) == hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert set_sha256(images.select(("b.png", "a.png"))) == set_sha256(images)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM"]), st.data())
@pytest.mark.filterwarnings("ignore")
def test_no_damage_to_a_file_escapes_as_anything_but_an_error_that_names_it(kind: str, data: st.DataObject) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(stream, kind)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, min(len(content), 100) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))]
    images = ImageSet("source", ("it",), None, lambda _: bytes(content))
    try:
        said = images.image("it").mode
    except UsageError as error:
        said = error.message
    assert said == "RGB" or "cannot read image it" in said


def test_an_image_is_read_for_its_digest_once(classes: Path, tmp_path: Path) -> None:
    read: list[str] = []
    source = open_images(str(classes))

    def tell(image_id: str) -> bytes | np.ndarray:
        read.append(image_id)
        return source._read(image_id)

    images = ImageSet("source", source.ids, source.labels, tell)
    chosen = images.select(("b/0.png", "a/0.png"))
    digests = sorted_digests(chosen)
    assert digests == tuple(sorted((source.sha256("b/0.png"), source.sha256("a/0.png"))))
    assert read == ["b/0.png", "a/0.png"]
    set_sha256(chosen)
    set_sha256(images)
    with pytest.raises(UsageError, match="2 training images"):
        refuse_overlap(images, chosen, "training")
    assert sorted(read) == sorted(source.ids)


def test_samples_are_opened_again_by_name(classes: Path) -> None:
    images = open_samples(Samples(str(classes), ("b/0.png", "a/0.png")))
    assert (images.ids, images.labels) == (("b/0.png", "a/0.png"), (1, 0))
    with pytest.raises(UsageError, match=r"has no image 'z' \(1 of 2 are missing\)"):
        open_samples(Samples(str(classes), ("a/0.png", "z")))
