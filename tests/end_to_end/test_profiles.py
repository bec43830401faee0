"""Every shipped profile makes, from a small model, files that run on its devices, and a choice where latency is known."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from edgevit.model.load import Model
from edgevit.pipeline.plan_run import plan_run
from edgevit.results.artifact import Preprocessing
from edgevit.results.run import Run, load_run
from edgevit.spec.resolve import resolve_spec
from edgevit.spec.toml_files import find, names, read_toml
from tests.end_to_end.test_compress import edgevit
from tests.models import small_vit
from tests.pipeline.contexts import make_inputs

VIT = Model("small_vit", small_vit(depth=2), Preprocessing((32, 32), (0.5,) * 3, (0.5,) * 3), 5, random_weights=False)
FEW = ("--data", "digits", "--samples", "60", "--max-drop", "100")
LEAST = ("measure.min_seconds=0", "quantize.max_minutes=0.1")
"""Figures mean nothing here."""
SECONDS = 1800
"""For one run: many times what it takes alone, for other work may run on the machine."""
CONVOLUTIONS_ONLY = ("coral-edge-tpu", "apple")
"""Profiles of devices on which no transformer runs, or none with a class token, which is a Gather in ONNX."""


def check(profile: str, model: str, folder: Path) -> None:
    """Compresses a model by a profile, and asks for a file that runs on each of its devices."""
    asked = read_toml(find("profiles", profile))
    calibration = () if asked["export"]["schemes"] == ["fp32"] else ("--calibration", "20%")
    settings = [word for setting in LEAST for word in ("--set", setting)]
    effort = () if asked["passes"]["tokens"] == "auto" else ("--quick",)  # which searches for nothing
    out = folder / "run"
    options = (*FEW, *effort, *calibration, *settings, "--out", out)
    done = edgevit("compress", model, "--profile", profile, *options, cwd=folder, seconds=SECONDS)
    assert out.is_dir(), done.stderr
    run = load_run(out)
    made = {candidate.scheme for candidate in run.candidates if candidate.status != "failed"}
    assert made <= {"fp32", *asked["export"]["schemes"]} or asked["export"]["schemes"] == ["auto"]
    chosen = [check_device(run, device) for device in asked["devices"]]
    assert done.returncode == int(None in chosen[:1]), done.stdout + done.stderr


def check_device(run: Run, device: str) -> str | None:
    """Returns the choice for a device: one that runs there, where latency is predicted for one at all."""
    found = {c.id: c.prediction(device) for c in run.candidates if c.status != "failed"}
    running = [name for name, prediction in found.items() if prediction and prediction.supported]
    assert running, found
    timed = [name for name in running if (prediction := found[name]) and prediction.latency_ms]
    assert run.choices[device] in (timed or [None])
    return run.choices[device]


@pytest.mark.parametrize("profile", names("profiles"))
def test_every_profile_can_be_planned_for_a_small_model(profile: str) -> None:
    """Its backends, schemes, passes and devices are known and go together."""
    spec = resolve_spec(None, profile, {"model": {"name": "small_vit"}})
    planned = plan_run(make_inputs(spec, model=VIT), 1)
    made = {(backend, scheme) for backend, scheme, _ in (name.split("/", 2) for name in planned.candidates)}
    backends = {backend for backend, _ in made}
    assert len(backends) == len(spec.export.backends)
    asked = {"fp32", *spec.export.schemes} - {"auto"}
    assert made >= {(backend, scheme) for backend in backends for scheme in asked}
    assert any("plan-found" in name for name in planned.candidates) == (spec.passes.tokens == "auto")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
def test_a_profile_carries_a_small_model_to_its_devices(tmp_path: Path) -> None:
    """One that makes one file and searches for nothing."""
    check("hailo", "digits_cnn", tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("profile", names("profiles"))
def test_every_profile_carries_a_small_model_to_its_devices(profile: str, tmp_path: Path) -> None:
    check(profile, "digits_cnn" if profile in CONVOLUTIONS_ONLY else "digits_vit", tmp_path)
