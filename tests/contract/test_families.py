"""Every model family converts on every backend and computes what PyTorch computes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from edgevit.backends import backend_names
from edgevit.results.candidate import Verification
from tests.contract.families import FAMILIES, LEAST_VARIATION, Family, Prepared, PrepareJob, convert, prepare

TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Converted:
    """A family, captured once, on its way to all backends."""

    family: Family
    prepared: Prepared
    verifications: dict[str, Future[Verification]]
    """By backend."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(family, id=family.title, marks=[pytest.mark.slow] if family.slow else []) for family in FAMILIES
    ],
)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Converted]:
    """Captures a family and converts it in child processes, two at a time."""
    family: Family = request.param
    folder = tmp_path_factory.mktemp("family")
    prepared = prepare(PrepareJob(family.model, folder))
    with ThreadPoolExecutor(2) as pool:
        verifications = {
            backend: pool.submit(convert, prepared, backend, folder / backend, TIMEOUT_SECONDS)
            for backend in backend_names()
        }
        yield Converted(family, prepared, verifications)


@pytest.mark.parametrize(
    "backend",
    [name if name == "onnxruntime" else pytest.param(name, marks=pytest.mark.slow) for name in backend_names()],
)
def test_family_converts_with_parity(converted: Converted, backend: str) -> None:
    prepared = converted.prepared
    assert prepared.variation >= LEAST_VARIATION, "logits that hardly depend on the image prove nothing"
    assert prepared.norms == (), "every batch normalization of these families has a layer to go into"
    assert prepared.transformer == converted.family.attention
    assert not prepared.negated.passed, "parity has to fail where a layer in the middle is wrong"
    assert prepared.unseen == converted.family.unread, "every layer that they read shows in the logits"

    verification = converted.verifications[backend].result()

    assert verification.passed, verification


def test_the_families_that_the_command_calls_verified_are_these() -> None:
    from edgevit.cli.models import VERIFIED_FAMILIES, note_of

    noted = {note_of(family.model) for family in FAMILIES}
    for name in VERIFIED_FAMILIES.values():
        assert f"verified family: {name}" in noted
