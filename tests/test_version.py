"""The version is stated once, where the build reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edgevit
from edgevit import version
from edgevit.spec.toml_files import read_toml


def test_the_package_tells_the_version_that_the_build_reads() -> None:
    file = Path(__file__).parents[1] / "pyproject.toml"
    if not file.is_file():
        pytest.skip("no pyproject.toml beside the tests")
    project = read_toml(file)
    assert project["project"]["dynamic"] == ["version"]
    assert Path(version.__file__) == file.parent / project["tool"]["hatch"]["version"]["path"]
    assert edgevit.__version__ == version.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.?(a|b|rc|dev)\d+)?", version.__version__)
