"""A ViT written by hand goes the whole way: fixed plans, a search, fine-tuning; refusals say why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from tests.end_to_end.test_compress import QUICK, edgevit

OWN = '''
"""A ViT of mine."""
from tests.encoders import own_digits


def factory():
    return own_digits()
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own.py").write_text(OWN)
    return folder


def candidates(folder: Path) -> dict[str, dict[str, Any]]:
    found = json.loads((folder / "run.json").read_text())["candidates"]
    return {each["id"]: each for each in found}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnx", "openvino", "tflite"])
def test_a_plan_gives_what_it_gives_on_timms_vit(backend: str, home: Path) -> None:
    """The same weights in other layers: the same accuracy, dense and with fewer tokens, and parity of every export."""
    plan = ("--tokens", "squeeze:2=180,4=100", "--form", "gather", "--scheme", "fp32", "--export", backend)
    top1 = []
    for name, weights in (("own:factory", ("--pretrained",)), ("digits_vit", ())):
        out = home / f"{backend}-{name.partition('.')[0]}"
        done = edgevit("compress", name, *weights, *QUICK, *plan, "--max-drop", "100", "--out", out, cwd=home)
        assert done.returncode == 0, done.stderr
        found = candidates(out)
        assert len(found) == 2
        assert all(each["verification"]["passed"] for each in found.values())
        top1.append({each.rpartition("/")[2]: one["accuracy"]["top1"] for each, one in found.items()})
    assert top1[0] == top1[1]


@pytest.mark.slow
def test_a_plan_is_searched_for_and_tuned(home: Path) -> None:
    done = edgevit(
        "compress", "own:factory", "--pretrained", *QUICK, "--export", "onnx", "--scheme", "fp32", "--max-drop", "30",
        "--tokens", "tome:2=140,4=70,auto", "--calibration", "noise:96", "--finetune", "quick",
        "--set", "finetune.images_seen=64", "--set", "finetune.batch_size=16", "--set", "passes.search_minutes=2",
        "--out", home / "searched", cwd=home,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    document = json.loads((home / "searched" / "run.json").read_text())
    (search,) = document["token_searches"]
    assert search["tried"]
    assert document["finetunes"]


@pytest.mark.slow
def test_the_pass_alone_and_a_refusal(home: Path) -> None:
    done = edgevit(
        "reduce-tokens", "own:factory", "--pretrained", "--tokens", "tome:8", "--out", "a.pt2", "--json", cwd=home
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["patches"] == 256
    assert report["macs_after"] < report["macs_before"]
    refused = edgevit("reduce-tokens", "digits_cnn", "--tokens", "tome:8", "--out", "b.pt2", cwd=home)
    assert refused.returncode == 2
    assert "no softmax attention" in refused.stderr
    assert not (home / "b.pt2").exists()
