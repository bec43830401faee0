"""``edgevit init``: the spec that a command line asks for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.cli.app import run
from edgevit.spec.resolve import resolve_spec


def test_a_device_brings_its_profile_and_data_a_part_to_calibrate_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init", "digits_vit", "--data", "digits", "--device", "coral-edge-tpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"spec": "spec.toml", "schema": "spec.schema.json"}
    spec = resolve_spec(Path("spec.toml"), None, {})
    assert (spec.devices, spec.export.schemes) == (("coral-edge-tpu",), ("static_wi8_ai8",))
    assert (spec.data.evaluation, spec.data.calibration, spec.quantize.integer_io) == ("digits", "20%", "int8")
    assert run(["init", "digits_vit"]) == 2
    assert "spec.toml exists" in capsys.readouterr().err
