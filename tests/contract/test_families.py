"""Every model family converts on every backend and computes what PyTorch computes."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.backends import backend_names
from tests.contract.families import FAMILIES, LEAST_VARIATION, Family, Prepared, PrepareJob, convert, prepare

TIMEOUT_SECONDS = 300.0


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(family, id=family.title, marks=[pytest.mark.slow] if family.slow else []) for family in FAMILIES
    ],
)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Family, Prepared]:
    """A family, captured once for all backends."""
    family: Family = request.param
    return family, prepare(PrepareJob(family.model, tmp_path_factory.mktemp("family")))


@pytest.mark.parametrize("backend", backend_names())
def test_family_converts_with_parity(prepared: tuple[Family, Prepared], backend: str, tmp_path: Path) -> None:
    family, captured = prepared
    assert captured.variation >= LEAST_VARIATION, "logits that hardly depend on the image prove nothing"
    assert captured.norms == (), "every batch normalization of these families has a layer to go into"
    assert captured.transformer == family.attention

    verification = convert(captured, backend, tmp_path, TIMEOUT_SECONDS)

    assert verification.passed, verification
