from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import predictions_page
from edgevit.commands import devices
from edgevit.commands.devices import COMMITTED, carried_worth, fit_devices, validate_carried, validate_table
from edgevit.devices import fit
from edgevit.devices.coefficients import load_cost_model
from edgevit.devices.committed import Committed, figures, worse
from edgevit.devices.cross_validation import FEW_FOLDS, FOLDS, LEFT_OUT
from edgevit.devices.evidence import COLUMNS
from edgevit.devices.graph_table import write_graphs
from edgevit.errors import UsageError
from edgevit.results.document import from_json
from tests.devices.rows import made_up

CELLS = {
    "id": "a", "device": "Raspberry Pi 4B", "soc": "BCM2711", "unit": "cpu", "runtime": "TFLite", "precision": "fp32",
    "batch": "1", "model": "MobileNetV1", "timm_name": "mobilenetv1_100", "input_hw": "224x224", "latency_ms": "90",
    "source_repo_or_page": "mine",
}  # fmt: skip


def table(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "rows.csv"
    lines = [",".join(COLUMNS), *(",".join({**CELLS, **row}.get(name, "") for name in COLUMNS) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quiet(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def small_evidence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows, graphs = made_up(8)
    write_graphs(tmp_path / "graphs.csv", graphs)
    monkeypatch.setattr(devices, "read_rows", lambda path: rows)
    monkeypatch.setattr(devices, "read_graphs", lambda: graphs)
    for module in (devices, fit):
        monkeypatch.setattr(module, "FOLDS", dict.fromkeys(LEFT_OUT, 4))


@pytest.mark.usefixtures("small_evidence")
def test_the_carried_table_is_scored_by_device_and_unit() -> None:
    found = validate_carried("graph", quiet)
    assert [(score.device, score.n) for score in found.scores] == [("all", 16), ("fast", 8), ("slow", 8)]
    assert found.mapped_share == 1
    assert all(score.least_squares is not None for score in found.scores)


@pytest.mark.usefixtures("small_evidence")
def test_what_is_fitted_can_be_loaded(tmp_path: Path) -> None:
    found = fit_devices(quiet, tmp_path)
    assert load_cost_model(tmp_path / "coefficients.npz").counts["unit"] == {("cpu",): 16}
    committed = from_json(Committed, (tmp_path / "validation.json").read_bytes())
    assert committed.full.graph == found.scores
    assert committed.quick


def test_a_fit_needs_a_folder_that_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make"):
        fit_devices(quiet, tmp_path / "file" / "folder")


def test_rows_of_a_user_are_predicted_without_their_latency(tmp_path: Path) -> None:
    found = validate_table(table(tmp_path, {}, {"id": "b", "latency_ms": "9000"}), quiet)
    first, second = found.predictions
    assert (first.id, second.id) == ("a", "b")
    assert first.p50 == second.p50
    assert first.low < first.p50 < first.high
    assert "published measurements of this unit" in first.basis


def test_rows_that_cannot_be_mapped_are_counted_with_the_reason(tmp_path: Path) -> None:
    found = validate_table(
        table(tmp_path, {}, {"id": "b", "timm_name": "", "model": "VargConvNet", "input_hw": "32x32"}), quiet
    )
    assert [(row.id, "no definition of VargConvNet" in row.reason) for row in found.unmapped] == [("b", True)]
    assert found.mapped_share == 0.5


def test_a_table_without_a_row_that_can_be_mapped(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="none of the 1 rows"):
        validate_table(table(tmp_path, {"timm_name": "", "model": "VargConvNet", "input_hw": "32x32"}), quiet)


def test_few_folds_of_the_carried_table_are_worth_as_much_as_at_the_last_fit() -> None:
    """Takes ten seconds of a processor: what every change of the cost model has to pass."""
    assert worse(committed().quick, figures(carried_worth(FEW_FOLDS, quiet))) == []


@pytest.mark.slow
def test_predictions_are_worth_as_much_as_at_the_last_fit() -> None:
    assert worse(figures(committed().full), figures(carried_worth(FOLDS, quiet))) == []


def committed() -> Committed:
    return from_json(Committed, COMMITTED.read_bytes())


def test_the_page_has_the_committed_validation() -> None:
    page = predictions_page.PAGE.read_text(encoding="utf-8")
    assert predictions_page.with_table(page, committed().full) == page
    assert predictions_page.with_correlations(page, load_cost_model().correlations) == page
    assert "Raspberry Pi 4B | cpu" in page
