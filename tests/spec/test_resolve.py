"""Which source of a spec overrides which, and where relative paths start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import UsageError
from edgevit.spec.resolve import check_single_tuning, resolve_spec
from edgevit.spec.spec import Spec
from edgevit.spec.toml_files import names


def write(folder: Path, text: str, name: str = "spec.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_command_line_beats_the_file_which_beats_the_profile(tmp_path: Path) -> None:
    profile = write(
        tmp_path,
        'about = "x"\ndevices = ["raspberry-pi-5"]\nseed = 1\n[export]\nbackends = ["tflite"]\nschemes = ["fp16"]\n',
        "mine.toml",
    )
    file = write(tmp_path, 'seed = 2\n[model]\nname = "a"\n[export]\nschemes = ["fp32"]\n[budget]\nmax_drop = 3.0\n')
    spec = resolve_spec(file, str(profile), {"seed": 3, "budget": {"max_drop": 0.5}})
    assert (spec.seed, spec.budget.max_drop) == (3, 0.5)
    assert spec.export.schemes == ("fp32",)
    assert spec.export.backends == ("tflite",)
    assert spec.devices == ("raspberry-pi-5",)
    assert resolve_spec(file, str(profile), {}).seed == 2


def test_the_form_of_a_profile_is_for_the_plans_that_are_asked_for(tmp_path: Path) -> None:
    """A profile says which form its device needs; by itself that is no plan. What a user gives stays, to be refused."""
    profile = str(write(tmp_path, '[passes]\ntokens = "none"\nform = "arithmetic"\n', "mine.toml"))

    def form(**passes: str) -> str:
        return resolve_spec(None, profile, {"model": {"name": "a"}, "passes": passes}).passes.form

    assert form() == form(tokens="resolution:192") == "auto"
    assert form(tokens="tome:8") == form(tokens="auto") == "arithmetic"
    assert form(tokens="tome:8", form="gather") == form(form="gather") == "gather"


@pytest.mark.parametrize("name", names("profiles"))
def test_every_shipped_profile_makes_a_valid_spec(name: str) -> None:
    assert resolve_spec(None, name, {"model": {"name": "digits_vit"}}).model.name == "digits_vit"


def test_an_error_names_every_source(tmp_path: Path) -> None:
    file = write(tmp_path, '[model]\nname = "a"\n')
    with pytest.raises(UsageError, match=r"profile raspberry-pi-5 \+ .*spec.toml \+ command line is not valid"):
        resolve_spec(file, "raspberry-pi-5", {"seed": "x"})


@pytest.mark.parametrize("text", ["model = ", "[model\n", "\x00"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(UsageError, match="spec.toml is not valid TOML"):
        resolve_spec(file, None, {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file: .*nowhere.toml"):
        resolve_spec(tmp_path / "nowhere.toml", None, {})


def test_paths_in_a_file_start_at_its_folder_and_others_at_the_present_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    (home / "images").mkdir(parents=True)
    (here / "others").mkdir(parents=True)
    monkeypatch.chdir(here)
    file = write(home, '[model]\nname = "a"\nweights = "w.pt"\n[data]\nevaluation = "images"\ncalibration = "20%"\n')
    spec = resolve_spec(file, None, {"data": {"train": "others"}, "distill": {"teacher": {"name": "t"}}})
    assert spec.model.weights == home / "w.pt"
    assert spec.data.evaluation == str(home / "images")
    assert spec.data.train == str(here / "others")
    assert spec.data.calibration == "20%"


def test_a_folder_called_digits_does_not_hide_the_bundled_digits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert (
        resolve_spec(None, None, {"model": {"name": "a"}, "data": {"evaluation": "digits"}}).data.evaluation == "digits"
    )


def test_the_home_folder_is_expanded_in_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "val").mkdir()
    spec = resolve_spec(None, None, {"model": {"name": "a", "weights": "~/w.pt"}, "data": {"evaluation": "~/val"}})
    assert (spec.model.weights, spec.data.evaluation) == (tmp_path / "w.pt", str(tmp_path / "val"))


def test_weights_on_the_command_line_replace_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text('[model]\nname = "a"\nweights = "w.safetensors"\n', encoding="utf-8")
    spec = resolve_spec(file, None, {"model": {"random_weights": True}})
    assert (spec.model.weights, spec.model.random_weights) == (None, True)


def test_overrides_of_weights_meet_a_file_whose_model_is_a_text(tmp_path: Path) -> None:
    file = write(tmp_path, 'model = "a"\n')
    with pytest.raises(UsageError, match=r"model\.name: is missing"):
        resolve_spec(file, None, {"model": {"weights": "w.pt"}})


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"finetune": {"mode": "auto"}}, "--rung auto: give quick or full"),
        ({"export": {"backends": ["onnx", "tflite"]}}, "the numbers of one runtime, not 2"),
        ({"export": {"schemes": ["static_wi8_ai8", "dynamic_wi8_afp32"]}}, "one scheme, not static"),
        ({"passes": {"tokens": "tome:2,evit:0.7"}}, "one token plan, not tome:2,evit:0.7"),
        ({"passes": {"tokens": "auto"}}, "one token plan, not auto"),
    ],
)
def test_one_tuning_alone_is_of_one_plan_scheme_and_backend(document: dict[str, Any], message: str) -> None:
    whole = {"model": {"name": "m"}, "finetune": {"mode": "quick"}, "export": {"backends": ["onnx"]}}
    check_single_tuning(Spec.model_validate(whole))
    changed = {**whole, **{key: {**whole.get(key, {}), **value} for key, value in document.items()}}
    with pytest.raises(UsageError, match=message):
        check_single_tuning(Spec.model_validate(changed))


def test_further_sets_start_at_the_folder_of_the_spec(tmp_path: Path) -> None:
    (tmp_path / "fog").mkdir()
    file = write(
        tmp_path, '[model]\nname = "a"\n[data]\nevaluation = "digits"\nalso_evaluate = ["fog", "digits:train"]\n'
    )
    assert resolve_spec(file, None, {}).data.also_evaluate == (str(tmp_path / "fog"), "digits:train")
