"""Sizes count each file once, and removing never leaves the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgevit.run.leftovers import folder_size, remove_leftovers


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with 1,000 bytes to keep and 300 in ``work``; 20 outside of it."""
    folder = tmp_path / "run"
    for name, size in (("run.json", 400), ("artifacts/a/model.onnx", 600), ("work/a.pt2", 200), ("work/b/c.npy", 100)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    (tmp_path / "outside").write_bytes(bytes(20))
    return folder


def test_work_is_removed_and_all_else_stays(run: Path) -> None:
    assert folder_size(run) == 1300
    assert remove_leftovers(run) == 300
    assert folder_size(run) == 1000
    assert sorted(path.name for path in run.iterdir()) == ["artifacts", "run.json"]
    assert remove_leftovers(run) == 0


def test_half_written_files_are_removed(run: Path) -> None:
    (run / "artifacts" / ".edgevit-00.tmp").write_bytes(bytes(50))
    (run / "top1").mkdir()
    (run / "top1" / ".edgevit-01.tmp").write_bytes(bytes(7))
    assert remove_leftovers(run) == 357
    assert folder_size(run) == 1000


def test_a_file_with_two_names_counts_once(run: Path) -> None:
    os.link(run / "artifacts" / "a" / "model.onnx", run / "artifacts" / "a" / "again.onnx")
    os.link(run / "artifacts" / "a" / "model.onnx", run / "work" / "third.onnx")
    assert folder_size(run) == 1300
    assert remove_leftovers(run) == 300


def test_links_are_removed_and_not_followed(run: Path, tmp_path: Path) -> None:
    outside = tmp_path / "other"
    outside.mkdir()
    (outside / "precious").write_bytes(bytes(5000))
    (run / "work" / "link").symlink_to(outside)
    (run / "work" / "file").symlink_to(tmp_path / "outside")
    (run / "artifacts" / "link").symlink_to(outside)
    assert folder_size(run) < 2000
    remove_leftovers(run)
    assert not (run / "work").exists()
    assert (outside / "precious").stat().st_size == 5000
    assert (tmp_path / "outside").is_file()


def test_a_work_that_is_itself_a_link_goes_without_its_target(run: Path, tmp_path: Path) -> None:
    (run / "work").rename(tmp_path / "elsewhere")
    (run / "work").symlink_to(tmp_path / "elsewhere")
    remove_leftovers(run)
    assert not (run / "work").is_symlink()
    assert (tmp_path / "elsewhere" / "a.pt2").is_file()
