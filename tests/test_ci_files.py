"""``action.yml``, the template for GitLab and the hook for pre-commit: valid, and their commands do what they are for."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edgevit.results.run import run_to_json
from tests.factories import make_candidate, make_run

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
GITLAB = yaml.safe_load((ROOT / "examples" / "ci" / "edgevit.gitlab-ci.yml").read_text(encoding="utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))

GH = """#!{python}
import json, pathlib, sys
arguments, store = sys.argv[1:], pathlib.Path("comments.json")
comments = json.loads(store.read_text()) if store.exists() else []
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
place = next(each for each in arguments if each.startswith("repos/"))
if method == "GET":
    assert place == "repos/me/model/issues/7/comments" and "startswith" in arguments[arguments.index("--jq") + 1]
    marker = arguments[arguments.index("--jq") + 1].split('"')[1]
    print("\\n".join(str(each["id"]) for each in comments if each["body"].startswith(marker)))
else:
    name = arguments[arguments.index("--field") + 1].removeprefix("body=@")
    body = pathlib.Path(name).read_text()
    if method == "POST":
        comments.append(dict(id=len(comments) + 100, body=body))
    else:
        (found,) = [each for each in comments if str(each["id"]) == place.rpartition("/")[2]]
        found["body"] = body
    store.write_text(json.dumps(comments))
    print("{{}}")
"""
"""In place of GitHub's command line: keeps comments in a file."""


def script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a run of 9 MB, a budget that it exceeds, and the commands of a runner."""
    if sys.platform != "linux":
        pytest.skip("the steps are for bash")
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin" / "edgevit", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edgevit "$@"\n')
    script(tmp_path / "bin" / "python", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    script(tmp_path / "bin" / "gh", GH.format(python=sys.executable))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(run_to_json(make_run(make_candidate(size_bytes=9_000_000))))
    (tmp_path / "budget.toml").write_text('size_bytes = "8 MB"\n')
    return tmp_path


def bash(here: Path, command: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    known = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "EDGEVIT_"))}
    paths = {"PATH": f"{here / 'bin'}:{known['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=here, env={**known, **paths, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@dataclass
class ActionRun:
    """The steps of ``action.yml`` that are commands, run one after another as a runner does."""

    here: Path
    inputs: dict[str, str]
    github: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    code: int = 0
    said: str = ""

    def value(self, name: str) -> str:
        kind, _, rest = name.partition(".")
        if kind == "inputs":
            return self.inputs[rest]
        return self.github[rest] if kind == "github" else self.outputs.get(rest, "")

    def filled(self, text: str) -> str:
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: self.value(found[1]), text)

    def wanted(self, condition: str | None) -> bool:
        """Conditions are terms joined by &&; without always() a step is left out after one that failed."""
        terms = (condition or "").split(" && ") if condition else []
        if self.code and "always()" not in terms:
            return False
        for term in terms:
            if term != "always()":
                left, operator, right = term.split(" ")
                if (self.value(left) == right.strip("'")) is not (operator == "=="):
                    return False
        return True

    def run(self) -> ActionRun:
        for step in ACTION["runs"]["steps"]:
            if "run" not in step or not self.wanted(step.get("if")):
                continue
            output, summary = self.here / "output", self.here / "summary.md"
            output.write_text("")
            done = bash(
                self.here, self.filled(step["run"]),
                {
                    **{name: self.filled(value) for name, value in step.get("env", {}).items()},
                    "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true",
                },
            )  # fmt: skip
            for line in output.read_text().splitlines():
                name, _, value = line.partition("=")
                self.outputs[f"{step['id']}.outputs.{name}"] = value
            self.ran.append(step["name"])
            self.said += done.stdout + done.stderr
            self.code = self.code or done.returncode
        return self


def start(here: Path, event: str = "pull_request", **inputs: str) -> ActionRun:
    given = {name: str(each.get("default", "")) for name, each in ACTION["inputs"].items()}
    github = {"repository": "me/model", "event.pull_request.number": "7", "event_name": event, "token": "none"}
    return ActionRun(here, {**given, "package": "", "token": "none", **inputs}, github).run()


def schema_of(name: str) -> Any:
    """A schema that the package check-jsonschema carries, of which no code is needed."""
    package = importlib.util.find_spec("check_jsonschema")
    if package is None or package.origin is None:
        pytest.skip("check-jsonschema is not installed")
    file = Path(package.origin).parent / "builtin_schemas" / "vendor" / name
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_action_is_valid() -> None:
    jsonschema.validate(ACTION, schema_of("github-actions.json"))
    for step in ACTION["runs"]["steps"]:
        assert not re.search(r"\$\{\{", step.get("run", "")), "a value from outside is no part of a script"
    used = set(re.findall(r"inputs\.([\w-]+)", (ROOT / "action.yml").read_text(encoding="utf-8")))
    assert used == set(ACTION["inputs"])


def test_the_action_fails_comments_once_and_updates_its_comment(here: Path) -> None:
    first = start(here)
    assert first.ran == ["Gate", "Comment", "Verdict"]
    assert (first.code, first.outputs["gate.outputs.verdict"]) == (1, "fail")
    assert "::error file=budget.toml,line=1,title=edgevit%3A size::" in first.said
    (comment,) = json.loads((here / "comments.json").read_text())
    assert comment["body"].startswith("<!-- edgevit gate -->\n## edgevit gate: ❌ fail")
    assert (here / "summary.md").read_text().startswith("## edgevit gate: ❌ fail")
    assert {path.name for path in (here / "edgevit-gate").iterdir()} >= {
        "gate.xml",
        "gate.sarif",
        "gate.md",
        "gate.json",
    }
    (here / "budget.toml").write_text('size_bytes = "10 MB"\n')
    second = start(here)
    assert second.code == 0, second.said
    (comment,) = json.loads((here / "comments.json").read_text())
    assert "## edgevit gate: ✅ pass" in comment["body"]


def test_the_action_ends_with_the_code_of_bad_usage(here: Path) -> None:
    (here / "budget.toml").write_text("size_byte = 1\n")
    ended = start(here, event="push")
    assert (ended.ran, ended.code) == (["Gate", "Verdict"], 2)
    assert "did you mean size_bytes" in ended.said


@pytest.mark.slow
def test_the_action_compresses_first(here: Path) -> None:
    done = bash(here, "rm -r run && edgevit init digits_cnn --out spec.toml", {})
    assert done.returncode == 0, done.stderr
    ended = start(here, event="push", spec="spec.toml")
    assert ended.ran == ["Compress", "Gate", "Verdict"]
    assert (here / "run" / "run.json").is_file(), ended.said
    assert ended.outputs["gate.outputs.verdict"] in ("pass", "fail", "inconclusive"), ended.said


def test_the_template_for_gitlab_is_valid_and_runs(here: Path) -> None:
    jsonschema.validate(GITLAB, schema_of("gitlab-ci.json"))
    variables = {**GITLAB["variables"], "EDGEVIT_PACKAGE": ""}
    job = GITLAB["edgevit-gate"]
    done = bash(here, "\n".join(job["script"]), variables)
    assert done.returncode == 1, done.stderr
    for report in job["artifacts"]["reports"].values():
        assert (here / report).is_file()
    assert json.loads((here / job["artifacts"]["reports"]["codequality"]).read_text())[0]["severity"] == "critical"


def test_the_hook_for_pre_commit_runs(here: Path) -> None:
    command = shlex.join([*shlex.split(HOOK["entry"]), *HOOK["args"]])
    assert not HOOK["pass_filenames"]
    assert all(re.search(HOOK["files"], name) for name in ("run/run.json", "budget.toml"))
    assert bash(here, command, {}).returncode == 1
    (here / "budget.toml").write_text('size_bytes = "10 MB"\n')
    assert bash(here, command, {}).returncode == 0
