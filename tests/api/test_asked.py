"""What a call gives becomes a spec in the folder of the run, which goes again where no run begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from edgevit.api.asked import Asked, as_document, carry_out, given  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.results.run import Run  # noqa: E402
from edgevit.spec.spec import BudgetSpec, Spec  # noqa: E402
from tests.factories import make_run  # noqa: E402

ASKED = Asked(model="digits_cnn")


class Kept:
    """Stands for a run: keeps the spec and what lay in the folder."""

    def __init__(self) -> None:
        self.specs: list[Spec] = []
        self.files: list[str] = []

    def __call__(self, spec: Spec, folder: Path | None) -> Run:
        self.specs.append(spec)
        self.files += [] if folder is None else [path.name for path in sorted(folder.rglob("*")) if path.is_file()]
        return make_run()


def carried_out(asked: Asked, out: Path) -> tuple[Spec, list[str]]:
    kept = Kept()
    carry_out(asked, out, kept)
    return kept.specs[0], kept.files


def test_what_is_not_given_has_the_default_of_a_spec(tmp_path: Path) -> None:
    spec, files = carried_out(ASKED, tmp_path / "run")
    assert spec == Spec.model_validate({"model": {"name": "digits_cnn"}})
    assert files == []


def test_images_and_labels_in_memory_are_files_that_the_spec_names(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    asked = replace(ASKED, images={"evaluation": (pixels, [0, 1])}, labels=["a", "b"], settings={"seed": 3})
    spec, files = carried_out(asked, tmp_path / "run")
    assert spec.seed == 3
    assert spec.data.evaluation is not None and spec.export.labels is not None
    assert [Path(spec.data.evaluation).name, spec.export.labels.name] == files
    assert spec.export.labels.read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": nn.Identity(), "of_model": {"weights": "w.pt", "pretrained": True}}, "weights, pretrained is given"),
        ({"model": Spec.model_validate({"model": {"name": "m"}}), "settings": {"seed": 1}}, "and seed beside it"),
    ],
)
def test_what_does_not_go_together_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        carry_out(replace(ASKED, **change), tmp_path / "run", Kept())
    assert not (tmp_path / "run").exists()


def test_what_was_written_goes_again_where_no_run_begins(tmp_path: Path) -> None:
    def fail(spec: Spec, folder: Path | None) -> Run:
        assert spec.export.labels is not None and spec.export.labels.is_file()
        raise UsageError("no such backend")

    with pytest.raises(UsageError, match="no such backend"):
        carry_out(replace(ASKED, labels=["a"]), tmp_path / "run", fail)
    assert not (tmp_path / "run" / "inputs").exists()


def test_sections_are_written_without_what_was_not_given() -> None:
    assert given(a=None, b=0, c=False) == {"b": 0, "c": False}
    assert as_document({"budget": BudgetSpec(max_drop=1.0), "seed": 3}) == {"budget": {"max_drop": 1.0}, "seed": 3}
