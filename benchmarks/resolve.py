"""Resolves every extra for every platform and Python, without installing: ``make resolve``.

    python -m benchmarks.resolve [--platform NAME] [--python VERSION]

Prints a table, and without options puts it into docs/installing.md. pip chooses wheels for the platform that it is told
(``--platform``), but evaluates environment markers, such as ``sys_platform == 'linux'``, for the machine that it runs on; that is
changed here for its process. ``--dry-run`` downloads the wheels of what it finds, some gigabytes in all, and keeps none of them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.demo_page import DOCS, replaced
from edgevit.spec.toml_files import read_toml

PAGE = DOCS / "installing.md"
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
EXTRAS = (
    "", "onnx", "openvino", "tflite", "report", "compress-onnx", "compress-openvino", "compress-tflite", "compress",
    "train", "search", "cluster", "all",
)  # fmt: skip
"""In the order of the table; "" is the base install."""

_GLIBC_MINORS = range(5, 37)
"""Of glibc 2: up to that of Debian 12."""
_PIP = """
import json, sys
from pip._internal.cli.main import main
from pip._vendor.packaging import markers
here = markers.default_environment
markers.default_environment = lambda: {**here(), **json.loads(sys.argv[1])}
sys.exit(main(sys.argv[2:]))
"""
_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "bytes": 1.0}


@dataclass(frozen=True)
class Platform:
    """What pip has to know of a platform."""

    name: str
    tags: tuple[str, ...]
    """Of the wheels that it takes, see pip's ``--platform``."""
    markers: Mapping[str, str]


def _linux(machine: str) -> tuple[str, ...]:
    return (*(f"manylinux_2_{minor}_{machine}" for minor in reversed(_GLIBC_MINORS)), f"manylinux2014_{machine}")


def _markers(system: str, sys_platform: str, os_name: str, machine: str) -> dict[str, str]:
    return {
        "platform_system": system, "sys_platform": sys_platform, "os_name": os_name, "platform_machine": machine,
    }  # fmt: skip


PLATFORMS = (
    Platform("Linux x86-64", _linux("x86_64"), _markers("Linux", "linux", "posix", "x86_64")),
    Platform("Linux aarch64", _linux("aarch64"), _markers("Linux", "linux", "posix", "aarch64")),
    Platform("macOS arm64", ("macosx_14_0_arm64",), _markers("Darwin", "darwin", "posix", "arm64")),
    Platform("Windows x86-64", ("win_amd64",), _markers("Windows", "win32", "nt", "AMD64")),
)


@dataclass(frozen=True)
class Wheel:
    """A wheel that pip chose."""

    name: str
    """Canonical."""
    size_bytes: float
    requires: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What an extra is on one platform and Python."""

    size_bytes: float = 0.0
    """Of all wheels, to download."""
    left_out: tuple[str, ...] = ()
    """Distributions of the extra that its markers leave out there."""
    failure: str = ""
    """Why pip found no set of versions; "" where it did."""


def requirements_of(extra: str, project: Mapping[str, object]) -> list[str]:
    """Returns what an extra asks for, with the extras that it names replaced by theirs; "" has the base install's.

    Args:
        extra: A name of ``project.optional-dependencies``, or "".
        project: The table ``project`` of pyproject.toml.
    """
    if not extra:
        return list(project["dependencies"])  # type: ignore[call-overload]
    found: list[str] = []
    for text in project["optional-dependencies"][extra]:  # type: ignore[index]
        asked = Requirement(text)
        if asked.name == project["name"]:
            found += [each for name in sorted(asked.extras) for each in requirements_of(name, project)]
        else:
            found.append(text)
    return list(dict.fromkeys(found))


def environment(platform: Platform, python: str) -> dict[str, str]:
    """Returns the values of environment markers on a platform with a version of Python such as "3.12"."""
    return {**platform.markers, "python_version": python, "python_full_version": f"{python}.0"}


def resolve(requirements: Sequence[str], platform: Platform, python: str) -> tuple[Wheel, ...]:
    """Lets pip find versions that go together, and their wheels.

    Raises:
        LookupError: there are none; the message has pip's last errors.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-c", _PIP, json.dumps(environment(platform, python)), "install", "--dry-run", "--ignore-installed",
            "--no-cache-dir", "--use-feature=fast-deps", "--only-binary", ":all:", "--python-version", python, "--implementation",
            "cp", "--target", folder, "--report", str(report), *(f"--platform={tag}" for tag in platform.tags), *requirements,
        ]  # fmt: skip
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            raise LookupError(" ".join(re.findall(r"ERROR: (.+)", found.stderr)) or "pip failed")
        sizes = _downloaded(found.stdout)
        return tuple(_wheels(json.loads(report.read_text(encoding="utf-8"))["install"], sizes))


def _downloaded(output: str) -> dict[str, float]:
    """Bytes of each file, as pip tells them: "Downloading NAME (16.6 MB)"."""
    lines = re.findall(r"Downloading (\S+\.whl) \(([\d.]+) (kB|MB|GB|bytes)\)", output)
    return {name: float(number) * _UNITS[unit] for name, number, unit in lines}


def _wheels(installed: Iterable[Mapping[str, object]], sizes: Mapping[str, float]) -> Iterator[Wheel]:
    for each in installed:
        metadata, url = each["metadata"], urlparse(each["download_info"]["url"])  # type: ignore[index]
        file = Path(unquote(url.path))
        size = float(file.stat().st_size) if url.scheme == "file" else sizes[file.name]
        yield Wheel(canonicalize_name(metadata["name"]), size, tuple(metadata.get("requires_dist", ())))  # type: ignore[index, attr-defined]


def closure(requirements: Iterable[str], wheels: Iterable[Wheel], markers: Mapping[str, str]) -> dict[str, Wheel]:
    """Returns the wheels that requirements need, by name, out of those that pip chose for more of them.

    Args:
        requirements: With markers and extras.
        wheels: A set without gaps.
        markers: Values of the environment markers.
    """
    chosen = {wheel.name: wheel for wheel in wheels}
    open_, seen = [(each, "") for each in requirements], set[tuple[str, str]]()
    needed: dict[str, Wheel] = {}
    while open_:
        text, extra = open_.pop()
        asked = Requirement(text)
        if (text, extra) in seen or (asked.marker and not asked.marker.evaluate({**markers, "extra": extra})):
            continue
        seen.add((text, extra))
        wheel = chosen[canonicalize_name(asked.name)]
        needed[wheel.name] = wheel
        open_ += [(each, name) for name in ("", *asked.extras) for each in wheel.requires]
    return needed


def cells(platform: Platform, python: str, project: Mapping[str, object]) -> dict[str, Cell]:
    """Returns what each of ``EXTRAS`` is on one platform and Python.

    What resolves for all extras together resolves for each: they are tried one by one only where it does not.
    """
    base = requirements_of("", project)
    asked = {extra: [*base, *(requirements_of(extra, project) if extra else ())] for extra in EXTRAS}
    markers = environment(platform, python)
    try:
        everything = resolve(asked["all"], platform, python)
    except LookupError:
        everything = None
    found = {}
    for extra, requirements in asked.items():
        try:
            wheels = closure(requirements, everything or resolve(requirements, platform, python), markers)
        except LookupError as error:
            found[extra] = Cell(failure=str(error))
        else:
            names = (canonicalize_name(Requirement(text).name) for text in requirements[len(base) :])
            left_out = tuple(sorted(name for name in set(names) if name not in wheels))
            found[extra] = Cell(sum(wheel.size_bytes for wheel in wheels.values()), left_out)
    return found


def extras_table(found: Mapping[tuple[str, str], Mapping[str, Cell]]) -> str:
    """Returns the table in Markdown, and what it says of failures and left out parts, by platform and Python."""
    platforms = list(dict.fromkeys(name for name, _ in found))
    lines = [f"| extra | {' | '.join(platforms)} |", "|---|" + "---|" * len(platforms)]
    notes: dict[str, int] = {}

    def note(text: str) -> str:
        return f" [{notes.setdefault(text, len(notes) + 1)}]"

    for extra in EXTRAS:
        row = []
        for platform in platforms:
            by_python = {python: answers[extra] for (name, python), answers in found.items() if name == platform}
            row.append(_shown(by_python, note))
        lines.append(f"| {f'`{extra}`' if extra else 'none'} | {' | '.join(row)} |")
    return "\n".join([*lines, "", *(f"[{number}] {text}  " for text, number in notes.items())]).rstrip()


def _shown(by_python: Mapping[str, Cell], note: object) -> str:
    assert callable(note)
    good = {python: cell for python, cell in by_python.items() if not cell.failure}
    parts = []
    if good:
        sizes = [cell.size_bytes / 1e6 for cell in good.values()]
        text = f"{_range(list(good))}: {_megabytes(min(sizes), max(sizes))}"
        left_out = sorted({name for cell in good.values() for name in cell.left_out})
        parts.append(text + (note(f"without {', '.join(left_out)}: no wheels there") if left_out else ""))
    for python, cell in by_python.items():
        if cell.failure:
            parts.append(f"{python}: no" + note(cell.failure))
    return "; ".join(parts)


def _range(pythons: Sequence[str]) -> str:
    return "3.10–3.13" if tuple(pythons) == PYTHONS else ", ".join(pythons)


def _megabytes(low: float, high: float) -> str:
    return f"{high:.0f} MB" if high - low < 0.05 * high else f"{low:.0f}–{high:.0f} MB"


def main() -> None:
    """Resolves, prints, and rewrites the table in docs/installing.md where everything was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platform", choices=[platform.name for platform in PLATFORMS])
    parser.add_argument("--python", choices=PYTHONS)
    given = parser.parse_args()
    project = read_toml(DOCS.parent / "pyproject.toml")["project"]
    found = {}
    for platform in PLATFORMS:
        for python in PYTHONS:
            if given.platform in (None, platform.name) and given.python in (None, python):
                print(f"{platform.name}, Python {python}", file=sys.stderr, flush=True)
                found[platform.name, python] = cells(platform, python, project)
    text = extras_table(found)
    print(text)
    if given.platform is None and given.python is None:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), "resolve", text), encoding="utf-8")


if __name__ == "__main__":
    main()
