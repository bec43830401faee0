"""``edgevit schemes``: lists the schemes of each runtime."""

from __future__ import annotations

from edgevit.cli import options


def schemes(as_json: options.Json = False) -> None:
    """List the schemes of each runtime.

    With the kinds of ops that it stores or computes in them.

    \b
    Example:
      edgevit schemes
    """
    from edgevit.backends import all_backends
    from edgevit.cli import terminal
    from edgevit.spec.schemes import SCHEMES

    backends = all_backends()
    if as_json:
        document = [
            {
                "name": scheme.name,
                "description": scheme.description,
                "backends": {b.name: list(b.schemes[scheme.name]) for b in backends if scheme.name in b.schemes},
            }
            for scheme in SCHEMES.values()
        ]
        terminal.print_json(document)
        return
    rows = [
        (scheme.name, backend.name, ", ".join(backend.schemes[scheme.name]) or "–", scheme.description)
        for scheme in SCHEMES.values()
        for backend in backends
        if scheme.name in backend.schemes
    ]
    terminal.print_table(("scheme", "runtime", "kinds of ops", "numbers"), rows, ranks=(0, 0, 0, 1))
