"""``edgevit parity``: what is printed, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.artifacts.result_set import write_result_set
from edgevit.cli.app import run
from tests.factories import make_result_set

NAMES = tuple(f"{place:02d}.png" for place in range(50))


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``a.npz``, and ``b.npz`` with one image of fifty in another class, and little noise."""
    monkeypatch.chdir(tmp_path)
    logits = [[4.0, 0.0] if place % 2 else [0.0, 4.0] for place in range(50)]
    labels = [0 if place % 2 else 1 for place in range(50)]
    write_result_set(Path("a.npz"), make_result_set(NAMES, logits, labels))
    near = [[one + 0.1, other] for one, other in logits]
    near[7] = [0.0, 4.0]
    write_result_set(Path("b.npz"), make_result_set(NAMES, near, labels))


def test_agreement_and_flips_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["parity", "a.npz", "b.npz"]) == 0
    out = capsys.readouterr().out
    assert "98.00 %" in out
    assert "89.5 to 99.6 %" in out
    assert "1 of 50 images of digits changed their class: 1 only A recognizes, 0 only B" in out
    assert "07.png: class 0, A says 0, B 1" in out
    assert "KL divergence" in out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--min-agreement", "98%"], 0, ""),
        (["--min-agreement", "98.1%"], 1, "top-1 agreement 98.00 % is below --min-agreement 98.1 %"),
        (["--min-agreement", "100%"], 1, "below --min-agreement 100.0 %"),
        (["--min-snr", "10"], 0, ""),
        (["--min-snr", "40"], 1, "is below --min-snr 40"),
        (["--min-agreement", "99%", "--min-snr", "40"], 1, "; SNR"),
        (["--min-agreement", "0.98"], 2, "--min-agreement '0.98' is not a percentage"),
        (["--min-agreement", "101%"], 2, "not below 100 %"),
        (["--min-snr", "nan"], 2, "--min-snr nan"),
        (["--match", "sha"], 2, "unknown match: 'sha'"),
    ],
)
def test_limits(options: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["parity", "a.npz", "b.npz", *options]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert bool(captured.out) == (code < 2), "a failed check shows what it found"


def test_identical_outputs_pass_any_limit(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.npz").write_bytes(Path("a.npz").read_bytes())
    assert run(["parity", "a.npz", "c.npz", "--min-agreement", "100%", "--min-snr", "200", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["snr_db"], document["top1_agreement"], document["schema_version"]) == (None, 1.0, 1)


def test_what_is_left_out_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    write_result_set(Path("c.npz"), make_result_set(NAMES[:48], [[0.0, 4.0]] * 48))
    assert run(["parity", "a.npz", "c.npz"]) == 2
    assert "lacks 2 of 50 images: 48.png, 49.png" in capsys.readouterr().err
    assert run(["parity", "a.npz", "c.npz", "--allow-missing"]) == 0
    assert "not in B: 48.png, 49.png" in capsys.readouterr().out
