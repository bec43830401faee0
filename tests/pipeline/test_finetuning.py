"""Fine-tuned variants: what they share with the untuned ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from safetensors.torch import load_file, save_file  # noqa: E402

from edgevit.backends import get_backend  # noqa: E402
from edgevit.data.sampling import RunData, TuningImages  # noqa: E402
from edgevit.distillation.finetune_job import Finetuned, FinetuneJob  # noqa: E402
from edgevit.model.load import Model  # noqa: E402
from edgevit.model.program.capture import load_program  # noqa: E402
from edgevit.pipeline import finetuning  # noqa: E402
from edgevit.pipeline.candidate import COMPRESS_STEPS  # noqa: E402
from edgevit.pipeline.context import RunContext, open_context  # noqa: E402
from edgevit.pipeline.finetuning import (  # noqa: E402
    RECIPES,
    Student,
    Untuned,
    keep_weights,
    training_name,
    tune,
    tuned_variant,
    tuning_job,
    tuning_teacher,
)
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
from edgevit.spec.spec import Rung, Spec  # noqa: E402

# isort: split
from tests.factories import make_candidate  # noqa: E402
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

    def untuned(self) -> Untuned:
        """The float candidate of the plan's first form."""
        (plan,) = self.context.inputs.plans
        assert not isinstance(plan, str)
        variant = make_variants(self.context, self.trained, plan)[0]
        return Untuned(make_candidate(f"onnxruntime/fp32/{variant.slug}", scheme="fp32"), variant)

    def tune(self, rung: Rung = "quick") -> Finetuned:
        return tune(self.context, self.trained, get_backend("onnxruntime"), self.untuned(), rung)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    folders: list[RunFolder] = []
    jobs: list[FinetuneJob] = []

    def begin(tokens: str = "evit:1=40") -> World:
        def tuned(job: FinetuneJob) -> Finetuned:
            jobs.append(job)
            module = load_program(job.student).module()
            save_file({name: value.detach() * 1.5 for name, value in module.named_parameters()}, job.weights)
            return Finetuned(job.weights, 64, 1.0, (FinetunePoint(0, 0.1), FinetunePoint(64, 0.05)))

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


def test_a_tuned_variant_has_other_weights_and_a_record_of_its_own(world: Callable[..., World]) -> None:
    made = world()
    untuned, found = made.untuned(), made.tune()
    old, new = untuned.variant, tuned_variant(made.context, made.trained, untuned, "quick", found.weights)
    assert (new.slug, new.form, new.plan) == ("evit-1=40-gather-quick", "gather", old.plan)
    before, after = (np.load(variant.reference) for variant in (old, new))
    assert not np.allclose(before, after)
    reduction, tuning = new.passes
    assert (reduction,) == old.passes
    assert (tuning.name, tuning.settings) == ("finetune", "quick")
    assert tuning.macs_before == tuning.macs_after == reduction.macs_after
    assert tuning.top1_before == reduction.top1_after
    assert tuning.top1_after == (after.argmax(1) == LABELS).mean()
    assert new.margins is not None
    assert new.margins != old.margins


@pytest.mark.slow
def test_the_dense_model_can_be_tuned_without_a_plan(world: Callable[..., World]) -> None:
    made = world()
    dense = made.trained.dense
    untuned = Untuned(make_candidate("onnxruntime/fp32/dense", scheme="fp32"), dense)
    found = tune(made.context, made.trained, get_backend("onnxruntime"), untuned, "quick")
    new = tuned_variant(made.context, made.trained, untuned, "quick", found.weights)
    assert (new.slug, new.plan, new.margins) == ("dense-quick", None, None)
    assert [each.name for each in new.passes] == ["finetune"]
    assert not np.allclose(np.load(dense.reference), np.load(new.reference))


def test_the_weights_are_kept_under_the_names_of_the_model(world: Callable[..., World]) -> None:
    made = world()
    file = keep_weights(made.context, made.trained, made.untuned(), "quick", made.tune().weights)
    assert file == made.context.stages.folder.path / "finetuned" / "evit-1=40-quick.safetensors"
    state, model = load_file(file), made.context.inputs.model.module
    assert state.keys() == model.state_dict().keys()
    assert torch.allclose(state["norm.weight"], 1.5 * model.state_dict()["norm.weight"])


def test_int8_of_each_backend_is_tuned_by_itself_and_float_once(world: Callable[..., World]) -> None:
    untuned = world().untuned()
    names = [
        training_name(Untuned(make_candidate(f"{backend}/{scheme}/x", scheme=scheme), untuned.variant), "full")
        for backend in ("onnxruntime", "litert")
        for scheme in ("fp32", "dynamic_wi8_afp32")
    ]
    assert len(set(names)) == 3


def test_in_float_one_form_is_trained_for_all_backends(world: Callable[..., World]) -> None:
    made = world()
    (plan,) = made.context.inputs.plans
    assert not isinstance(plan, str)
    variants = make_variants(made.context, made.trained, plan)
    assert len(variants) > 1
    scheme, files = "dynamic_wi8_afp32", []
    for variant in variants:
        untuned = Untuned(make_candidate(f"litert/{scheme}/{variant.slug}", scheme=scheme), variant, in_float=True)
        files.append(tune(made.context, made.trained, get_backend("litert"), untuned, "full").weights)
        tuned = tuned_variant(made.context, made.trained, untuned, "full", files[-1])
        assert (tuned.slug, tuned.form) == (f"{variant.slug}-full", variant.form)
    assert len(set(files)) == len(made.jobs) == 1
    assert made.jobs[0].int8 is None


def test_networks_without_attention_are_tuned_in_smaller_steps_unless_the_spec_says_how_large() -> None:
    full = RECIPES["full"]
    assert full.rate_for("cnn") < full.rate_for("transformer")


def test_the_teacher_of_the_distillation_teaches_where_that_is_asked_for(world: Callable[..., World]) -> None:
    made = world()
    big = Model("big", small_vit(depth=3), replace(CONTRACT, mean=(0.1,) * 3), 5, random_weights=False)
    itself = tuning_teacher(made.context, made.trained)
    assert (itself.name, itself.program) == ("", made.trained.dense.program)
    spec = made.context.inputs.spec
    taught = replace(
        made.context,
        inputs=replace(
            made.context.inputs,
            teacher=big,
            spec=spec.model_copy(update={"finetune": spec.finetune.model_copy(update={"teacher": "teacher"})}),
        ),
    )
    found = tuning_teacher(taught, made.trained)
    assert (found.name, found.preprocessing) == ("big", big.preprocessing)
    image = torch.zeros(1, 3, 32, 32)
    assert torch.allclose(load_program(found.program).module()(image), big.module(image), atol=1e-5)
    assert tuning_teacher(replace(taught, inputs=replace(taught.inputs, spec=spec)), made.trained) == itself
    variant = made.untuned().variant
    job = tuning_job(
        taught, made.trained, Student(variant.slug, small_vit(depth=2), CONTRACT), RECIPES["quick"], Path("w")
    )
    assert job.teacher == found.program
    assert job.images.preprocessing == job.kept.preprocessing == big.preprocessing
    assert job.kept_for_student.preprocessing == CONTRACT


@pytest.mark.slow
def test_teacher_and_student_are_what_they_should_be(world: Callable[..., World]) -> None:
    made = world("resolution:24")
    found = made.tune("full")
    (job,) = made.jobs
    assert (job.settings.parameters, job.settings.batch_size, job.settings.seed) == ("all", 4, 0)
    assert (job.settings.device, job.int8) == ("cpu", None)
    assert len(job.images) == 8
    assert len(job.kept) == len(job.kept_for_student) == 4
    assert job.images.preprocessing == job.kept.preprocessing == CONTRACT
    assert job.kept_for_student.preprocessing == replace(CONTRACT, input_size=(24, 24))
    variant = tuned_variant(made.context, made.trained, made.untuned(), "full", found.weights)
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
