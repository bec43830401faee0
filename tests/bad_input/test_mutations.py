"""Files in which bytes were changed at random: whatever a command makes of them, it is neither a bug nor a crash."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgevit.commands.probes import probe_path
from tests.bad_input.contents import BUDGET, RUN, image, npz, pictures
from tests.bad_input.forks import Forks

_SPEC = (
    'seed = 3\n[model]\nname = "digits_cnn"\n[model.preprocessing]\ncrop_pct = 0.9\n[data]\nevaluation = "digits"\n'
    'samples = 20\n[export]\nbackends = ["onnx"]\nschemes = ["fp32"]\n[budget]\nmax_drop = 1.0\n[measure]\nthreads = 1\n'
)
_LABELS = "file,class_index\n" + "".join(f"{label}.png,{label}\n" for label in range(4))
_IMAGES: dict[str, bytes] = {f"data/{label}.png": image(shade=20 * label + 20) for label in range(4)}


@dataclass(frozen=True)
class Edit:
    """A change of a file's bytes."""

    kind: Literal["replace", "insert", "delete", "cut", "repeat"]
    place: float
    """Of the change, as a share of the length, 0..1."""
    content: bytes

    def apply(self, before: bytes) -> bytes:
        """Returns the bytes after the change."""
        at = int(self.place * len(before))
        head, tail, length = before[:at], before[at:], len(self.content)
        return {
            "replace": head + self.content + tail[length:],
            "insert": head + self.content + tail,
            "delete": head + tail[length:],
            "cut": head,
            "repeat": head + tail[: 8 * length] + tail,
        }[self.kind]


_TEXT = st.sampled_from(
    [b"", b"-", b"9" * 400, b"nan", b"null", b"true", b'"', b"[", b"{", b"\xff", b"\0", b"\n", b"1e999"]
)
EDITS = st.lists(
    st.builds(
        Edit,
        st.sampled_from(["replace", "insert", "delete", "cut", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=8) | _TEXT,
    ),
    min_size=1,
    max_size=3,
)


def mutate(content: bytes, edits: list[Edit]) -> bytes:
    """Returns the bytes after all changes."""
    for edit in edits:
        content = edit.apply(content)
    return content


def check(forks: Forks, command: str, files: dict[str, bytes], changed: str, edits: list[Edit]) -> None:
    """Runs a command on files of which one was changed; it ends in time with a verdict or a message."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "here")
        for name, content in {**files, changed: mutate(files[changed], edits)}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        ended = forks.run(command.split(), folder, {"XDG_STATE_HOME": temporary, "TMPDIR": temporary})
    said = ended.out + ended.err
    assert ended.in_time, said
    assert ended.code in (0, 1, 2), said
    assert ended.code != 2 or ("error: " in ended.err and "hint: " in ended.err), said
    assert "Traceback" not in said
    assert ended.left == ()


QUICK: tuple[tuple[str, str, Callable[[], dict[str, bytes]]], ...] = (
    ("compress spec.toml --dry-run", "spec.toml", lambda: {"spec.toml": _SPEC.encode()}),
    ("gate run.json --budget budget.toml", "budget.toml", lambda: {"run.json": RUN, "budget.toml": BUDGET.encode()}),
    ("gate run.json --budget budget.toml", "run.json", lambda: {"run.json": RUN, "budget.toml": BUDGET.encode()}),
    ("report run.json", "run.json", lambda: {"run.json": RUN}),
    (
        "compress digits_cnn --data data --dry-run",
        "data/labels.csv",
        lambda: {"data/labels.csv": _LABELS.encode(), **_IMAGES},
    ),
    (
        "compress digits_cnn --data data --dry-run",
        "data/2.png",
        lambda: {"data/labels.csv": _LABELS.encode(), **_IMAGES},
    ),
    (
        "compress digits_cnn --data images.npz --dry-run",
        "images.npz",
        lambda: {"images.npz": npz(images=pictures(4), labels=range(4))},
    ),
)
ARTIFACTS = tuple((f"inspect m{suffix}", suffix) for suffix in (".onnx", ".tflite", ".xml"))


@pytest.mark.parametrize(
    ("command", "changed", "files"), QUICK, ids=[f"{command} {name}" for command, name, _ in QUICK]
)
def test_a_changed_file_is_read_or_refused(
    command: str, changed: str, files: Callable[[], dict[str, bytes]], forks: Forks
) -> None:
    @settings(max_examples=6, deadline=None, derandomize=True, database=None)
    @given(EDITS)
    def holds(edits: list[Edit]) -> None:
        check(forks, command, files(), changed, edits)

    holds()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "changed", "files"), QUICK, ids=[f"{command} {name}" for command, name, _ in QUICK]
)
def test_many_changed_files_are_read_or_refused(
    command: str, changed: str, files: Callable[[], dict[str, bytes]], forks: Forks
) -> None:
    @settings(max_examples=100, deadline=None, database=None)
    @given(EDITS)
    def holds(edits: list[Edit]) -> None:
        check(forks, command, files(), changed, edits)

    holds()


@pytest.mark.slow
@pytest.mark.parametrize(("command", "suffix"), ARTIFACTS)
def test_a_changed_artifact_is_read_or_refused(command: str, suffix: str, forks: Forks) -> None:
    probe = probe_path(suffix)
    files = {f"m{suffix}": probe.read_bytes()}
    if suffix == ".xml":
        files["m.bin"] = probe.with_suffix(".bin").read_bytes()

    @settings(max_examples=20, deadline=None, database=None)
    @given(EDITS)
    def holds(edits: list[Edit]) -> None:
        check(forks, command, files, f"m{suffix}", edits)

    holds()


def test_edits_change_bytes_as_they_say() -> None:
    assert Edit("replace", 0.5, b"xy").apply(b"abcdef") == b"abcxyf"
    assert Edit("insert", 0.5, b"xy").apply(b"abcdef") == b"abcxydef"
    assert Edit("delete", 0.5, b"xy").apply(b"abcdef") == b"abcf"
    assert Edit("cut", 0.5, b"xy").apply(b"abcdef") == b"abc"
    assert Edit("repeat", 0.5, b"x").apply(b"abcdef") == b"abcdefdef"
