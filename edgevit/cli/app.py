"""The ``edgevit`` command: its sub-commands, and the one place where errors become messages and exit codes."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from typer.exceptions import TyperException

from edgevit.cli.streams import discard_output, open_streams
from edgevit.cli.strict_command import StrictCommand
from edgevit.errors import EdgevitError, ExitCode, UsageError
from edgevit.units import visible
from edgevit.version import __version__

COMMANDS = (
    ("init", "init"),
    ("recommend", "recommend"),
    ("compress", "compress"),
    ("search", "search"),
    ("export", "export"),
    ("distill", "distill"),
    ("finetune", "finetune"),
    ("quantize", "quantize"),
    ("bench", "bench"),
    ("eval", "evaluate"),
    ("classify", "classify"),
    ("inspect", "inspect"),
    ("profile", "profile"),
    ("reduce-tokens", "reduce_tokens"),
    ("sensitivity", "sensitivity"),
    ("explain", "explain"),
    ("compare", "compare"),
    ("parity", "parity"),
    ("gate", "gate"),
    ("budget", "budget"),
    ("report", "report"),
    ("card", "card"),
    ("clean", "clean"),
    ("worker", "worker"),
    ("cluster", "cluster"),
    ("store", "store"),
    ("models", "models"),
    ("schemes", "schemes"),
    ("profiles", "profiles"),
    ("calibration", "calibration"),
    ("devices", "devices"),
    ("doctor", "doctor"),
    ("schema", "schema"),
)
"""Every command in the order of ``--help``: its name, also that of its module (hyphens become underscores), and the
function or group in it."""

_COMPLETE = "_EDGEVIT_COMPLETE"
"""Variable by which a shell asks for the completion of a command line."""
_BROKEN_PIPE = 141
"""Exit code that shells report for a broken pipe (128 + SIGPIPE); it is no verdict, so neither 0 nor 1."""

_ENVIRONMENT = {
    errno.ENOSPC: "free some space, or give another folder",
    errno.EDQUOT: "free some space, or give another folder",
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`), or give another folder",
    errno.EROFS: "give a folder that can be written",
    errno.EACCES: "give another path, or set the permissions it needs",
    errno.EPERM: "give another path, or set the permissions it needs",
    errno.ENOENT: "make it, or give another path",
    errno.ENOTDIR: "give another path",
    errno.EISDIR: "give another path",
    errno.EEXIST: "give another path, or remove what is there",
    errno.ELOOP: "correct the links, or give another path",
    errno.ENAMETOOLONG: "give a shorter path",
    errno.ENXIO: "give another path: nothing can be read or written there",
    errno.ENODEV: "give another path: nothing can be read or written there",
    errno.EIO: "check the disk, or give another folder",
    errno.ESTALE: "mount the folder anew, or give another",
    errno.EMFILE: "raise the limit on open files: `ulimit -n 1024`",
    errno.ENFILE: "end other programs, or raise the system's limit on open files",
    errno.ENOMEM: "end other programs, or use a machine with more memory",
    errno.EAGAIN: "end other programs, or raise the limit on processes (`ulimit -u`)",
}
"""Errors of the system that come from the machine's state, not from a bug, each with what to do."""


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end; everything is cleaned up as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def main() -> None:
    """Runs the command line of this process and exits with its code."""
    if _COMPLETE in os.environ:
        make_app()(prog_name="edgevit")  # answers the shell, and ends the process
    try:
        open_streams()
    except UsageError as error:
        code = _report(error)
    else:
        _end_cleanly_on_signals()
        os.environ.setdefault(
            "PYDANTIC_DISABLE_PLUGINS", "__all__"
        )  # to look for them, it reads what every package says of itself
        code = run(sys.argv[1:])
    discard_output()
    sys.exit(code)


def _end_cleanly_on_signals() -> None:
    """Lets SIGTERM and SIGHUP do what Ctrl-C does; one that the caller has ignored, as nohup does, stays ignored."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
    raise Stopped(number)


def run(arguments: Sequence[str]) -> int:
    """Runs one command line.

    Args:
        arguments: Arguments without the name of the program.

    Returns:
        The exit code: an :class:`ExitCode`, 141 for a broken pipe, or 128 and the number of the signal that ended it.
        Nothing is raised.
    """
    try:
        try:
            code = _invoke(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            discard_output()
            return _BROKEN_PIPE
        except Stopped as stop:
            _print_message(f"stopped by {signal.Signals(stop.number).name}")
            return 128 + stop.number
        except KeyboardInterrupt:
            _print_message("interrupted")
            return ExitCode.INTERRUPTED
        except TyperException as error:
            message, hint = error.format_message().replace("Value error, ", ""), _usage_hint(error)
            return _report(UsageError(message[:1].lower() + message[1:].rstrip("."), hint))
        except EdgevitError as error:
            return _report(error)
        except Exception as error:  # noqa: BLE001  anything else is a bug, and has to exit as one
            known = _environment_error(error)
            return _report(known) if known else _report_bug(error, arguments)
    except BrokenPipeError:  # while an error was being reported
        discard_output()
        return _BROKEN_PIPE
    return code


def make_app(only: str | None = None) -> typer.Typer:
    """Builds the application from ``COMMANDS``.

    Args:
        only: The one command that it has to have, which is faster; all when None.
    """
    app = typer.Typer(
        name="edgevit",
        rich_markup_mode=None,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        epilog="Exit codes: 0 done or within budget, 1 a check failed, 2 bad usage, file or environment,"
        " 3 a bug in edgevit, 130 interrupted, 143 or 129 stopped by SIGTERM or SIGHUP.",
    )
    app.callback()(_root)
    for name, attribute in COMMANDS:
        if only not in (None, name):
            continue
        command = getattr(importlib.import_module(f"edgevit.cli.{name.replace('-', '_')}"), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=StrictCommand)(command)
    return app


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"edgevit {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """From a PyTorch vision model to the fastest artifact that meets a budget on the device you ship.

    \b
    Start here:
      edgevit doctor
      edgevit compress digits_vit --out run
      edgevit gate run --budget budget.toml
    """


def _invoke(arguments: Sequence[str]) -> int:
    """Runs the command and returns its exit code; Typer's own wrapper would turn a broken pipe into exit 1."""
    first = arguments[0] if arguments else None
    command = typer.main.get_command(make_app(first) if first in dict(COMMANDS) else make_app())
    try:
        with command.make_context("edgevit", list(arguments)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    return ExitCode.DONE


def _report(error: EdgevitError) -> int:
    _print_message(f"error: {error.message}")
    if error.hint:
        _print_message(f"hint: {error.hint}")
    return error.exit_code


def _usage_hint(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    extra = re.search(r"unexpected extra arguments?(?:\(s\))? \(([\d. ,e+-]+)\)", error.format_message(), re.IGNORECASE)
    if extra:
        return "several numbers of one option are one word: --mean 0.485,0.456,0.406, with commas and without spaces"
    return f"see `{context.command_path if context else 'edgevit'} --help`"


def _has_current_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def _environment_error(error: Exception) -> EdgevitError | None:
    """The error for what the machine lacks (space, permissions or an optional package), or None for anything else."""
    if isinstance(error, FileNotFoundError) and not _has_current_folder():
        return UsageError("the current folder was removed", "change to another: cd FOLDER")
    if isinstance(error, OSError) and error.errno in _ENVIRONMENT:
        where = f": {error.filename}" if error.filename else ""
        what = os.strerror(error.errno).lower() if error.filename else error.strerror or os.strerror(error.errno)
        return UsageError(f"{what[:1].lower()}{what[1:]}{where}", _ENVIRONMENT[error.errno])
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):  # of Path.resolve
        return UsageError(f"{str(error)[:1].lower()}{str(error)[1:]}", _ENVIRONMENT[errno.ELOOP])
    if isinstance(error, MemoryError):
        return UsageError("there is not enough memory", _ENVIRONMENT[errno.ENOMEM])
    if isinstance(error, ImportError):
        from edgevit.run.packages import import_failure

        return import_failure(error)
    return None


def _report_bug(error: Exception, arguments: Sequence[str]) -> int:
    _print_message(f"error: edgevit failed unexpectedly: {type(error).__name__}: {error}")
    log = _write_log(error, arguments)
    if log:
        _print_message(f"hint: this is a bug in edgevit; please report it with {log}")
    else:
        _print_message("hint: this is a bug in edgevit; no log could be written, so the traceback follows")
        traceback.print_exception(error)
    return ExitCode.BUG


def _write_log(error: Exception, arguments: Sequence[str]) -> Path | None:
    """Writes the traceback to a log file and returns its path; None when no folder can be written."""
    head = f"edgevit {__version__}\nPython {sys.version}\narguments: {list(arguments)}\n\n"
    text = head + "".join(traceback.format_exception(error))
    for folder in _log_folders():
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix="edgevit-", suffix=".log", dir=folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="replace") as stream:
                stream.write(text)
            return Path(name)
    return None


def _log_folders() -> Iterator[Path]:
    state = os.environ.get("XDG_STATE_HOME")
    if state:
        yield Path(state) / "edgevit"
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())


def _print_message(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)
