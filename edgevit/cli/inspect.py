"""``edgevit inspect``: what is in an artifact."""

from __future__ import annotations

from edgevit.cli import options


def inspect(artifact: options.ArtifactFile, as_json: options.Json = False) -> None:
    """Show an artifact's ops, MACs, parameters and size.

    Also the share of the MACs that is int8, and what the file says of its use.

    \b
    Example:
      edgevit inspect run/artifacts/litert/dynamic_wi8_afp32/dense/model.tflite
    """
    from edgevit.cli import render, terminal
    from edgevit.commands.inspect import inspect_file
    from edgevit.results.document import to_document

    summary = inspect_file(artifact)
    if as_json:
        terminal.print_json(to_document(summary))
    else:
        render.print_summary(summary)
