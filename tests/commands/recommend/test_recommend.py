"""The whole answer: family, networks, profile, and what would change it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgevit.commands.recommend.decide import decide
from edgevit.commands.recommend.networks import networks
from edgevit.commands.recommend.predicted import offer
from edgevit.commands.recommend.recommend import choose_profile, exported_numerics, recommend
from edgevit.devices.device import load_device
from edgevit.errors import UsageError
from edgevit.results.recommendation import Situation
from edgevit.spec.toml_files import names


def test_a_small_set_on_a_board() -> None:
    found = recommend(Situation(images=5_000, device="raspberry-pi-5", max_latency_ms=30.0))
    assert found.family == "cnn"
    assert found.profile == "raspberry-pi-5"
    assert found.situation.device_kind == "single-board computer"
    assert 1 <= len(found.networks) <= 3
    assert all(network.family == "cnn" and network.latency_ms for network in found.networks)
    assert all(network.latency_ms.p50 <= 30.0 for network in found.networks if network.latency_ms)
    tops = [network.top1 for network in found.networks]
    assert tops == sorted(tops, reverse=True), "with a budget the most accurate comes first"
    assert any("30.0 ms" in change.what for change in found.changes)


def test_without_a_budget_networks_go_from_light_to_heavy() -> None:
    found = recommend(Situation(images=20_000))
    assert [network.macs for network in found.networks] == sorted(network.macs for network in found.networks)
    assert found.profile is None
    assert any("--device" in line for line in found.advice)


def test_no_network_is_beaten_by_a_lighter_one() -> None:
    found = recommend(Situation(device="jetson-orin-nano", max_latency_ms=20.0))
    for network in found.networks:
        assert not any(
            other.top1 >= network.top1 and other.latency_ms.p50 < network.latency_ms.p50  # type: ignore[union-attr]
            for other in found.networks
            if other is not network
        )


def test_nothing_is_possible_and_it_is_said_what_would_be() -> None:
    found = recommend(Situation(device="raspberry-pi-zero-2-w", max_latency_ms=1.0))
    assert (found.family, found.networks, found.offers) == (None, (), ())
    above = [change for change in found.changes if "instead of 1.00 ms" in change.what]
    assert above and above[0].then.startswith("CNN")


@pytest.mark.parametrize("name", names("devices"))
def test_every_device_gets_an_answer(name: str) -> None:
    device = load_device(name)
    situation = Situation(images=20_000, device=name, device_kind=device.kind, max_latency_ms=1000.0)
    decision = decide(situation, offer(networks("imagenet-1k"), None, "classification", device), ())
    assert decision.family is not None
    known = name not in ("intel-core-ultra-200v", "stm32mp25")  # as `edgevit profile` says of them
    assert all((network.latency_ms is not None) == known for network in decision.offers[decision.family])


def test_a_device_of_which_nothing_is_published_is_answered_without_latency() -> None:
    found = recommend(Situation(images=20_000, device="stm32mp25", max_latency_ms=1.0))
    assert found.family == "cnn" and found.profile is None
    assert any("no latency is predicted for stm32mp25" in line for line in found.advice)


def test_every_device_of_a_profile_gets_it() -> None:
    assert choose_profile(load_device("coral-edge-tpu"))[0] == "coral-edge-tpu"
    assert choose_profile(load_device("jetson-orin-nano"))[0] == "jetson-orin-nano", "of two, the one of its name"
    assert choose_profile(load_device("snapdragon-888"))[0] == "hexagon-npu"
    assert choose_profile(load_device("stm32mp25")) == (
        None,
        "no shipped profile is for stm32mp25: give --device alone, or a profile of your own",
    )
    assert choose_profile(None)[0] is None


@pytest.mark.parametrize(
    ("profile", "numerics"),
    [
        ("rknn", ("int8_static",)),
        ("hexagon-npu", ("float", "int8_static")),
        ("raspberry-pi-5", ("float",)),
        ("apple", ("float",)),
        (None, ("float",)),
    ],
)
def test_latency_is_that_of_what_the_profile_exports(profile: str | None, numerics: tuple[str, ...]) -> None:
    assert exported_numerics(profile) == numerics


def test_an_npu_is_judged_in_int8_where_its_profile_exports_that() -> None:
    found = recommend(Situation(images=5_000, device="rk3588", max_latency_ms=10.0))
    assert {network.arithmetic for network in found.networks} == {"int8"}
    assert any("networks run in int8 there" in reason.text for reason in found.reasons)


def test_a_very_small_set_is_told_to_freeze() -> None:
    assert any(line.startswith("freeze") for line in recommend(Situation(images=500)).advice)
    assert any("weights to start from" in line for line in recommend(Situation(images=500, pretraining="none")).advice)


def test_a_4k_image_with_small_details_is_priced_whole() -> None:
    situation = Situation(resolution=(2160, 3840), fine_detail=True, device="jetson-agx-orin", max_latency_ms=100.0)
    found = recommend(situation)
    assert found.family == "cnn"
    assert all(network.input_size == (2160, 3840) for network in found.networks)
    assert any("--tiles" in line for line in found.advice)
    smaller = recommend(Situation(resolution=(2160, 3840), device="jetson-agx-orin", max_latency_ms=100.0))
    assert all(network.input_size[0] < 400 for network in smaller.networks)
    assert any("--fine-detail" in line for line in smaller.advice)


def test_the_next_commands_are_told_and_parse() -> None:
    found = recommend(Situation(images=5_000, device="raspberry-pi-5", max_latency_ms=30.0))
    train, compress = found.advice[-2:]
    assert (
        train
        == f"to train it: edgevit distill {found.networks[0].name} --weights FILE --num-classes N --train IMAGES --out taught"
    )
    assert compress.endswith("--profile raspberry-pi-5 --out run")
    scratch = recommend(Situation(images=5_000, pretraining="none"))
    assert "--random-weights" in scratch.advice[-2] and "--profile" not in scratch.advice[-1]
    assert not any("distill" in line for line in recommend(Situation(task="dense")).advice)
    assert (
        recommend(Situation(device="raspberry-pi-zero-2-w", max_latency_ms=0.5)).advice[-1].startswith("a run of two")
    )


@pytest.mark.parametrize("images", [5_000, 50_000])
def test_options_of_the_next_commands_are_options_of_the_commands(images: int) -> None:
    import typer

    from edgevit.cli.app import make_app

    root = typer.main.get_command(make_app())
    for line in recommend(Situation(images=images, device="rk3588")).advice[-2:]:
        name, *words = line.partition("edgevit ")[2].split()
        known = {option for parameter in root.commands[name].params for option in parameter.opts}  # type: ignore[attr-defined]
        assert {word for word in words if word.startswith("--")} <= known


def test_unknown_devices_and_what_is_no_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        recommend(Situation(device="raspbery-pi-5"))
    assert "raspberry-pi-5" in f"{error.value.message} {error.value.hint}"
    with pytest.raises(UsageError):
        recommend(Situation(max_latency_ms=10.0))
    with pytest.raises(UsageError):
        recommend(Situation(), (tmp_path,))
