"""A spec to begin with: what it sets, what it explains, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgevit.commands.init import spec_text, write_spec
from edgevit.errors import UsageError
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.spec import Spec

ASKED = {
    "model": {"name": "digits_vit", "preprocessing": {"crop_pct": 0.9}},
    "data": {"evaluation": "digits", "calibration": "20%"},
    "devices": ["raspberry-pi-5"],
    "export": {"schemes": ["fp32", "static_wi8_ai8"]},
    "max_minutes": 12.5,
}


def test_what_is_written_is_the_spec(tmp_path: Path) -> None:
    spec = resolve_spec(None, None, ASKED)
    written = write_spec(spec, tmp_path / "new" / "my.toml")
    assert resolve_spec(Path(written.spec), None, {}) == spec
    assert Path(written.spec).read_text().startswith("#:schema my.schema.json\n")
    assert json.loads(Path(written.schema).read_text())["properties"]["model"]


def test_every_default_that_is_shown_is_the_default(tmp_path: Path) -> None:
    spec = Spec.model_validate(ASKED)
    text = spec_text(spec, tmp_path)
    before, _, rest = text.partition("# [distill]")
    distill, _, after = rest.partition("\n[finetune]")
    default = r"^# (\w+ = [^…\n]+)$"
    whole = f"{before}\n[finetune]{after}"
    (tmp_path / "all.toml").write_text(re.sub(default, r"\1", whole, flags=re.MULTILINE))
    assert resolve_spec(tmp_path / "all.toml", None, {}) == spec
    assert len(re.findall(default, whole, re.MULTILINE)) > 15
    assert "# epochs = 1" in distill


def test_paths_start_at_the_folder_of_the_spec(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    asked = {"model": {"name": "m", "weights": str(tmp_path / "weights.safetensors")}}
    written = write_spec(resolve_spec(None, None, asked), tmp_path / "specs" / "m.toml")
    assert 'weights = "../weights.safetensors"' in Path(written.spec).read_text()
    assert resolve_spec(Path(written.spec), None, {}).model.weights == tmp_path / "specs" / ".." / "weights.safetensors"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"devices": ["raspberry-pi-6"]}, "unknown device"),
        ({"data": {"evaluation": "digts"}}, "no such image source"),
        ({"export": {"backends": ["onx"]}}, "unknown backend"),
        ({"model": {"name": "m", "weights": "/nowhere/w.pth"}}, "no such weights file"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_is_written(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        write_spec(Spec.model_validate({**ASKED, **change}), tmp_path / "spec.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "spec.toml").write_text("mine")
    with pytest.raises(UsageError, match=r"spec\.toml exists"):
        write_spec(Spec.model_validate(ASKED), tmp_path / "spec.toml")
    with pytest.raises(UsageError, match=r"does not end in \.toml"):
        write_spec(Spec.model_validate(ASKED), tmp_path / "spec.json")
