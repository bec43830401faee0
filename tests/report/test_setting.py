"""What a run was made on, in words."""

from __future__ import annotations

from edgevit.report.setting import headline, legend, model_name, notes_of, setting_rows
from tests.factories import make_realistic_run, make_run, make_timed_run


def test_the_headline_marks_a_quick_run() -> None:
    assert headline(make_run()) == "vit_tiny_patch16_224 on Example CPU"
    assert headline(make_run(spec={"quick": True})) == "model on Example CPU (quick run)"
    assert model_name(make_run(spec={"model": 3})) == "model"


def test_rows() -> None:
    rows = dict(setting_rows(make_run()))
    assert rows["largest drop allowed"] == "1.0 pt"
    assert rows["float baseline"] == "top-1 82.7 %, top-5 96.0 % on 855 images, p50 29.0 ms in PyTorch"
    assert dict(setting_rows(make_run(spec={})))["largest drop allowed"] == "not stated"


def test_notes() -> None:
    assert notes_of(make_run()) == ()
    assert any("no labels" in note for note in notes_of(make_realistic_run(labels=False)))
    assert any("predictions are not measurements" in note for note in notes_of(make_timed_run("raspberry-pi-5")))


def test_the_legend_explains_what_is_in_the_table() -> None:
    assert "In the final round" in legend(make_timed_run())
    assert "in a child process" in legend(make_run())
    assert "positive is a gain" in legend(make_run())
