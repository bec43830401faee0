"""Names of the classes, for artifacts to carry."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

ensure_torchvision_schemas()
pytest.importorskip("timm")

from torch import nn  # noqa: E402

from edgevit.data.sampling import RunData  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.pipeline.inputs import open_inputs  # noqa: E402
from edgevit.pipeline.output_names import output_names  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from tests.data.pictures import class_folders  # noqa: E402
from tests.pipeline.contexts import CONTRACT_32, digits_spec, noise  # noqa: E402


def test_names_of_classes_are_those_of_a_file_or_of_folders_or_the_models_own(tmp_path: Path) -> None:
    folders = class_folders(tmp_path / "named", tuple(f"digit {digit}" for digit in range(10)))
    (tmp_path / "labels.txt").write_text("\n".join("abcdefghij"))
    assert open_inputs(digits_spec(), Silent()).class_names == tuple("0123456789")
    by_folder = open_inputs(digits_spec(data={"evaluation": folders}), Silent())
    assert by_folder.class_names == tuple(f"digit {digit}" for digit in range(10))
    labels = {"labels": str(tmp_path / "labels.txt")}
    asked = digits_spec(data={"evaluation": folders}, export=labels)
    by_file = open_inputs(asked, Silent())
    assert by_file.class_names == tuple("abcdefghij")
    contract = by_file.contract(CONTRACT_32, "static_wi8_ai8")
    assert (contract.classes, contract.preprocessing, contract.scheme) == (
        by_file.class_names,
        CONTRACT_32,
        "static_wi8_ai8",
    )
    assert (contract.layout, contract.spec_sha256) == ("NCHW", asked.sha256)


def test_a_file_of_other_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(UsageError, match="names 2 classes, and the model has 10"):
        open_inputs(digits_spec(export={"labels": str(tmp_path / "labels.txt")}), Silent())


def test_class_folders_of_imagenet_have_its_names(tmp_path: Path) -> None:
    from edgevit.data.class_order import order_folders

    model = Model("m", nn.Identity(), CONTRACT_32, 1000, random_weights=False)
    images = replace(noise(1, (0,)), classes=order_folders(tmp_path, ["n01440764", "n01443537"]))
    names = output_names(digits_spec(), model, RunData(images, None))
    assert (len(names), names[0].partition(",")[0], names[1].partition(",")[0]) == (1000, "tench", "goldfish")
