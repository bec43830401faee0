"""Scores on images kept apart: what the labels or the teacher say, in all processes together."""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("torchvision")

import torch.nn.functional as F  # noqa: E402

from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.distillation import kept_images  # noqa: E402
from edgevit.distillation.distill_job import LabelledImages  # noqa: E402
from edgevit.distillation.kept_images import Images, KeptImages  # noqa: E402
from edgevit.distillation.processes import Group  # noqa: E402
from tests.distillation.small import CONTRACT, digits_part, small_model  # noqa: E402

KEPT = digits_part(0, 70)


def logits_of(seed: int, images: LabelledImages = KEPT) -> torch.Tensor:
    taken = torch.from_numpy(PreparedImages(images.samples, CONTRACT).array())
    with torch.no_grad():
        found: torch.Tensor = small_model(seed).module(taken).double()
    return found


def test_logits_are_those_of_the_images_as_the_model_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    module = small_model(0).module.train()
    images = Images(KEPT, CONTRACT)
    assert torch.allclose(images.logits(module, "cpu"), logits_of(0), atol=1e-5)
    assert module.training
    monkeypatch.setattr(PreparedImages, "read_pixels", lambda *_: pytest.fail("decoded again"))
    images.logits(module, "cpu")


def test_more_images_than_memory_holds_are_decoded_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_images, "MOST_IN_MEMORY", 0)
    images, module = Images(KEPT, CONTRACT), small_model(0).module
    assert torch.equal(images.logits(module, "cpu"), images.logits(module, "cpu"))


def test_with_labels_it_is_the_share_not_recognized_and_the_cross_entropy() -> None:
    kept = KeptImages(small_model(0).module, KEPT, CONTRACT, Group("cpu"), lambda images: pytest.fail("no teacher"))
    logits, labels = logits_of(0), torch.tensor(KEPT.labels)
    error, loss = kept.score()
    assert error == pytest.approx(float((logits.argmax(1) != labels).double().mean()))
    assert loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)


def test_without_labels_it_is_the_divergence_from_the_teacher() -> None:
    images = replace(KEPT, labels=None)
    kept = KeptImages(small_model(0).module, images, CONTRACT, Group("cpu"), lambda part: logits_of(1, part))
    mine, theirs = (logits_of(seed).log_softmax(1) for seed in (0, 1))
    assert kept.score() == pytest.approx((float((theirs.exp() * (theirs - mine)).sum(1).mean()),), rel=1e-5)
    same = KeptImages(small_model(1).module, images, CONTRACT, Group("cpu"), lambda part: logits_of(1, part))
    assert same.score()[0] == pytest.approx(0, abs=1e-9)


def test_processes_have_parts_whose_sums_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = KeptImages(small_model(0).module, KEPT, CONTRACT, Group("cpu"), lambda part: logits_of(1, part)).score()
    sums = []
    monkeypatch.setattr(Group, "sum", lambda self, values: values)
    for rank in range(3):
        part = KeptImages(small_model(0).module, KEPT, CONTRACT, Group("cpu", rank, 3), lambda part: logits_of(1, part))
        sums.append(torch.tensor(part.score()))
    assert torch.stack(sums).sum(dim=0).tolist() == pytest.approx(list(whole), rel=1e-5)
