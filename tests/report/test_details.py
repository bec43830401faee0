"""The folded sections have everything, and no prediction in a measurement's words."""

from __future__ import annotations

from edgevit.report.details import details
from edgevit.results.candidate import Verification
from tests.factories import (
    make_board_run,
    make_candidate,
    make_prediction,
    make_realistic_run,
    make_run,
    make_timed_run,
)


def section(run: object, title: str) -> str:
    found = [each for each in details(run) if each.startswith(f"## {title}\n\n")]  # type: ignore[arg-type]
    assert len(found) == 1, title
    return found[0]


def test_predictions_stand_apart() -> None:
    run = make_realistic_run()
    assert "23.1 ms to 103 ms" in section(run, "Predicted, not measured")
    assert "raspberry-pi-5" not in section(run, "Measured")


def test_what_predictions_of_a_device_rest_on_is_said_once() -> None:
    made = [
        make_candidate(f"litert/{scheme}", predictions=(make_prediction(1, 2, basis="a basis"),))
        for scheme in ("fp32", "fp16")
    ]
    page = "".join(details(make_run(*made)))
    assert page.count("raspberry-pi-5: a basis") == 1
    assert page.count("a basis") == 1


def test_calibration_is_told() -> None:
    assert "128 images from `images/`, sampled with seed 0: 00000.jpg" in section(make_run(), "Calibration")
    assert "No candidate was calibrated" in section(make_run(calibration=None), "Calibration")


def test_images_left_out_of_verification_are_counted() -> None:
    verification = Verification("pytorch", 1e-6, 1e-7, 130.0, 1.0, 855, True, undecided=2)
    assert "| 853 of 855 |" in section(make_run(make_candidate(verification=verification)), "Verification")


def test_the_rounds_are_listed() -> None:
    assert "| 12.0, 13.0, 12.6 | 0 | no |" in section(make_timed_run(), "Final round on this host")


def test_the_two_kinds_of_predicted_memory_have_their_names() -> None:
    predicted = section(make_timed_run("raspberry-pi-5"), "Predicted, not measured")
    assert "| tensor memory | process memory |" in predicted
    assert "| 30.0 MB | 40.0 MB to 121.0 MB |" in predicted


def test_stages_versions_and_spec_are_there() -> None:
    run = make_run()
    assert "| measure | 2 min 03 s | done |" in section(run, "Stages")
    assert "numpy | 2.4.6" in section(run, "Versions")
    assert '"max_drop": 1.0' in section(run, "Spec")


def test_rounds_of_a_board_stand_beside_those_of_this_host() -> None:
    run = make_board_run()
    assert "61.0 ms" in section(run, "Rounds on pi4") and "25.0 ms" in section(run, "Final round on this host")
