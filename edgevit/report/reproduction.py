"""The command that makes a run again, and the lines that load its artifact: text to copy."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.spec.spec import DistillSpec, ModelSpec, Spec

_OPTIONS = {
    "model.weights": "--weights",
    "data.evaluation": "--data",
    "data.also_evaluate": "--data",
    "data.calibration": "--calibration",
    "data.train": "--train",
    "data.samples": "--samples",
    "distill.teacher.name": "--teacher",
    "distill.teacher.weights": "--teacher-weights",
    "passes.tokens": "--tokens",
    "passes.prune": "--prune",
    "passes.form": "--form",
    "export.backends": "--export",
    "export.schemes": "--scheme",
    "budget.max_drop": "--max-drop",
    "devices": "--device",
    "measure.threads": "--threads",
}
"""By key of the spec, the option of ``edgevit compress`` that sets it; other keys are set with ``--set``."""
_FLAGS = {"model.pretrained": "--pretrained", "model.random_weights": "--random-weights", "quick": "--quick"}
_REPEATED = ("data.also_evaluate", "devices")
_JOINED = ("export.backends", "export.schemes")


def compress_command(run: Run) -> str:
    """Returns the command that makes a run again: every key of its spec that is not at its default.

    Quoted for a POSIX shell, on one line. Relative paths are those of the run.
    """
    model = run.spec.get("model")
    name = str(model.get("name", "MODEL")) if isinstance(model, dict) else "MODEL"
    words = ["edgevit", "compress", name]
    for key, value in _changes(run.spec, _defaults()):
        words += _words(key, value)
    return shlex.join([*words, "--out", "again"])


def load_lines(candidate: Candidate) -> str:
    """Returns the Python lines that load and use a classifier, in its run folder; "" without an artifact, or of any other model."""
    is_classifier = candidate.verification is None or not candidate.verification.outputs
    if candidate.artifact is None or not is_classifier:
        return ""
    path = json.dumps(candidate.artifact.path)
    return (
        f"import edgevit\n\nclassifier = edgevit.load(\n    {path}\n)\n"
        'for label, probability in classifier.classify("photo.jpg")[:5]:\n    print(label, probability)\n'
    )


def script_command(candidate: Candidate) -> str:
    """Returns the command that runs an artifact without edgevit, in its run folder; "" where there is none."""
    if candidate.artifact is None:
        return ""
    return shlex.join(["python", str(PurePosixPath(candidate.artifact.path).with_name("use.py")), "photo.jpg"])


def _defaults() -> dict[str, Any]:
    """The keys that a spec has by itself, those of a teacher among them; names, which have no default, are none."""
    found = Spec.model_validate({"model": {"name": "x"}}).model_dump(mode="json")
    found["distill"] = DistillSpec(teacher=ModelSpec(name="x")).model_dump(mode="json")
    found["distill"]["teacher"]["name"] = None
    return found


def _changes(spec: Mapping[str, Any], defaults: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in spec.items():
        default, key = defaults.get(name), f"{place}{name}"
        if isinstance(value, dict):
            yield from _changes(value, default if isinstance(default, dict) else {}, f"{key}.")
        elif value is not None and value != default and key != "model.name":
            yield key, value


def _words(key: str, value: Any) -> list[str]:
    if key in _FLAGS and value is True:
        return [_FLAGS[key]]
    option = _OPTIONS.get(key)
    if option is None:
        return ["--set", f"{key}={json.dumps(value, ensure_ascii=False)}"]
    if key in _REPEATED:
        return [word for each in value for word in (option, str(each))]
    return [option, ",".join(map(str, value)) if key in _JOINED else str(value)]


def explain_command(run: Run) -> str:
    """Returns the command that draws which tokens the plan of the chosen candidate keeps; "" where it has no plan."""
    chosen = run.chosen
    plan = next((each.settings for each in chosen.passes if each.name == "reduce_tokens"), "") if chosen else ""
    model = run.spec.get("model")
    if not plan or not isinstance(model, dict):
        return ""
    weights = ["--weights", str(model["weights"])] if model.get("weights") else []
    command = ["edgevit", "explain", str(model.get("name", "MODEL")), "IMAGE", *weights, "--tokens", plan]
    return shlex.join([*command, "--out", "seen", "--json"])
