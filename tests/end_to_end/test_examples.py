"""The examples that compress run as they are: the notebook, and the one with flowers."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BESIDE_OTHER_TORCHVISION = (
    "import runpy, sys; from edgevit.model.torchvision_schemas import ensure_torchvision_schemas;"
    " ensure_torchvision_schemas(); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
)
"""Runs a script that imports timm where torchvision is of another build than torch."""


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell for cell in code if cell.outputs] == []  # they are made by whoever runs it
    nbclient.NotebookClient(notebook, timeout=500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert "image/png" in code[-2].outputs[0].data
    ((label, _), *_), truth = eval(code[-1].outputs[0].data["text/plain"], {"np": __import__("numpy")})
    assert label == f"class {truth}" or label == str(truth)


def test_flowers_from_an_object_to_a_name_in_two_commands(tmp_path: Path) -> None:
    photos, weights = DATA / "flowers5", DATA / "weights" / "tf_efficientnet_lite0.flowers5.safetensors"
    if not (photos.is_dir() and weights.is_file()):
        pytest.skip("no data folder beside the repository")

    def run(*command: object) -> str:
        done = subprocess.run([*map(str, command)], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    made = run(sys.executable, "-c", BESIDE_OTHER_TORCHVISION, ROOT / "examples" / "flowers.py", photos, weights)
    (script,) = re.findall(r"^python (\S+use\.py) PHOTO$", made, re.MULTILINE)
    named = {}
    for photo in sorted((photos / "images").glob("*_1*.jpg"))[::12]:
        shutil.copyfile(photo, tmp_path / "photo.jpg")
        named[photo.name] = run(sys.executable, script, "photo.jpg").splitlines()[1].split()[-1]
    right = [name for name, flower in named.items() if name.startswith(flower)]
    assert len(named) >= 5
    assert len(right) >= 0.8 * len(named), named
