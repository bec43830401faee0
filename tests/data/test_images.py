"""Image sources: what is read, what is refused, and digests of images."""

from __future__ import annotations

import hashlib
import io
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


def test_digits_and_their_parts() -> None:
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
        ("nowhere", '["a"]', "its images nowhere are not there"),
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
