"""Tests mirror the package: every module has a test file at its place, and every test file a module, or is listed here."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

COVERED_BY: Mapping[str, str] = {
    "edgevit/__init__.py": "tests/test_imports.py",
    "edgevit/backends/__init__.py": "tests/contract/test_backends.py",
    "edgevit/backends/litert/use.py": "tests/artifacts/test_use_script.py",
    "edgevit/backends/onnxruntime/use.py": "tests/artifacts/test_use_script.py",
    "edgevit/backends/openvino/use.py": "tests/artifacts/test_use_script.py",
    "edgevit/cli/card.py": "tests/commands/test_card.py",
    "edgevit/cli/classify.py": "tests/commands/test_classify.py",
    "edgevit/cli/worker.py": "tests/cluster/test_engine.py",
    "edgevit/cli/cluster.py": "tests/cluster/test_engine.py",
    "edgevit/cli/clean.py": "tests/commands/test_clean.py",
    "edgevit/cli/compress.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/devices.py": "tests/cli/test_app.py",
    "edgevit/cli/doctor.py": "tests/cli/test_app.py",
    "edgevit/cli/eval.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/export.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/finetune.py": "tests/end_to_end/test_finetune.py",
    "edgevit/cli/gate.py": "tests/cli/test_app.py",
    "edgevit/cli/inspect.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/models.py": "tests/cli/test_app.py",
    "edgevit/cli/profile.py": "tests/end_to_end/test_compress.py",
    "edgevit/cli/profiles.py": "tests/cli/test_app.py",
    "edgevit/cli/report.py": "tests/cli/test_app.py",
    "edgevit/cli/schema.py": "tests/cli/test_app.py",
    "edgevit/commands/file_judge.py": "tests/commands/test_quantize.py",
    "edgevit/commands/file_trials.py": "tests/commands/test_quantize.py",
    "edgevit/commands/float_file.py": "tests/commands/test_quantize.py",
    "edgevit/commands/score_file.py": "tests/commands/test_eval_save.py",
    "edgevit/commands/probes/__init__.py": "tests/commands/test_doctor.py",
    "edgevit/cli/distill.py": "tests/end_to_end/test_distill.py",
    "edgevit/distillation/distill_job.py": "tests/distillation/test_distill.py",
    "edgevit/distillation/finetune_job.py": "tests/distillation/test_finetune.py",
    "edgevit/report/plots/distillation.py": "tests/commands/test_distill.py",
    "edgevit/results/distillation.py": "tests/commands/test_distill.py",
    "edgevit/gate/artifact_readings.py": "tests/gate/test_metrics.py",
    "edgevit/gate/device_readings.py": "tests/gate/test_metrics.py",
    "edgevit/gate/faults.py": "tests/gate/test_gate_runs.py",
    "edgevit/gate/reading.py": "tests/gate/test_bounds.py",
    "edgevit/measure/boards/board_child.py": "tests/measure/boards/test_session.py",
    "edgevit/measure/boards/bootstrap.py": "tests/measure/boards/test_runner_main.py",
    "edgevit/measure/boards/supervise.py": "tests/measure/boards/test_runner_main.py",
    "edgevit/search/divergence.py": "tests/end_to_end/test_search.py",
    "edgevit/search/open_search.py": "tests/end_to_end/test_search.py",
    "edgevit/search/run_search.py": "tests/end_to_end/test_search.py",
    "edgevit/search/searched_network.py": "tests/search/test_record.py",
    "edgevit/search/network.py": "tests/search/test_strategy.py",
    "edgevit/results/alias.py": "tests/results/test_plain.py",
    "edgevit/model/bundled/__init__.py": "tests/model/test_load.py",
    "edgevit/quantization/arithmetic.py": "tests/quantization/test_simulate.py",
    "edgevit/quantization/rewrites/__init__.py": "tests/quantization/rewrites/test_rewrite.py",
    "edgevit/report/html/panel.py": "tests/report/html/test_figures.py",
    "edgevit/report/ci/annotations.py": "tests/report/ci/test_outputs.py",
    "edgevit/report/ci/gitlab.py": "tests/report/ci/test_outputs.py",
    "edgevit/report/ci/junit.py": "tests/report/ci/test_outputs.py",
    "edgevit/report/ci/places.py": "tests/report/ci/test_outputs.py",
    "edgevit/report/ci/sarif.py": "tests/report/ci/test_outputs.py",
    "edgevit/report/ci/summary.py": "tests/report/ci/test_outputs.py",
    "edgevit/results/parity.py": "tests/commands/test_parity.py",
    "edgevit/results/quantized_file.py": "tests/api/test_quantize.py",
    "edgevit/results/regression.py": "tests/commands/test_regression.py",
    "edgevit/results/classification.py": "tests/cli/test_render.py",
    "edgevit/results/profiled.py": "tests/report/plots/test_profile_curve.py",
    "edgevit/results/device_comparison.py": "tests/cli/test_render_device_comparison.py",
    "edgevit/results/predicted_order.py": "tests/devices/test_order.py",
    "edgevit/report/__init__.py": "tests/report/plots/test_front.py",
    "edgevit/report/plots/staircase.py": "tests/report/test_token_searches.py",
}
"""Modules without a test file of their own, each with a test file that imports the module or runs the command."""

OTHER_FILES: Mapping[str, str] = {
    "tests/bad_input/": "command lines and files that are wrong, and how each has to end",
    "tests/cluster/clusters.py": "clusters on loopback",
    "tests/cluster/test_resume.py": "drivers that are killed",
    "tests/cluster/file_jobs.py": "functions with files for child processes",
    "tests/cli/test_help.py": "the help of every command",
    "tests/cli/test_json.py": "--json of every command",
    "tests/distillation/small.py": "trainings that take a moment",
    "tests/contract/": "every backend, pass, token method and model family against one contract",
    "tests/commands/recommend/offered.py": "made-up networks that are offered",
    "tests/data/pictures.py": "images to decode",
    "tests/pruning/networks.py": "small networks with units to prune",
    "tests/devices/calibration/every_layer.py": "a small network with every kind of layer",
    "tests/devices/graphs.py": "small graphs to price",
    "tests/devices/rows.py": "made-up measurements",
    "tests/encoders.py": "small encoders that are not timm's",
    "tests/end_to_end/": "the installed command, real models and files of third parties",
    "tests/browser.py": "a headless browser to look at pages with",
    "tests/factories.py": "runs and their parts",
    "tests/report/html/hostile.py": "names that try to be more than text",
    "tests/report/html/test_in_browser.py": "the HTML report in a browser",
    "tests/model/program/networks.py": "small networks to capture",
    "tests/measure/boards/phones.py": "a phone that is a folder, behind a fake adb",
    "tests/measure/boards/trtexec_program.py": "a fake trtexec",
    "tests/measure/machines.py": "machines as trees of the files that their kernels show",
    "tests/loopback.py": "an sshd on loopback",
    "tests/measure/boards/opened.py": "boards that are opened",
    "tests/models.py": "small models",
    "tests/search/synthetic.py": "a network of numbers",
    "tests/pipeline/contexts.py": "runs without models",
    "tests/quantization/rewrites/test_rewrite.py": "all rewrites together, on every backend",
    "tests/quantization/test_quantized_adds.py": "a model that int8 adds ruin, repaired by the ladder",
    "tests/report/ci/test_outputs.py": "what every CI system reads, from the same checks",
    "tests/results/test_old_run.py": "a run.json of version 0.1.0",
    "tests/run/child_jobs.py": "functions for child processes",
    "tests/several_outputs.py": "small networks that are no classifiers",
    "tests/small_classifier.py": "a file that gives the mean of each channel",
    "tests/test_benchmarks.py": "benchmarks/",
    "tests/test_ci_files.py": "action.yml, examples/ci/ and .pre-commit-hooks.yaml",
    "tests/test_distill_benchmark.py": "benchmarks/distill.py and its models",
    "tests/test_docs.py": "docs/ and what its reference pages are made by",
    "tests/test_docstrings.py": "rules for docstrings and signatures",
    "tests/test_examples.py": "examples/",
    "tests/test_imports.py": "what may be imported when",
    "tests/test_layers.py": "which package may import which",
    "tests/test_mirror.py": "this",
    "tests/test_readme.py": "README and CONTRIBUTING",
    "tests/test_shipped_files.py": "profiles/, devices/ and calibration/",
}
"""Files of tests, and folders ending in "/", that belong to no module of their name, each with what it is for."""


def has_code(source: str) -> bool:
    """Whether a module defines a function or a class."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(source).body)


def own_test(module: str) -> str:
    """Returns where the test file of a module belongs; that of a package stands beside the tests of its modules."""
    *folders, file = module.split("/")[1:]
    name = folders.pop() if file == "__init__.py" and folders else file.removesuffix(".py").strip("_")
    return "/".join(("tests", *folders, f"test_{name}.py"))


def imports(text: str, module: str) -> bool:
    """Whether a test imports a module, or a name from it."""
    dotted = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return dotted in found


def runs(text: str, module: str) -> bool:
    """Whether a test has a call of a function, a tuple or a list that begins with the command that a module defines."""
    command = module.rpartition("/")[2].removesuffix(".py").replace("_", "-")
    for node in ast.walk(ast.parse(text)):
        words: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            words = node.args
        elif isinstance(node, ast.Tuple | ast.List):
            words = node.elts
        if words and isinstance(words[0], ast.Constant) and words[0].value == command:
            return True
    return False


def complaints(modules: Mapping[str, str], tests: Mapping[str, str], covered_by: Mapping[str, str]) -> list[str]:
    """Compares modules with tests, both given as paths with their text, and a table such as ``COVERED_BY``."""
    found = []
    for module, source in modules.items():
        listed = module in covered_by
        if not listed and own_test(module) not in tests and (has_code(source) or not module.endswith("/__init__.py")):
            found.append(f"{module} has neither {own_test(module)} nor an entry in COVERED_BY")
        if listed and own_test(module) in tests:
            found.append(f"{module} has {own_test(module)}: its entry in COVERED_BY is out of date")
    for module, test in covered_by.items():
        if module not in modules:
            found.append(f"{module}, listed in COVERED_BY, does not exist")
        elif test not in tests:
            found.append(f"{test}, listed for {module}, does not exist")
        elif not (runs if module.startswith("edgevit/cli/") else imports)(tests[test], module):
            found.append(f"{test}, listed for {module}, does not use it")
    return found


def strays(modules: Iterable[str], tests: Iterable[str], others: Iterable[str]) -> list[str]:
    """Compares files of tests that belong to no module with the keys of a table such as ``OTHER_FILES``."""
    own = {own_test(module) for module in modules}
    left = sorted(test for test in tests if test not in own and not test.endswith("/conftest.py"))
    used = {
        test: [each for each in others if test == each or (each[-1] == "/" and test.startswith(each))] for test in left
    }
    found = [f"{test} is the test of no module and not in OTHER_FILES" for test in left if not used[test]]
    idle = sorted(set(others).difference(*used.values()))
    return found + [f"{other}, listed in OTHER_FILES, is the test of a module or does not exist" for other in idle]


def files(folder: str) -> dict[str, str]:
    """Returns the text of every Python file below a folder, by its path from the root of the repository."""
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")
    }


def test_every_module_has_a_test_or_is_listed() -> None:
    assert complaints(files("edgevit"), files("tests"), COVERED_BY) == []


def test_every_test_has_a_module_or_is_listed() -> None:
    assert strays(files("edgevit"), files("tests"), OTHER_FILES) == []


CODE = "def f(): ..."


@pytest.mark.parametrize(
    ("modules", "tests", "covered_by", "found"),
    [
        (["edgevit/a/b.py"], {"tests/a/test_b.py": ""}, {}, []),
        (["edgevit/b.py"], {"tests/test_b.py": ""}, {}, []),
        (["edgevit/a/b/__init__.py"], {"tests/a/test_b.py": ""}, {}, []),
        (["edgevit/a/b.py"], {"tests/test_c.py": "import edgevit.a.b"}, {"edgevit/a/b.py": "tests/test_c.py"}, []),
        (["edgevit/a/b.py"], {"tests/c.py": "from edgevit.a import b"}, {"edgevit/a/b.py": "tests/c.py"}, []),
        (["edgevit/a/b.py"], {"tests/c.py": "from edgevit.a import a, b"}, {"edgevit/a/b.py": "tests/c.py"}, []),
        (["edgevit/a/__init__.py"], {"tests/c.py": "import edgevit.a"}, {"edgevit/a/__init__.py": "tests/c.py"}, []),
        (["edgevit/cli/a_b.py"], {"tests/c.py": 'run(["a-b"])'}, {"edgevit/cli/a_b.py": "tests/c.py"}, []),
        (["edgevit/cli/b.py"], {"tests/c.py": 'call("b", "--json")'}, {"edgevit/cli/b.py": "tests/c.py"}, []),
        (["edgevit/a/b.py"], {}, {}, ["edgevit/a/b.py has neither tests/a/test_b.py nor an entry in COVERED_BY"]),
        (["edgevit/b.py"], {}, {}, ["edgevit/b.py has neither tests/test_b.py nor an entry in COVERED_BY"]),
        (["edgevit/a/__init__.py"], {}, {}, ["edgevit/a/__init__.py has neither tests/test_a.py nor an entry in COVERED_BY"]),
        (
            ["edgevit/a/b.py"],
            {"tests/a/test_b.py": "import edgevit.a.b"},
            {"edgevit/a/b.py": "tests/a/test_b.py"},
            ["edgevit/a/b.py has tests/a/test_b.py: its entry in COVERED_BY is out of date"],
        ),
        ([], {"tests/c.py": ""}, {"edgevit/b.py": "tests/c.py"}, ["edgevit/b.py, listed in COVERED_BY, does not exist"]),
        (["edgevit/b.py"], {}, {"edgevit/b.py": "tests/c.py"}, ["tests/c.py, listed for edgevit/b.py, does not exist"]),
        (
            ["edgevit/a/b.py"],
            {"tests/c.py": "import edgevit.a\n'edgevit.a.b'"},
            {"edgevit/a/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/b.py, does not use it"],
        ),
        (
            ["edgevit/a/b.py"],
            {"tests/c.py": "import edgevit.a.bb"},
            {"edgevit/a/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/b.py, does not use it"],
        ),
        (
            ["edgevit/a/__init__.py"],
            {"tests/c.py": "import edgevit.a.b"},
            {"edgevit/a/__init__.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/a/__init__.py, does not use it"],
        ),
        (
            ["edgevit/cli/b.py"],
            {"tests/c.py": 'run(["bb", "b"])\nprogress.stage("b", 1, 1)\nx = {"b"}'},
            {"edgevit/cli/b.py": "tests/c.py"},
            ["tests/c.py, listed for edgevit/cli/b.py, does not use it"],
        ),
    ],
)  # fmt: skip
def test_on_a_made_up_tree(
    modules: list[str], tests: dict[str, str], covered_by: dict[str, str], found: list[str]
) -> None:
    assert complaints(dict.fromkeys(modules, CODE), tests, covered_by) == found


def test_an_init_file_without_code_needs_no_test_and_any_other_file_does() -> None:
    assert complaints({"edgevit/a/__init__.py": '"""A."""\nNAME = 1'}, {}, {}) == []
    assert len(complaints({"edgevit/a/b.py": "NAME = 1", "edgevit/__init__.py": CODE}, {}, {})) == 2


@pytest.mark.parametrize(
    ("tests", "others", "found"),
    [
        (["tests/a/test_b.py", "tests/a/conftest.py"], [], []),
        (["tests/a/test_c.py", "tests/d/e.py"], ["tests/a/test_c.py", "tests/d/"], []),
        (["tests/a/test_c.py"], [], ["tests/a/test_c.py is the test of no module and not in OTHER_FILES"]),
        (["tests/test_b.py"], ["tests/test_"], [
            "tests/test_b.py is the test of no module and not in OTHER_FILES",
            "tests/test_, listed in OTHER_FILES, is the test of a module or does not exist",
        ]),
        (["tests/a/test_b.py"], ["tests/a/test_b.py"], [
            "tests/a/test_b.py, listed in OTHER_FILES, is the test of a module or does not exist"
        ]),
    ],
)  # fmt: skip
def test_strays_of_a_made_up_tree(tests: list[str], others: list[str], found: list[str]) -> None:
    assert strays(["edgevit/a/b.py"], tests, others) == found
