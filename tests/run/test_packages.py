"""Which optional package belongs to which extra, and what is said where one is missing or broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgevit.run import packages
from edgevit.spec.toml_files import read_toml


def test_versions_are_read_without_importing() -> None:
    code = (
        "import sys; from edgevit.run.packages import tool_versions; versions = tool_versions();"
        "assert versions['pydantic'], versions; assert 'no-such' not in versions;"
        "sys.exit(str(set(sys.modules) & {'torch', 'numpy', 'onnxruntime', 'openvino', 'timm'} or ''))"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.stderr.strip() == ""


@pytest.mark.parametrize(
    ("module", "extra"),
    [("torch", "compress"), ("ai_edge_litert", "tflite"), ("matplotlib", "report"), ("edgevit", None), ("numpy", None)],
)
def test_the_extra_of_a_module(module: str, extra: str | None) -> None:
    assert packages.extra_of_module(module) == extra


def installed(folder: Path, name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with one module, first on the path."""
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text("")
    info = folder / f"{name.replace('-', '_')}-9.8.7.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.8.7\n")
    (info / "top_level.txt").write_text(f"{module}\n")
    monkeypatch.syspath_prepend(folder)


def test_a_distribution_is_found_by_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = packages.version_of
    monkeypatch.setattr(packages, "version_of", lambda name: None if name == "onnxruntime" else real(name))
    installed(tmp_path, "onnxruntime-gpu", "onnxruntime", monkeypatch)
    assert packages.found_as("onnxruntime") == "onnxruntime-gpu"
    assert packages.tool_versions()["onnxruntime-gpu"] == "9.8.7"
    assert packages.found_as("pydantic") == "pydantic"
    assert packages.found_as("no-such-package") == "no-such-package"


def test_the_lists_agree_with_the_package() -> None:
    file = Path(__file__).parents[2] / "pyproject.toml"
    if not file.is_file():
        pytest.skip("no pyproject.toml beside the tests")
    project = read_toml(file)["project"]
    base = " ".join(project["dependencies"]).lower()
    assert all(name in base for name in packages.BASE)
    assert set(packages.EXTRAS.values()) <= set(project["optional-dependencies"])


def failure(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImportError:
    """What an import of a package ``nncf`` with that code raises."""
    (tmp_path / "nncf").mkdir()
    (tmp_path / "nncf" / "__init__.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nncf", raising=False)
    with pytest.raises(ImportError) as caught:
        __import__("nncf")
    return caught.value


def test_a_missing_package_names_its_extra() -> None:
    found = packages.import_failure(ModuleNotFoundError("no", name="litert_torch.odml"))
    assert found is not None
    assert found.message == "litert_torch is not installed"
    assert found.hint == "pip install 'edgevit[compress-tflite]'"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import no_such_module", "nncf cannot be imported: it needs no_such_module, which is not installed"),
        ("raise ImportError('libfoo.so.1: cannot open')", "nncf cannot be imported: libfoo.so.1: cannot open"),
    ],
)
def test_a_package_that_lacks_something_names_its_extra(
    code: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = packages.import_failure(failure(code, tmp_path, monkeypatch))
    assert found is not None
    assert found.message == told
    assert found.hint is not None
    assert "edgevit[compress-openvino]" in found.hint


def test_other_imports_are_no_package_of_ours() -> None:
    assert packages.import_failure(ModuleNotFoundError("no", name="edgevit.typo")) is None
    assert packages.import_failure(ImportError("no")) is None
