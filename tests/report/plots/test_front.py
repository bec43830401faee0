"""The picture is drawn for every run that has something to draw."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from edgevit.errors import DiskFull, UsageError
from edgevit.report import write_report
from edgevit.report.plots.front import can_draw, draw_front
from edgevit.results.run import Baseline, Run
from tests.factories import make_candidate, make_realistic_run, make_run, make_timed_run

pytest.importorskip("matplotlib")
PNG = b"\x89PNG\r\n"


def many() -> Run:
    made = [
        make_candidate(f"{backend}/{scheme}/evit-0.{ratio}-4-7-10", p50_ms=8 + 1.5 * ratio + 20 * (scheme == "fp32"))
        for backend in ("litert", "openvino", "onnxruntime")
        for scheme in ("fp32", "dynamic_wi8_afp32")
        for ratio in (6, 7, 8, 9)
    ]
    return make_run(*made)


@pytest.mark.parametrize(
    "run",
    [
        make_run(),
        make_realistic_run(),
        make_realistic_run(labels=False),
        many(),
        make_run(make_candidate(p50_ms=0.02), make_candidate("litert/fp32", p50_ms=90.0)),
        make_run(make_candidate(top1=0.0), selected=None),
        make_run(make_candidate("an/unknown-backend")),
        make_timed_run("raspberry-pi-5"),
        make_run(spec={}, baseline=Baseline(None, None, 0, 0, 0, None)),
    ],
    ids=["one", "realistic", "no labels", "many", "log scale", "no accuracy left", "other backend", "device", "bare"],
)
def test_it_draws(run: Run, tmp_path: Path) -> None:
    draw_front(run, tmp_path / "report.png")
    assert (tmp_path / "report.png").read_bytes().startswith(PNG)
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]


def test_the_same_run_gives_the_same_picture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        draw_front(make_realistic_run(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_draw_is_an_error_and_no_file(tmp_path: Path) -> None:
    run = make_run(make_candidate(p50_ms=None))
    assert not can_draw(run)
    with pytest.raises(UsageError, match="nothing to draw"):
        draw_front(run, tmp_path / "report.png")
    assert not list(tmp_path.iterdir())


def test_a_report_is_a_page_and_a_picture(tmp_path: Path) -> None:
    page = write_report(make_realistic_run(), tmp_path / "new" / "folder")
    assert sorted(path.name for path in page.parent.iterdir()) == ["report.md", "report.png"]


def test_a_report_without_measurements_is_a_page(tmp_path: Path) -> None:
    page = write_report(make_run(make_candidate(p50_ms=None)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert "report.png" not in page.read_text(encoding="utf-8")


def test_a_report_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> str:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("edgevit.report.render_markdown", fail)
    with pytest.raises(DiskFull, match=r"cannot write .*report.md: the disk of / is full"):
        write_report(make_realistic_run(), tmp_path / "new")
    (tmp_path / "old").mkdir()
    with pytest.raises(DiskFull):
        write_report(make_realistic_run(), tmp_path / "old")
    assert [path.name for path in tmp_path.rglob("*")] == ["old"]
