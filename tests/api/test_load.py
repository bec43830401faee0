"""``edgevit.load``: a bare file recognizes digits."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import edgevit
from edgevit.api.load import load
from edgevit.errors import UsageError
from edgevit.results.artifact import Preprocessing


def test_a_bare_file_recognizes_digits(digits_files: dict[str, Path], tmp_path: Path) -> None:
    from edgevit.data.images import open_images

    images = open_images("digits").select(("digits-0010", "digits-0021", "digits-0024"))
    assert images.labels is not None
    images.image("digits-0010").resize((80, 64)).save(tmp_path / "photo.jpg")
    for path in digits_files.values():
        classifier = edgevit.load(path)
        assert repr(classifier).startswith("<Classifier of 10 classes, images of 32 x 32 pixels")
        found = [classifier.classify(images.image(name))[0][0] for name in images.ids]
        assert found == [str(label) for label in images.labels]
        named = classifier.classify(str(tmp_path / "photo.jpg"))
        assert (named[0][0], len(named)) == ("0", 10)
        assert sum(probability for _, probability in named) == pytest.approx(1.0)


def test_labels_and_preprocessing_can_be_given(digits_files: dict[str, Path]) -> None:
    image = Image.fromarray(np.zeros((32, 32, 3), np.uint8))
    path, letters = digits_files["onnxruntime"], list("abcdefghij")
    stated, named = load(path).classify(image), load(path, labels=letters).classify(image)
    assert [letters[int(label)] for label, _ in stated] == [label for label, _ in named]
    given = load(path, preprocessing=Preprocessing((1, 1), (0.25,) * 3, (0.5,) * 3))
    assert (given.preprocessing.input_size, given.preprocessing.mean) == ((32, 32), (0.25, 0.25, 0.25))
    with pytest.raises(UsageError, match="has 10 classes, and 2 labels are given"):
        load(path, labels=["a", "b"])


def test_what_is_no_file_or_states_nothing_is_refused(tmp_path: Path) -> None:
    from edgevit.commands import probes

    with pytest.raises(UsageError, match="no such file"):
        load(tmp_path / "nowhere.onnx")
    with pytest.raises(UsageError, match="carries no contract"):
        load(probes.probe_path(".onnx"))


def test_a_missing_runtime_is_told_with_its_extra(
    digits_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "edgevit.backends.onnxruntime.session", raising=False)
    imports = builtins.__import__

    def without_runtime(name: str, *rest: Any, **others: Any) -> Any:
        if name.partition(".")[0] == "onnxruntime":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imports(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without_runtime)
    with pytest.raises(UsageError, match="onnxruntime is not installed") as caught:
        load(digits_files["onnxruntime"])
    assert caught.value.hint == "pip install 'edgevit[onnx]'"


def test_it_needs_neither_torch_nor_another_runtime(digits_files: dict[str, Path]) -> None:
    others = ("torch", "timm", "onnx", "openvino", "nncf", "ai_edge_litert", "sklearn", "matplotlib")
    program = (
        "import sys, numpy as np, edgevit\n"
        f"edgevit.load(sys.argv[1]).classify(np.zeros((40, 30, 3), np.uint8))\nprint(sorted(set({others!r}) & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(digits_files["onnxruntime"])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
