"""A command that refuses what its parser would pass over, an option given twice or an empty value, and groups its options."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from edgevit.errors import UsageError


class StrictCommand(TyperCommand):
    """A command each of whose options is given once, unless it is repeatable, and never empty."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes arguments, then options in their groups (``rich_help_panel``), which Typer does for Rich alone."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": []}
        others: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and parameter.param_type_name == "argument":
                groups["Arguments"].append(record)
            elif record:
                group = getattr(parameter, "rich_help_panel", None)
                (groups.setdefault(group, []) if group else others).append(record)
        for title, records in {**groups, "Options": others}.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses the arguments of the command.

        Raises:
            UsageError: an option that holds one value is given twice, or a value is empty.
        """
        _refuse_empty(args)
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter, count in Counter(given).items():
            if parameter.param_type_name == "option" and count > 1 and not parameter.multiple:
                raise UsageError(f"{max(parameter.opts, key=len)} is given {count} times", "give it once")
        return super().parse_args(ctx, args)


def _refuse_empty(arguments: list[str]) -> None:
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option = argument[:-1] if argument.startswith("--") and argument.endswith("=") else before
        if not argument.strip() or option != before:
            what = f"the value of {option}" if option.startswith("-") else "an argument"
            raise UsageError(f"{what} is empty", "give a value, or leave it out; is a variable of the shell not set?")
