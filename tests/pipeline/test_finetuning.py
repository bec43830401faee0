"""Fine-tuned variants: what they share with the untuned ones, and when there are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file, save_file  # noqa: E402

from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.distillation.finetune import Finetuned, FinetuneJob  # noqa: E402
from edgevit.errors import CandidateFailed  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.pipeline import finetuning  # noqa: E402
from edgevit.pipeline.candidate import COMPRESS_STEPS  # noqa: E402
from edgevit.pipeline.context import Alternatives, RunContext, open_context  # noqa: E402
from edgevit.pipeline.finetuning import Tuned, tune  # noqa: E402
from edgevit.pipeline.model_passes import TrainedModel, run_model_passes  # noqa: E402
from edgevit.pipeline.token_passes import make_variants  # noqa: E402
from edgevit.results.artifact import Preprocessing  # noqa: E402
from edgevit.results.finetune import FinetunePoint  # noqa: E402
from edgevit.run import executor  # noqa: E402
from edgevit.run.deadline import Deadline  # noqa: E402
from edgevit.run.folder import RunFolder  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.run.stages import Stages  # noqa: E402
from edgevit.run.task import Task  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402

# isort: split
from tests.models import small_vit  # noqa: E402
from tests.pipeline.contexts import make_executor, make_inputs, noise, run_here  # noqa: E402

CONTRACT = Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
LABELS = (0, 1, 2, 3, 4, 0)


@dataclass
class World:
    """A run of a small ViT, whose fine-tuning is a known answer."""

    context: RunContext
    trained: TrainedModel
    jobs: list[FinetuneJob]

    def variants(self) -> Alternatives:
        (plan,) = self.context.inputs.plans
        assert not isinstance(plan, str)
        return make_variants(self.context, self.trained, plan)

    def tune(self, rung: Any = "quick") -> Tuned:
        return tune(self.context, self.trained, self.variants(), rung)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    folders: list[RunFolder] = []
    jobs: list[FinetuneJob] = []

    def begin(tokens: str = "evit:1=40", better: bool = True, error: Exception | None = None) -> World:
        def tuned(job: FinetuneJob) -> Finetuned:
            jobs.append(job)
            if error:
                raise error
            module = load_program(job.student).module()
            save_file({name: value.detach() * 1.5 for name, value in module.named_parameters()}, job.weights)
            after = tuple(0.1 * (0.5 if better else 1.0) * (1 + 0.1 * place) for place in range(4))
            before = tuple(0.1 * (1 + 0.1 * place) for place in range(4))
            curve = (FinetunePoint(0, 0.1), FinetunePoint(64, 0.05))
            return Finetuned(job.weights, 64, 1.0, before, after, curve)

        given = Spec.model_validate(
            {
                "model": {"name": "digits_vit"},
                "passes": {"tokens": tokens},
                "finetune": {"mode": "quick", "batch_size": 4},
            }
        )
        monkeypatch.setattr(executor, "run_in_child", lambda task, **_: run_here(task))
        monkeypatch.setattr(
            finetuning, "finetune_task", lambda job: Task(tuned, job, Finetuned, lambda made: (made.weights,))
        )
        folders.append(RunFolder(tmp_path / "run", given, (), False).__enter__())
        images = noise(12)
        inputs = make_inputs(
            given,
            model=Model("small_vit", small_vit(depth=2), CONTRACT, 5, random_weights=False),
            data=RunData(noise(len(LABELS), LABELS), None),
            tuning_images=TuningImages(images.select(images.ids[:8]), images.select(images.ids[8:])),
        )
        context = open_context(
            inputs, Stages(folders[-1], make_executor(tmp_path), Silent()), COMPRESS_STEPS, Deadline(None)
        )
        return World(context, run_model_passes(context), jobs)

    monkeypatch.setattr("edgevit.pipeline.context.export_early", lambda *_: None)
    threads = torch.get_num_threads()
    yield begin
    torch.set_num_threads(threads)
    for folder in folders:
        folder.__exit__()


def test_tuned_variants_have_other_weights_and_a_record_of_their_own(world: Callable[..., World]) -> None:
    made = world()
    untuned, found = made.variants(), made.tune()
    assert [variant.slug for variant in found.variants] == ["evit-1=40-gather-quick", "evit-1=40-arithmetic-quick"]
    before, after = (np.load(variants[0].reference) for variants in (untuned, found.variants))
    assert not np.allclose(before, after)
    for old, new in zip(untuned, found.variants, strict=True):
        reduction, tuning = new.passes
        assert (reduction,) == old.passes
        assert (tuning.name, tuning.settings) == ("finetune", "quick")
        assert tuning.macs_before == tuning.macs_after == reduction.macs_after
        assert tuning.top1_before == reduction.top1_after
        assert tuning.top1_after == (after.argmax(1) == LABELS).mean()
        assert new.margins is not None
        assert new.margins != old.margins
        program = load_program(new.program)
        image = torch.zeros(1, 3, 32, 32)
        expected = load_program(found.variants[0].program).module()(image)  # type: ignore[operator]
        torch.testing.assert_close(program.module()(image), expected, rtol=1e-5, atol=1e-6)  # type: ignore[operator]


@pytest.mark.slow
def test_the_record_tells_what_it_brought_on_how_many_images(world: Callable[..., World]) -> None:
    record = world().tune().record
    assert record is not None
    assert record.better
    assert (record.variant, record.rung, record.images, record.kept) == ("evit-1=40-gather", "quick", 8, 4)
    assert (record.before, record.after) == (pytest.approx(0.115), pytest.approx(0.0575))
    assert record.change.low <= record.after - record.before <= record.change.high < 0


def test_the_weights_are_kept_under_the_names_of_the_model(world: Callable[..., World]) -> None:
    made = world()
    record = made.tune().record
    assert record is not None
    assert record.weights == "finetuned/evit-1=40-gather-quick.safetensors"
    state = load_file(made.context.stages.folder.path / record.weights)
    model = made.context.inputs.model.module
    assert state.keys() == model.state_dict().keys()
    assert torch.allclose(state["norm.weight"], 1.5 * model.state_dict()["norm.weight"])


def test_what_is_not_better_leaves_no_variant_and_no_weights(world: Callable[..., World]) -> None:
    made = world(better=False)
    found = made.tune()
    assert found.variants == ()
    assert found.record is not None
    assert (found.record.better, found.record.weights) == (False, None)
    assert not (made.context.stages.folder.path / "finetuned").exists()


def test_what_cannot_be_tuned_is_told_and_the_run_goes_on(world: Callable[..., World]) -> None:
    found = world(error=CandidateFailed("no memory")).tune("full")
    assert found == Tuned(note="evit-1=40-gather was not fine-tuned (full): no memory")


@pytest.mark.slow
def test_teacher_and_student_are_what_they_should_be(world: Callable[..., World]) -> None:
    made = world("resolution:24")
    found = made.tune("full")
    (job,) = made.jobs
    assert (job.settings.parameters, job.settings.batch_size, job.settings.seed) == ("all", 4, 0)
    assert len(job.images) == 8
    assert len(job.kept) == len(job.kept_for_student) == 4
    assert job.images.preprocessing == job.kept.preprocessing == CONTRACT
    assert job.kept_for_student.preprocessing == replace(CONTRACT, input_size=(24, 24))
    (variant,) = found.variants
    assert (variant.slug, variant.form, variant.margins) == ("resolution-24-full", None, None)
    assert variant.preprocessing.input_size == (24, 24)


@pytest.mark.slow
def test_a_second_backend_tunes_nothing_again(world: Callable[..., World]) -> None:
    made = world()
    first = made.tune()
    count = len(made.context.stages.folder.stages)
    assert made.tune() == first
    assert len(made.jobs) == 1
    assert len(made.context.stages.folder.stages) == count
