"""Which output of a model a label means: sure, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgevit.data.images import ImageSet, open_images
from edgevit.data.output_labels import match_labels
from edgevit.errors import UsageError
from tests.data.pictures import save


def folders(root: Path, *names: str) -> ImageSet:
    for seed, name in enumerate(names):
        save(root / name / "0.png", seed)
    return open_images(str(root))


def listed(*labels: int) -> ImageSet:
    pixels = np.zeros((4, 4, 3), np.uint8)
    return ImageSet("set", tuple(map(str, range(len(labels)))), labels, lambda _: pixels)


def test_class_folders_are_the_outputs_if_there_are_as_many(tmp_path: Path) -> None:
    images = match_labels(folders(tmp_path, "rose", "daisy"), 2, None)
    assert images.labels == (0, 1)
    assert images.classes is not None and images.classes.index == {"daisy": 0, "rose": 1}
    shifted = match_labels(folders(tmp_path, "rose", "daisy"), 3, 1)
    assert shifted.labels == (1, 2)
    assert shifted.classes is not None and shifted.classes.index == {"daisy": 1, "rose": 2}


def test_a_single_logit_stands_for_two_classes(tmp_path: Path) -> None:
    assert match_labels(folders(tmp_path, "rose", "daisy"), 1, None).labels == (0, 1)
    with pytest.raises(UsageError, match="has 3 class folders, the model 2 classes"):
        match_labels(folders(tmp_path / "three", "rose", "daisy", "tulip"), 1, None)


@pytest.mark.parametrize(("outputs", "said"), [(3, "3 classes"), (5, "5 classes"), (10, "10 classes")])
def test_another_number_of_class_folders_is_refused(tmp_path: Path, outputs: int, said: str) -> None:
    with pytest.raises(UsageError, match=f"has 2 class folders, the model {said}") as caught:
        match_labels(folders(tmp_path, "rose", "daisy"), outputs, None)
    assert caught.value.hint and f"{tmp_path}/classes.txt" in caught.value.hint
    assert ("--class-offset 1" in caught.value.hint) == (outputs == 3)


def test_a_file_of_classes_maps_fewer_folders(tmp_path: Path) -> None:
    images = folders(tmp_path, "rose", "daisy")
    (tmp_path / "classes.txt").write_text("tulip\ndaisy\nrose\n")
    images = open_images(str(tmp_path))
    assert match_labels(images, 3, None).labels == (1, 2)
    with pytest.raises(UsageError, match=r"has 3 names in classes.txt, the model 4 classes"):
        match_labels(images, 4, None)


def test_imagenets_identifiers_are_its_classes_whichever_are_there(tmp_path: Path) -> None:
    images = folders(tmp_path, "n02123045", "n01440764", "n15075141")
    assert match_labels(images, 1000, None).labels == (0, 281, 999)
    assert match_labels(images, 1001, 1).labels == (1, 282, 1000)
    assert match_labels(images, 3, None).labels == (0, 1, 2)
    with pytest.raises(UsageError, match="3 class folders, the model 10 classes"):
        match_labels(images, 10, None)


def test_folders_named_as_the_models_classes_are_these_whichever_are_there(tmp_path: Path) -> None:
    images, names = folders(tmp_path, "rose", "daisy"), ("tulip", "rose", "daisy")
    found = match_labels(images, 3, None, names)
    assert found.labels == tuple(names.index(image_id.partition("/")[0]) for image_id in found.ids)
    assert found.classes is not None and found.classes.index == {"rose": 1, "daisy": 2}
    with pytest.raises(UsageError, match="2 class folders, the model 3 classes"):
        match_labels(images, 3, None, ("tulip", "rose", "lily"))  # one of them is not the model's
    with pytest.raises(UsageError, match="2 class folders, the model 3 classes"):
        match_labels(images, 3, None, ("daisy", "rose", "rose"))  # which rose?
    assert match_labels(images, 3, 1, names).labels == (1, 2)  # what the user says counts more


def test_a_background_class_has_to_be_said() -> None:
    with pytest.raises(UsageError, match="1001 outputs, and the labels of set are 0 to 999") as caught:
        match_labels(listed(0, 999), 1001, None)
    assert caught.value.hint and "--class-offset 1" in caught.value.hint
    assert match_labels(listed(0, 999), 1001, 1).labels == (1, 1000)
    assert match_labels(listed(0, 999), 1001, 0).labels == (0, 999)
    assert match_labels(listed(5, 1000), 1001, None).labels == (5, 1000)


def test_labels_that_count_from_one_are_told_so() -> None:
    with pytest.raises(UsageError, match=r"label 10 is outside the model's 10 classes \(0 to 9\)") as caught:
        match_labels(listed(1, 10), 10, None)
    assert caught.value.hint and "--class-offset -1" in caught.value.hint
    assert match_labels(listed(1, 10), 10, -1).labels == (0, 9)
    with pytest.raises(UsageError, match=r"label 0 \(class offset -1\) is outside"):
        match_labels(listed(0, 9), 10, -1)


def test_labels_outside_are_refused() -> None:
    with pytest.raises(UsageError, match="label 12 is outside the model's 10 classes"):
        match_labels(listed(0, 12), 10, None)
    with pytest.raises(UsageError, match=r"label 9 \(class offset 1\) is outside") as caught:
        match_labels(listed(0, 9), 10, 1)
    assert caught.value.hint and "without --class-offset 1" in caught.value.hint


def test_images_without_labels_stay_as_they_are() -> None:
    images = open_images("noise:2")
    assert match_labels(images, 1001, None) is images


def test_labels_of_a_model_without_classes_stay_as_they_are() -> None:
    images = listed(7, 200, 3)
    assert match_labels(images, 0, None) is images
