"""``edgevit doctor``: shows what is installed and what works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgevit.cli import options

if TYPE_CHECKING:
    from edgevit.commands.doctor import Diagnosis


def doctor(as_json: options.Json = False) -> None:
    """Show what is installed and what works.

    Runs a tiny model on every backend, each in a child process. Exit 0 if the base install and at least one
    backend work, 2 otherwise.

    \b
    Example:
      edgevit doctor
    """
    from dataclasses import asdict

    from edgevit.cli import terminal
    from edgevit.commands.doctor import diagnose
    from edgevit.errors import UsageError

    diagnosis = diagnose()
    if as_json:
        terminal.print_json({**asdict(diagnosis), "healthy": diagnosis.healthy})
    else:
        _print(diagnosis)
    if not diagnosis.base_works:
        missing = [package.name for package in diagnosis.packages if package.extra is None and not package.version]
        raise UsageError(f"the base install lacks {', '.join(missing)}", "pip install edgevit")
    if not diagnosis.healthy:
        raise UsageError("no backend works here", "pip install 'edgevit[onnx]'")


def _print(diagnosis: Diagnosis) -> None:
    from edgevit import units
    from edgevit.cli import terminal
    from edgevit.report.machine_text import state_rows

    host = diagnosis.host
    facts = (
        ("edgevit", diagnosis.edgevit_version),
        ("Python", host.python),
        ("OS", host.os),
        ("CPU", f"{host.cpu}, {host.cores} cores"),
        ("instruction sets", ", ".join(host.isa) or "none of interest"),
        ("memory", units.size(host.memory_bytes)),
        ("governor", host.governor),
    )
    terminal.print_table(("host", ""), facts)
    terminal.print_line()
    terminal.print_table(
        ("conditions of a measurement", ""), (*state_rows(diagnosis.machine), ("energy", diagnosis.energy))
    )
    terminal.print_line()
    packages = [
        (package.name, package.version or "not installed", package.extra or "base") for package in diagnosis.packages
    ]
    terminal.print_table(("package", "version", "extra"), packages)
    terminal.print_line()
    rows = [(p.backend, f"{p.runtime} {p.version or ''}".strip(), p.status, p.detail) for p in diagnosis.backends]
    terminal.print_table(("backend", "runtime", "status", "detail"), rows)
    for probe in diagnosis.backends:
        if probe.cannot_make:
            terminal.print_line(probe.cannot_make)
