"""Runs code of the user's own: whatever it raises is told as theirs, with their file and line."""

from __future__ import annotations

import contextlib
import os
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from edgevit.errors import EdgevitError, UsageError, first_line


@contextlib.contextmanager
def user_code(doing: str, hint: str | None = None) -> Iterator[None]:
    """Turns any error of a block, and ``sys.exit()``, into a usage error that names the user's own line.

    The block sees no arguments of the command line and an empty standard input.

    Args:
        doing: What is done, such as "calling nets:make".
        hint: What to do; what fits the error when None.

    Raises:
        UsageError: says what was raised, and in which line of which file.
    """
    arguments, stdin = sys.argv, sys.stdin
    try:
        with Path(os.devnull).open(encoding="utf-8") as nothing:
            sys.argv, sys.stdin = arguments[:1], nothing
            yield
    except EdgevitError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{doing}: {_told(error)}{_place(error)}", hint or _hint(error)) from error
    finally:
        sys.argv, sys.stdin = arguments, stdin


def is_installed(file: Path) -> bool:
    """Returns whether a file belongs to Python, to an installed package or to edgevit."""
    return any(file.is_relative_to(folder) for folder in _installed())


def _told(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it calls sys.exit({'' if error.code is None else repr(error.code)})"
    return f"{type(error).__name__}: {first_line(error)}" if str(error).strip() else type(error).__name__


def _place(error: BaseException) -> str:
    """The innermost line of the user's own in a traceback, or the line of a syntax error."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)]
    return f" ({own[-1].filename}, line {own[-1].lineno})" if own else ""


def _is_own(file: str) -> bool:
    return Path(file).is_absolute() and not is_installed(Path(file))


def _hint(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return "let the module do nothing but define functions; run scripts under `if __name__ == '__main__':`"
    if "CUDA" in str(error):
        return 'edgevit runs models on the CPU: load weights with torch.load(file, map_location="cpu")'
    return "it is raised in code that is not edgevit's: correct that line, and try it in Python first"


@lru_cache(maxsize=1)
def _installed() -> tuple[Path, ...]:
    names: list[str] = [*sysconfig.get_paths().values(), *site.getsitepackages(), site.getusersitepackages()]
    folders = [*map(Path, names), Path(__file__).parents[1]]
    found = {folder for folder in folders if folder not in (Path(sys.prefix), Path(sys.base_prefix))}
    return tuple(found | {folder.resolve() for folder in found})
