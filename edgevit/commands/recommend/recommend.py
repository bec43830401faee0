"""Recommends a family of networks, networks to try first, and a profile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from edgevit.commands.recommend.changes import Answer, changes
from edgevit.commands.recommend.decide import FAMILIES, Decision, decide
from edgevit.commands.recommend.networks import networks
from edgevit.commands.recommend.own_runs import OwnRun, read_runs
from edgevit.commands.recommend.predicted import offer, with_fit
from edgevit.commands.recommend.situation import check_situation
from edgevit.devices.device import Device, load_device
from edgevit.results.family import Family
from edgevit.results.recommendation import OfferedNetwork, Pretraining, Recommendation, Situation, Task
from edgevit.spec.schemes import Numerics
from edgevit.spec.toml_files import find, names, read_toml

_FIRST = 3
"""Networks to be tried first."""
_HOST_PROFILE = "intel-cpu"
_STATIC = "static_wi8_ai8"


def recommend(situation: Situation, runs: Sequence[Path] = ()) -> Recommendation:
    """Recommends where to start.

    Args:
        situation: What is known; the kind of its device is read from the device's file.
        runs: Folders of the user's runs.

    Raises:
        UsageError: an unknown device, a latency without one, fine detail without a resolution, or a folder that is no run.
    """
    check_situation(situation)
    device = load_device(situation.device) if situation.device is not None else None
    asked = replace(situation, device=device.name, device_kind=device.kind) if device is not None else situation
    own = read_runs(runs, device)
    profile, profile_reason = choose_profile(device)
    exported = exported_numerics(profile)

    @cache
    def priced(pretraining: Pretraining, size: tuple[int, int] | None, task: Task) -> tuple[OfferedNetwork, ...]:
        return offer(networks(pretraining), size, task, device, exported)

    def offered(situation: Situation) -> tuple[OfferedNetwork, ...]:
        return priced(situation.pretraining, situation.full_size, situation.task)

    def answer(situation: Situation) -> Answer:
        decision = decide(situation, offered(situation), own)
        first = _first_networks(decision, situation, decision.family)
        return Answer(decision.family, first[0].name if first else None)

    decision = decide(asked, offered(asked), own)
    of_family = {family: _first_networks(decision, asked, family) for family in FAMILIES}
    others = (found[0] for family, found in of_family.items() if found and family != decision.family)
    first = of_family[decision.family] if decision.family else ()
    return Recommendation(
        situation=asked,
        family=decision.family,
        decided_by=decision.decided_by,
        networks=tuple(with_fit(network, asked.max_latency_ms) for network in first),
        offers=tuple(with_fit(network, asked.max_latency_ms) for network in others),
        profile=profile,
        profile_reason=profile_reason,
        reasons=decision.reasons,
        contradictions=decision.contradictions,
        changes=changes(asked, offered(asked), answer),
        advice=(*_advice(asked, own, offered(asked)), *_next_steps(first, asked, profile)),
    )


def choose_profile(device: Device | None) -> tuple[str | None, str]:
    """Returns the shipped profile for a device, and why it is that one; None where there is none."""
    if device is None:
        return None, "no device is named: `edgevit profiles` lists what there is"
    fitting = [
        name for name in names("profiles") if device.name in read_toml(find("profiles", name)).get("devices", ())
    ]
    if fitting:
        return device.name if device.name in fitting else fitting[0], f"it is for {device.name}"
    if device.kind == "computer":
        return _HOST_PROFILE, "it is for processors that artifacts are measured on"
    return None, f"no shipped profile is for {device.name}: give --device alone, or a profile of your own"


def exported_numerics(profile: str | None) -> tuple[Numerics, ...]:
    """Returns the numerics of the artifacts that a profile makes.

    Where it leaves int8 to the policy ("auto"), as on processors, artifacts are taken to be in floats, which is the slower case.
    """
    schemes = read_toml(find("profiles", profile))["export"]["schemes"] if profile is not None else ["fp32"]
    return tuple("int8_static" if scheme == _STATIC else "float" for scheme in schemes)


def _first_networks(decision: Decision, situation: Situation, family: Family | None) -> tuple[OfferedNetwork, ...]:
    """Networks of a family that no other one beats in both accuracy and cost.

    With a latency budget the most accurate ones come first. Without one there is no best, and they go from light to heavy, at a
    quarter, the half and three quarters of the list.
    """
    front = _front(decision.offers[family]) if family is not None else ()
    if situation.max_latency_ms is not None:
        return front[:_FIRST]
    light_first = front[::-1]
    if len(front) <= _FIRST:
        return light_first
    return tuple(light_first[len(front) * quarter // 4] for quarter in (1, 2, 3))


def _front(candidates: Sequence[OfferedNetwork]) -> tuple[OfferedNetwork, ...]:
    """Those that are lighter than all that are as accurate, most accurate first."""
    found: list[OfferedNetwork] = []
    for network in sorted(candidates, key=lambda network: (-network.top1, _cost(network))):
        if not found or _cost(network) < _cost(found[-1]):
            found.append(network)
    return tuple(found)


def _cost(network: OfferedNetwork) -> float:
    return network.latency_ms.p50 if network.latency_ms else network.macs


def _next_steps(first: Sequence[OfferedNetwork], situation: Situation, profile: str | None) -> list[str]:
    """The commands that train and compress the first network."""
    if not first:
        return []
    name, found = first[0].name, []
    weights = "--weights FILE"
    if situation.task == "classification":
        start = "--random-weights" if situation.from_scratch else weights
        found.append(f"to train it: edgevit distill {name} {start} --num-classes N --train IMAGES --out taught")
        weights = "--weights taught/weights.safetensors --set model.num_classes=N"
    with_profile = f" --profile {profile}" if profile else ""
    return [*found, f"to compress it: edgevit compress {name} {weights} --data IMAGES{with_profile} --out run"]


def _advice(situation: Situation, runs: Sequence[OwnRun], offered: Sequence[OfferedNetwork]) -> list[str]:
    """How to start, and what was not known."""
    found = []
    images = situation.images
    if images is None:
        found.append("the number of training images is not known: --images says it, and it weighs most")
    elif situation.from_scratch and images < 50_000:
        found.append(
            "look for weights to start from before anything else: from scratch, so few images train no network well"
        )
    elif images < 1_000:
        found.append(
            "freeze all but the last layers, or train the classifier alone: so few images change a whole network for the worse"
        )
    if situation.device is None:
        found.append("no device is named, so that latency was not considered: --device NAME")
    elif not any(network.latency_ms for network in offered):
        found.append(f"no latency is predicted for {situation.device}, so that none was considered: {offered[0].basis}")
    elif situation.max_latency_ms is None:
        found.append("no latency budget is given, so that predictions did not decide: --max-latency 20ms")
    else:
        found.append(
            "predictions are of networks as published; `edgevit compress` measures, and makes them faster by int8 and fewer tokens"
        )
    if situation.resolution is not None and situation.full_size is None:
        found.append("images are made as small as the network takes them; --fine-detail if that loses what counts")
    if situation.fine_detail:
        found.append(
            "`--tiles size=224,overlap=0.1,reduce=max` feeds large images in tiles instead: the cost then grows with the pixels alone,"
            " that of a ViT too, and a tile sees nothing of the others"
        )
    if situation.explanations:
        found.append(
            "`edgevit explain` shows attention of a ViT and Grad-CAM of a CNN alike: neither family is ruled out by it"
        )
    if not runs:
        found.append("a run of two families on your images decides better than anything published: --run A --run B")
    return found
