"""The zip file for boards: what is in it, and that it needs nothing but the standard library, numpy and a runtime."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgevit.backends import backend_names
from edgevit.measure.boards.runner import TASKS, build_runner, imported, pack, runner_modules

_PROGRAM = """
import sys
sys.path[:] = [sys.argv[1], *(place for place in sys.path if place and place != sys.argv[2])]
sys.modules["pydantic"] = None
import importlib
for name in sys.argv[3:]:
    importlib.import_module(name)
own = {name for name in sys.modules if name.split(".")[0] == "edgevit"}
assert all(sys.modules[name].__file__.startswith(sys.argv[1]) for name in own), own
others = {name.split(".")[0] for name, module in sys.modules.items() if module is not None} - set(sys.stdlib_module_names)
print(*sorted(name for name in others if not name.startswith("_") and name not in ("edgevit", "sitecustomize", "numpy")))
"""


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runner") / "runner.pyz"
    path.write_bytes(build_runner().content)
    return path


def imported_there(runner: Path, *modules: str) -> list[str]:
    """Imports modules from the zip file alone; returns the packages beside the standard library and numpy that this loaded."""
    checkout = str(Path(__file__).parents[3])
    child = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(runner), checkout, *modules],
        capture_output=True, text=True, check=False, cwd="/", env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    return child.stdout.split()


def test_equal_modules_make_equal_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack(runner_modules())
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert pack(reversed(runner_modules())) == first == build_runner()
    assert len(first.sha256) == 64


def test_threads_get_the_same_one() -> None:
    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(lambda _: build_runner(), range(8)))) == 1


def test_it_is_small_and_holds_all_that_is_imported(runner: Path) -> None:
    print(f"{runner.stat().st_size} bytes in {len(runner_modules())} modules")
    assert runner.stat().st_size < 500_000
    with zipfile.ZipFile(runner) as archive:
        assert "__main__.py" in archive.namelist()
        assert not any("torch" in name or "api" in name.split("/") for name in archive.namelist())


def test_what_boards_carry_out_needs_numpy_alone(runner: Path) -> None:
    assert imported_there(runner, "edgevit.measure.boards.runner_main", *TASKS) == []


@pytest.mark.parametrize("backend", backend_names())
def test_a_runtime_is_all_that_its_session_adds(runner: Path, backend: str) -> None:
    module = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime", "openvino": "openvino"}[backend]
    pytest.importorskip(module)
    found = imported_there(runner, f"edgevit.backends.{backend}.session")
    assert module in found
    bare = subprocess.run(
        [sys.executable, "-c", f"import sys, numpy, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(found) <= set(bare.stdout.split()) | {module}, "beside what the runtime imports itself"


def test_imports_that_wait_or_are_for_types_are_not_followed() -> None:
    source = """
import a
from b import c
if TYPE_CHECKING:
    import d
try:
    import e
except ImportError:
    import f
def function():
    import g
"""
    assert list(imported(source)) == ["a", "b", "b.c", "e", "f"]
