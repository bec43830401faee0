"""The steps of a training: bounded in time, ended when nothing more is gained, and never beyond the last good weights."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from safetensors.torch import load_file  # noqa: E402

from edgevit.distillation.finetune import finetune  # noqa: E402
from edgevit.distillation.finetune_job import FinetuneJob  # noqa: E402
from edgevit.distillation.training import Training, TrainingPlan  # noqa: E402

BATCH = 32
"""Views in a step of the jobs here."""
PLAN = TrainingPlan(
    what="training",
    steps=1_000,
    looks=10,
    learning_rate=0.1,
    weight_decay=0.0,
    warmup_share=0.1,
    patience=None,
    describe=lambda score: f"score {score}",
    no_better="no better",
)


def make_training(plan: TrainingPlan, parameter: torch.nn.Parameter | None = None) -> Training:
    """Of one parameter of two numbers."""
    parameter = torch.nn.Parameter(torch.zeros(2)) if parameter is None else parameter
    return Training({"bias": parameter}, [{"params": [parameter]}], plan)


def test_a_loss_that_explodes_leaves_the_last_good_weights(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, learning_rate=1e20)))
    assert "the loss was" in found.note
    assert found.images_seen == 0
    assert all(torch.isfinite(value).all() for value in load_file(found.weights).values())


@pytest.mark.slow
def test_it_stops_when_the_divergence_no_longer_falls(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, learning_rate=1.0, patience=2)))
    assert found.note == "the divergence no longer fell"
    assert len(found.curve) == 3
    assert found.images_seen == 0


@pytest.mark.slow
def test_steps_become_fewer_where_time_is_short(job: FinetuneJob) -> None:
    found = finetune(replace(job, settings=replace(job.settings, max_seconds=0.01)))
    assert found.curve[-1].images_seen == 3 * BATCH


def test_the_first_step_does_not_count_in_what_the_time_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 60.0, 62.0])  # begun, the first step ended, the third did
    monkeypatch.setattr("edgevit.distillation.training.time", SimpleNamespace(monotonic=lambda: next(seconds)))
    training = make_training(replace(PLAN, max_seconds=72.0))
    training.look((1.0,))
    for _ in range(3):
        training.step(lambda step: 1.0)
    assert training.total == 3 + 10  # ten seconds at one a step


def test_the_rate_rises_and_falls_as_a_cosine_and_groups_have_shares_of_it() -> None:
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr_scale": 0.5}]
    training = Training({}, groups, replace(PLAN, steps=100))
    training.look((1.0,))
    found = []
    for _ in range(100):
        training.step(lambda step: 1.0)
        found.append([group["lr"] for group in training._optimizer.param_groups])
    assert found[0] == pytest.approx([0.01, 0.005])  # a tenth of the warm-up, for at 0 nothing would change
    assert found[5] == pytest.approx([0.05, 0.025])
    assert found[10] == pytest.approx([0.1, 0.05])
    assert found[55] == pytest.approx([0.05, 0.025])  # half of the cosine
    assert found[99][0] < 1e-4


def test_the_best_weights_are_those_of_the_smallest_score_where_ties_go_on_to_the_next_number() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    training = make_training(PLAN, parameter)
    for value, score in enumerate([(0.5, 2.0), (0.4, 3.0), (0.4, 2.5), (0.4, 2.6), (0.6, 0.1)]):
        parameter.data.fill_(value)
        training.look(score)
    assert training.best["bias"].tolist() == [2.0, 2.0]


def test_gradients_that_are_not_finite_change_nothing_and_end_it_where_they_stay_so() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    training = make_training(PLAN, parameter)
    training.look((1.0,))

    def infinite(step: int) -> float:
        parameter.grad = torch.full((2,), torch.inf)
        return 1.0

    for _ in range(19):
        training.step(infinite)
    assert (training.done, training.note) == (19, "")
    training.step(infinite)
    assert training.failed
    assert "the gradients were not finite in 20 steps" in training.note
    assert parameter.tolist() == [1.0, 1.0]


def test_what_went_on_from_a_state_is_as_if_it_had_not_stopped() -> None:
    def gradient_of(parameter: torch.nn.Parameter) -> object:
        def gradients(step: int) -> float:
            parameter.grad = torch.tensor([float(step % 3) - 1, 1.0])
            return float(step)

        return gradients

    plan, states = replace(PLAN, steps=30, looks=5), []
    parameters = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    whole, rest = (make_training(plan, parameter) for parameter in parameters)

    def judge(parameter: torch.nn.Parameter) -> tuple[float, ...]:
        return (float(parameter.detach().abs().sum()),)

    whole.run(
        gradient_of(parameters[0]), lambda: judge(parameters[0]), lambda state: states.append(copy.deepcopy(state))
    )
    assert [state["done"] for state in states] == [6, 12, 18, 24, 30]
    rest.run(gradient_of(parameters[1]), lambda: judge(parameters[1]), states.append, states[1])
    assert torch.equal(*parameters)
    assert str(rest.curve) == str(whole.curve)
    assert torch.equal(rest.best["bias"], whole.best["bias"])
