"""The spec: strict, and all errors at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import UsageError
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import FORMS, parse_plans


def resolve(document: dict[str, Any]) -> Spec:
    return resolve_spec(None, None, document)


def test_a_name_alone_is_a_spec() -> None:
    spec = resolve({"model": {"name": "digits_vit"}})
    assert spec.export.backends == ("onnx", "openvino", "tflite")
    assert spec.export.schemes == ("auto",)
    assert (spec.budget.max_drop, spec.measure.threads, spec.measure.min_runs, spec.seed) == (1.0, 1, 50, 0)


def test_every_error_is_told_at_once_with_its_path_and_the_nearest_key(tmp_path: Path) -> None:
    path = tmp_path / "spec.toml"
    path.write_text(
        'sead = 1\n[model]\nname = "digits_vit"\nweigths = "x"\n[model.preprocessing]\ncrop_pct = 2.0\n'
        '[measure]\nmin_runs = 3\n[export]\nschemes = ["statik_wi8_ai8"]\n[passes]\ntokens = "evil:0.7@4"\n',
    )
    with pytest.raises(UsageError) as caught:
        resolve_spec(path, None, {})
    message = caught.value.message
    assert message.startswith(f"{path} is not valid:")
    assert "sead: unknown key; did you mean seed?" in message
    assert "model.weigths: unknown key; did you mean weights" in message
    assert "model.preprocessing.crop_pct: " in message
    assert "measure.min_runs: " in message
    assert "export.schemes: unknown scheme: 'statik_wi8_ai8' (did you mean static_wi8_ai8" in message
    assert "passes.tokens: unknown token reduction method: 'evil' (did you mean evit?" in message
    assert len(message.splitlines()) == 7
    assert caught.value.hint


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({}, "model: "),
        ({"model": {"name": "a", "weights": "w", "pretrained": True}}, "give only one of weights"),
        ({"model": {"name": "a"}, "data": {"samples": 0}}, "data.samples"),
        ({"model": {"name": "a"}, "seed": -1}, "seed"),
        ({"model": {"name": "a"}, "seed": 2**32}, "seed"),  # numpy's generators, which quantizers use, take 32 bits
        ({"model": {"name": "a"}, "budget": {"max_drop": -0.1}}, "budget.max_drop"),
        ({"model": {"name": "a"}, "budget": {"max_drop": float("nan")}}, "budget.max_drop"),
        ({"model": {"name": "a"}, "measure": {"min_seconds": float("inf")}}, "measure.min_seconds"),
        ({"model": {"name": "a"}, "measure": {"timeout_seconds": 0}}, "measure.timeout_seconds"),
        ({"model": {"name": "a", "preprocessing": {"std": [1, 0, 1]}}}, "model.preprocessing.std.1"),
        ({"model": {"name": "a", "preprocessing": {"mean": [0, float("nan"), 0]}}}, "model.preprocessing.mean.1"),
        ({"model": {"name": "a", "preprocessing": {"input_size": [0, 32]}}}, "model.preprocessing.input_size.0"),
        ({"model": {"name": "a", "preprocessing": {"interpolation": "area"}}}, "model.preprocessing.interpolation"),
        ({"model": {"name": "a"}, "export": {"schemes": ["auto", "fp32"]}}, '"auto" alone'),
        ({"model": {"name": "a"}, "passes": {"form": "scatter"}}, "passes.form"),
        ({"model": {"name": "a"}, "passes": {"tokens": ""}}, "passes.tokens: is empty"),
        (
            {"model": {"name": "a"}, "passes": {"tokens": "nothing,tome:8"}},
            "passes.tokens: not a token plan: 'nothing'",
        ),
        (
            {"model": {"name": "a"}, "passes": {"tokens": "tome:8,tome:8"}},
            "passes.tokens: token plan tome:8 is given twice",
        ),
        ({"model": {"name": "a"}, "passes": {"tokens": "auto,auto"}}, "passes.tokens: token plan auto is given twice"),
        ({"model": {"name": "a"}, "passes": {"tokens": "evit:1.5"}}, "the keep ratio must lie between 0 and 1"),
        ({"model": {"name": "a"}, "passes": {"tokens": "evit:0.7@4,4"}}, "blocks are counted from 1 and must rise"),
        ({"model": {"name": "a"}, "passes": {"tokens": "resolution:0"}}, "passes.tokens: not a token plan"),
        (
            {"model": {"name": "a"}, "distill": {"teacher": {"name": "b"}, "epochs": 0}},
            "distill.epochs",
        ),
    ],
)
def test_values_out_of_range_are_refused(document: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError, match="command line is not valid|spec is not valid") as caught:
        resolve(document)
    assert where in caught.value.message


@pytest.mark.parametrize(
    ("tokens", "plans"),
    [
        ("none", ()),
        ("auto", ("auto",)),
        ("evit:0.7@4,7,10,tome:8,auto", ("evit:0.7@4,7,10", "tome:8", "auto")),
        ("squeeze:4=150,7=100,resolution:192,patch:20", ("squeeze:4=150,7=100", "resolution:192", "patch:20")),
    ],
)
def test_token_plans_have_commas_between(tokens: str, plans: tuple[str, ...]) -> None:
    """And are kept as they were written, so that a digest does not depend on how they are read."""
    spec = resolve({"model": {"name": "a"}, "passes": {"tokens": tokens}})
    assert spec.passes.tokens == tokens
    assert tuple(map(str, parse_plans(spec.passes.tokens))) == plans


def test_tokens_and_form_have_defaults_and_are_part_of_the_digest() -> None:
    plain = resolve({"model": {"name": "a"}})
    assert (plain.passes.tokens, plain.passes.form) == ("none", "auto")
    written = resolve({"model": {"name": "a"}, "passes": {"tokens": "none", "form": "auto"}})
    assert written.sha256 == plain.sha256
    forms = {resolve({"model": {"name": "a"}, "passes": {"form": form}}).sha256 for form in ("auto", *FORMS)}
    assert len(forms) == 3


def test_the_digest_is_of_what_is_asked_not_of_how(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text('seed = 0\n[budget]\nmax_drop = 1.0\n[model]\nname = "a"\n')
    spec = resolve_spec(file, None, {})
    assert spec.sha256 == resolve({"model": {"name": "a"}}).sha256
    assert spec.sha256 != resolve({"model": {"name": "b"}}).sha256
    again = Spec.model_validate(json.loads(spec.model_dump_json()))
    assert (again, again.sha256) == (spec, spec.sha256)


def test_what_is_expected_of_the_float_model_is_in_percent() -> None:
    assert resolve({"model": {"name": "a"}, "budget": {"expect_top1": 82.7}}).budget.expect_top1 == 82.7
    with pytest.raises(UsageError, match="it is in percent: 82.7, not 0.827"):
        resolve({"model": {"name": "a"}, "budget": {"expect_top1": 0.827}})


def test_a_normalization_of_pixels_in_0_to_255_is_refused_with_the_right_one() -> None:
    preprocessing = {"mean": [127.5] * 3, "std": [127.5] * 3}
    with pytest.raises(UsageError, match="--mean 0.5 --std 0.5"):
        resolve({"model": {"name": "a", "preprocessing": preprocessing}})


def test_the_digest_of_a_known_spec_stays() -> None:
    """A change here makes run folders of earlier versions refuse --resume; then say so in the change log."""
    assert resolve({"model": {"name": "a"}}).sha256 == DIGEST


DIGEST = "c07b6448570c59860e44712bb4821ab531dafa696b068ea6a8ded06dee954271"


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ({"data": {"evaluation": "digits", "samples": True}}, "data.samples: "),
        ({"data": {"evaluation": "digits", "samples": 10.0}}, "data.samples: "),
        ({"data": {"evaluation": "digits", "samples": "10"}}, "data.samples: "),
        ({"data": {"evaluation": 10}}, "data.evaluation: "),
        ({"data": {"evaluation": ""}}, "data.evaluation: is empty"),
        ({"model": {"name": "a", "weights": ""}}, "model.weights: is empty"),
        ({"model": {"name": "a", "pretrained": 1}}, "model.pretrained: "),
        ({"model": "a"}, "model: "),
        ({"quick": "yes"}, "quick: "),
        ({"budget": {"max_drop": True}}, "budget.max_drop: "),
        ({"export": {"backends": "onnx"}}, 'export.backends: is a list: write ["onnx"]'),
        ({"export": {"backends": ["onnx", "onnx"]}}, "export.backends: onnx is given twice"),
        ({"devices": ["raspberry-pi-5", "raspberry-pi-5"]}, "devices: raspberry-pi-5 is given twice"),
        ({"model": {"name": "a", "preprocessing": {"input_size": 96}}}, "input_size: is height and width: write [96, 96]"),
        ({"model": {"name": "a", "preprocessing": {"mean": 0.5}}}, "write [0.5]"),
        ({"measure": {"timeout_seconds": 1e300}}, "measure.timeout_seconds: "),
        ({"max_minutes": 10**400}, "max_minutes: "),
        ({"data": {"evaluation": "digits", "samples": 10**400}}, "data.samples: "),
    ],
)  # fmt: skip
def test_nothing_is_converted_empty_or_out_of_bounds(document: dict[str, Any], where: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve({"model": {"name": "a"}, **document})
    assert where in caught.value.message


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"data": {"samples": 3}}, "data.samples (--samples) has no effect"),
        ({"data": {"also_evaluate": ["fog/"]}}, "data.also_evaluate has no effect without data.evaluation"),
        ({"data": {"evaluation": "a", "also_evaluate": ["a"]}}, "data.also_evaluate: a is given twice"),
        ({"data": {"calibration_samples": 3}}, "data.calibration_samples has no effect"),
        ({"data": {"train": "digits:train"}}, "data.train (--train) has no effect"),
        (
            {"finetune": {"mode": "auto"}, "export": {"schemes": ["fp32", "fp16"]}},
            "finetune (--finetune) has no effect where nothing is compressed",
        ),
        ({"finetune": {"images_seen": 3}}, "images_seen: no effect without finetune.mode"),
        ({"passes": {"search_minutes": 3}}, "search_minutes has no effect"),
        ({"distill": {"teacher": {"name": "t"}}}, "distillation needs images to train on"),
    ],
)
def test_a_key_without_effect_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve({"model": {"name": "a"}, **document})
    assert message in caught.value.message


def test_the_unit_of_the_largest_drop_is_that_of_the_metric() -> None:
    with pytest.raises(UsageError, match="max_drop is in percentage points, 0 to 100, not 101"):
        resolve({"model": {"name": "a"}, "budget": {"max_drop": 101.0}})
    assert resolve({"model": {"name": "a"}, "budget": {"metric": "value", "max_drop": 250.0}}).budget.max_drop == 250
