"""Folders of images: which layouts are read, and what is left out is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgevit.data.images import open_images
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
    (folder / "link.png").symlink_to(tmp_path / "secret.png")  # as git-annex and DVC store images
    assert open_images(str(folder)).image("link.png").size == (6, 6)
    (tmp_path / "secret.png").unlink()
    with pytest.raises(
        UsageError, match=r"line 2: 'link.png' cannot be read: it is a link to .*secret.png, which does"
    ):
        open_images(str(folder))


def test_a_table_in_another_encoding_is_named(listed: Callable[[str], Path]) -> None:
    folder = listed("")
    (folder / "labels.csv").write_bytes("file,class_index\nä.png,0\n".encode("latin-1"))
    with pytest.raises(UsageError, match="labels.csv") as caught:
        open_images(str(folder))
    assert caught.value.hint and "UTF-8" in caught.value.hint


@pytest.mark.parametrize(
    "header",
    ["file;class_index", "file\tclass_index", " file , class_index ", "File,Class_Index", '"file","class_index"'],
)
def test_tables_are_read_with_other_separators_spaces_and_capitals(listed: Callable[[str], Path], header: str) -> None:
    separator = next(one for one in ";\t," if one in header)
    images = open_images(str(listed(f"{header}\nx.png{separator} 3\nz.png{separator}1 \n\n")))
    assert (images.ids, images.labels) == (("x.png", "z.png"), (3, 1))


def test_a_table_that_is_no_file_is_not_passed_over(listed: Callable[[str], Path]) -> None:
    folder = listed("")
    (folder / "labels.csv").unlink()
    os.mkfifo(folder / "labels.csv")
    with pytest.raises(UsageError, match="labels.csv is no table of labels: it is a named pipe"):
        open_images(str(folder))


def test_images_that_a_table_does_not_list_are_counted(listed: Callable[[str], Path]) -> None:
    images = open_images(str(listed("file,class_index\nx.png,1\n")))
    (note,) = images.notes
    assert "2 not read, not listed in labels.csv (.png: 2): z.png, images/y.png" in note


def test_a_misspelt_row_gets_the_nearest_file(listed: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="no file 'zz.png'") as caught:
        open_images(str(listed("file,class_index\nzz.png,1\n")))
    assert caught.value.hint == "did you mean z.png?"


def test_numbered_class_folders_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in range(12):
        save(tmp_path / "c" / str(number) / "x.png", number)
    images = open_images(str(tmp_path / "c"))
    assert images.ids == tuple(f"{number}/x.png" for number in range(12))
    assert images.labels == tuple(range(12))
    (note,) = images.notes
    assert "in the order of their numbers: 0, 1, 2 …" in note and "10 would come before 2" in note


def test_a_file_of_classes_says_which_folder_is_which(classes: Path) -> None:
    (classes / "classes.txt").write_text("c\nx\na\nb\n")
    images = open_images(str(classes))
    assert images.ids[:2] == ("c/0.png", "c/1.png")
    assert images.labels == (0, 0, 2, 2, 2, 2, 3, 3, 3)
    assert images.classes is not None and images.classes.explicit
    assert images.notes == ()


def test_what_is_left_out_is_counted_and_named(classes: Path) -> None:
    save(classes / "stray.png", 99)
    for name in ("a/1.heic", "a/2.heic", "b/notes.txt", "a/._0.png", "a/.DS_Store"):
        (classes / name).write_bytes(b"x")
    save(classes / "c" / "deeper" / "0.png", 98)
    images = open_images(str(classes))
    assert len(images) == 9
    beside, no_images, deeper = images.notes
    assert "1 not read, beside the class folders (.png: 1): stray.png" in beside
    assert "3 not read, no images by their suffix (.heic: 2, .txt: 1): a/1.heic, a/2.heic, b/notes.txt" in no_images
    assert "1 not read, folders within class folders" in deeper and "c/deeper/" in deeper


def test_a_class_folder_with_nothing_that_is_read_says_what_it_holds(classes: Path) -> None:
    (classes / "d").mkdir()
    (classes / "d" / "0.heic").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"class folder d holds no images that are read \(1 files: .heic\)"):
        open_images(str(classes))


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "JPEG", "avif"])
def test_images_of_less_usual_suffixes_are_read(tmp_path: Path, suffix: str) -> None:
    from PIL import Image, features

    if suffix == "avif" and not features.check("avif"):
        pytest.skip("Pillow was built without AVIF")
    kind = "AVIF" if suffix == "avif" else "JPEG"
    Image.new("RGB", (6, 6), (200, 10, 10)).save(tmp_path / f"x.{suffix}", kind)
    images = open_images(str(tmp_path))
    assert images.image(f"x.{suffix}").size == (6, 6)


def test_lost_links_are_an_error_that_names_them(classes: Path) -> None:
    (classes / "a" / "9.png").symlink_to(classes / "nowhere.png")
    (classes / "a" / "8.png").symlink_to(classes / "a" / "8.png")
    with pytest.raises(UsageError, match="2 images cannot be read") as caught:
        open_images(str(classes))
    assert "9.png: it is a link to" in caught.value.message
    assert "8.png: it is a link that leads back to itself" in caught.value.message


def test_links_that_lead_somewhere_are_followed(classes: Path, tmp_path: Path) -> None:
    save(tmp_path / "store" / "x.png", 7)
    (classes / "a" / "9.png").symlink_to(tmp_path / "store" / "x.png")
    (classes / "d").symlink_to(tmp_path / "store")
    assert {"a/9.png", "d/x.png"} <= set(open_images(str(classes)).ids)


def test_a_pipe_among_images_is_not_waited_for(classes: Path) -> None:
    os.mkfifo(classes / "a" / "9.png")
    with pytest.raises(UsageError, match="9.png: it is a named pipe"):
        open_images(str(classes))


def test_a_name_that_is_not_utf8_is_told(classes: Path) -> None:
    (classes / "a" / os.fsdecode(b"\xff.png")).write_bytes((classes / "a" / "0.png").read_bytes())
    with pytest.raises(UsageError, match=r"the file name '\\\\udcff.png' is not UTF-8"):
        open_images(str(classes))


@pytest.mark.parametrize("half", ["val", "validation", "valid", "test", "Val"])
def test_of_a_root_the_half_that_fits_is_read_and_told(tmp_path: Path, half: str) -> None:
    for part, count in (("train", 3), (half, 2)):
        for seed, name in enumerate(("a", "b")):
            for number in range(count):
                save(tmp_path / "root" / part / name / f"{number}.png", 100 * seed + 10 * number + count)
    root = str(tmp_path / "root")
    images, training = open_images(root), open_images(root, "training")
    assert (len(images), len(training)) == (4, 6)
    assert images.source == str(tmp_path / "root" / half)
    assert open_images(images.source).ids == images.ids
    assert images.labels == (0, 0, 1, 1)
    assert images.notes == (f"{root} has {half}/ beside train/: {tmp_path / 'root' / half} is read",)


def test_a_root_without_the_half_that_is_needed_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "root" / "train" / "a" / "0.png", 1)
    save(tmp_path / "root" / "other" / "a" / "0.png", 1)
    with pytest.raises(
        UsageError, match="neither images nor class folders, but folders of them: other, train"
    ) as caught:
        open_images(str(tmp_path / "root"))
    assert caught.value.hint and str(tmp_path / "root" / "train") in caught.value.hint
