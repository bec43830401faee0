"""``edgevit compress --tokens auto`` by the installed command: size and tokens of a transformer, the size of a CNN."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgevit.report.details import details
from edgevit.results.run import load_run

pytest.importorskip("torch")

from tests.end_to_end.test_compress import edgevit, run_document

pytestmark = pytest.mark.slow

MAX_DROP = 2.0


def searched(model: str, home: Path) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """The run, its search and the float candidates with the plan found."""
    command = (
        "compress", model, "--data", "digits", "--calibration", "25%", "--tokens", "auto", "--export", "onnx",
        "--scheme", "fp32", "--max-drop", MAX_DROP, "--device", "jetson-orin-nano", "--set", "measure.min_seconds=0",
    )  # fmt: skip
    done = edgevit(*map(str, command), "--out", home / "run", cwd=home)
    assert done.returncode == 0, done.stderr
    document = run_document(home / "run")
    (search,) = document["token_searches"]
    made = [c for c in document["candidates"] if c["passes"] and c["passes"][-1]["settings"] == search["plan"]]
    return document, search, made


def predicted_ms(candidate: dict[str, Any]) -> float:
    (prediction,) = candidate["predictions"]
    return float(prediction["latency_ms"]["p50"])


@pytest.mark.parametrize("model", ["digits_cnn", "digits_vit"])
def test_a_smaller_image_is_found_and_all_follow_it(model: str, tmp_path: Path) -> None:
    document, search, made = searched(model, tmp_path)
    within = [size for size in search["sizes"] if size["drop_points"] <= MAX_DROP]
    assert within and len(search["sizes"]) - len(within) <= 1
    size = int(search["plan"].removeprefix("resolution:").partition("+")[0])
    assert size in [tried["size"] for tried in within]
    dense = next(c for c in document["candidates"] if not c["passes"])
    assert made
    for candidate in made:
        assert candidate["artifact"]["preprocessing"]["input_size"] == [size, size]
        assert candidate["verification"]["passed"]
        assert candidate["passes"][-1]["macs_after"] < dense_macs(document)
        assert predicted_ms(candidate) < predicted_ms(dense)
    report = "\n".join(details(load_run(tmp_path / "run")))
    assert f"| {size} x {size} |" in report
    if model == "digits_cnn":
        assert (search["source"], search["dense_ms"], size) == ("none", None, min(tried["size"] for tried in within))
    else:
        assert search["source"] in ("measured", "predicted") and search["predicted_ms"] < search["dense_ms"]


def test_where_fine_tuning_follows_the_search_goes_further_and_says_what_was_regained(tmp_path: Path) -> None:
    command = (
        "compress", "digits_cnn", "--data", "digits", "--calibration", "calibration:digits",
        "--train", "digits:train", "--tokens", "auto", "--export", "onnx", "--scheme", "fp32",
        "--max-drop", "0.4", "--finetune", "quick", "--set", "finetune.images_seen=320", "--set", "measure.min_seconds=0",
    )  # fmt: skip
    done = edgevit(*command, "--out", tmp_path / "run", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr
    (search,) = run_document(tmp_path / "run")["token_searches"]
    assert search["limit_points"] == 0.4
    assert search["tuned"]
    for tuned in search["tuned"]:
        assert tuned["drop_points_before"] > 0.4
        assert tuned["divergence_after"] <= tuned["divergence_before"]
    saved = [tuned["plan"] for tuned in search["tuned"] if tuned["expected_points"] <= 0.4]
    assert saved == ([search["plan"]] if saved else [])
    assert "plan tuned shortly" in "\n".join(details(load_run(tmp_path / "run")))


def dense_macs(document: dict[str, Any]) -> int:
    return int(document["baseline"]["macs"])
