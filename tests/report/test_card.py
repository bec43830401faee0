"""The model card: its metadata is read back by its library, its figures are those of the run, its names are text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from edgevit.report.card import card_metadata, render_card
from edgevit.results.candidate import Accuracy, SetAccuracy
from edgevit.results.measurement import Interval
from edgevit.results.run import EvaluationRecord, Run
from tests.factories import make_candidate, make_run, make_timed_run
from tests.results.test_shift import record

pytest.importorskip("huggingface_hub")

HOSTILE = "x\x1b[31m\n---\nlicense: mit\n---\n# <script>alert(1)</script> | [a](http://b.c) `"


def parsed(text: str) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard(text, ignore_metadata_errors=False)


def timed() -> Run:
    run = make_timed_run("raspberry-pi-5")
    return replace(run, evaluation=EvaluationRecord("photos/val", {"daisy": 0, "rose": 1}))


def test_the_metadata_is_that_of_the_library() -> None:
    run = timed()
    candidate = run.candidates[1]
    data = parsed(render_card(run, candidate, "apache-2.0")).data
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "openvino", "image-classification")
    assert data.tags == ["edgevit", "edge", "openvino", "static_wi8_ai8"]
    results = {each.metric_name: each for each in data.eval_results}
    assert (results["top-1"].metric_value, results["top-1"].dataset_name) == (0.822, "photos/val")
    assert (results["top-5"].metric_value, results["top-5"].dataset_type) == (0.96, "photos-val")


def test_every_section_has_the_figures_of_the_run() -> None:
    run = timed()
    text = render_card(run, replace(run.candidates[1], shift=record(noise=(1, 2, 3))), None)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Intended use", "## Accuracy", "## Loss under shift", "## Latency", "## Quantization", "## Calibration",
        "## Limits", "## Licence", "## Provenance",
    ]  # fmt: skip
    assert "82.2 %" in text and "79.5 to 84.6 %" in text and "photos/val (855)" in text
    assert "12.6 ms" in text and "Example CPU" in text and "measured in 3 rounds" in text
    assert f"{'ef' * 32}" in text and f"{'ab' * 32}" in text
    assert "Largest drop under shift: 2.0 pt (noise)" in text
    assert "Not stated." in text and "license" not in text.split("---")[1]


def test_what_was_predicted_is_never_said_to_be_measured() -> None:
    run = timed()
    text = render_card(run, run.candidates[2], None)
    (row,) = [line for line in text.splitlines() if line.startswith("| raspberry-pi-5")]
    assert "predicted, not measured" in row and "20.0 ms to 60.0 ms" in row
    assert "Latency is not to be relied on: steal time" in text
    assert "The scheme needs no calibration" in text and "needs no calibration" not in render_card(
        run, run.candidates[1], None
    )


@pytest.mark.parametrize(
    ("licence", "found"), [("cc-by-4.0", ("cc-by-4.0", None)), ('Acme Terms 3: "no"', ("other", 'Acme Terms 3: "no"'))]
)
def test_a_licence_is_taken_as_it_is_stated(licence: str, found: tuple[str, str | None]) -> None:
    run = make_run()
    data = parsed(render_card(run, run.candidates[0], licence)).data
    assert (data.license, data.to_dict().get("license_name")) == found


def test_without_labels_nothing_is_claimed() -> None:
    run = make_run(make_candidate(top1=None, p50_ms=None), calibration=None)
    text = render_card(run, run.candidates[0], None)
    assert parsed(text).data.eval_results is None
    assert "Not measured." in text and "## Calibration" not in text
    of_nothing = make_run(replace(make_candidate(), accuracy=None))
    assert "Not measured: there were no images with labels." in render_card(of_nothing, of_nothing.candidates[0], None)


@pytest.mark.parametrize(
    ("name", "pretrained", "base"),
    [
        ("hf-hub:timm/vit_tiny", True, "timm/vit_tiny"),
        ("transformers:google/vit", True, "google/vit"),
        ("transformers:/home/me/vit", True, None),
        ("hf-hub:timm/vit_tiny", False, None),
        ("vit_tiny_patch16_224", True, None),
    ],
)
def test_the_base_model_is_named_where_it_is_on_the_hub(name: str, pretrained: bool, base: str | None) -> None:
    run = make_run(spec={"model": {"name": name, "pretrained": pretrained}})
    assert card_metadata(run, run.candidates[0], None).base_model == base


def test_names_from_outside_are_text() -> None:
    candidate = make_candidate(
        other_sets=(SetAccuracy(HOSTILE, Accuracy(0.5, None, 9, 1.0, None, Interval(0.2, 0.8))),)
    )
    run = make_run(
        replace(candidate, reasons=(HOSTILE,), shift=replace(record(noise=(1,)), source=HOSTILE, reference=HOSTILE)),
        spec={"model": {"name": HOSTILE}, "budget": {"max_drop": 1.0}},
        evaluation=EvaluationRecord(HOSTILE, {HOSTILE: 0}),
        notes=(HOSTILE,),
        tool_versions={HOSTILE: HOSTILE},
        host=replace(make_run().host, cpu=HOSTILE, os=HOSTILE),
    )
    text = render_card(run, run.candidates[0], None)
    card = parsed(text)
    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(card.text)
    assert "\x1b" not in text
    assert "<script" not in page and "<a " not in page and page.count("<h1>") == 1
    assert card.data.license is None and card.data.model_name.startswith("x\\x1b[31m --- license")
