"""A wrong call in one line: what, its value, what would be right, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from dmm.entrypoints.faults import one_line

R = TypeVar("R")

USAGE = 2
"""Exit code of a call that is wrong itself."""

SHOWN_CHARS_MAX = 120
"""How much of a given value is shown."""


class OneLineGroup(TyperGroup):
    """A group of commands that tells a wrong call as the desk tells every fault: in one line."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the group's own options."""
        return _told(
            lambda: super(OneLineGroup, self).make_context(info_name, args, parent, **extra)
        )

    def invoke(self, ctx: Any) -> Any:
        """Read and run the command."""
        return _told(lambda: super(OneLineGroup, self).invoke(ctx))


def wrong_call_line(error: TyperException) -> str:
    """Return what is wrong with a call, on one line.

    Parameters
    ----------
    error : as the parser raised it
    """
    context = getattr(error, "ctx", None)
    command = "dmm" if context is None else " ".join(["dmm", *context.command_path.split()[1:]])
    return f"{command}: {_what(error)}; {command} --help lists what it takes"


def _what(error: TyperException) -> str:
    given, name = _given(error), _name(error)
    is_named = given is not None and name is not None
    text = one_line(error if is_named else TyperException(error.format_message())).rstrip(".")
    text = text[:1].lower() + text[1:]
    return f"{name} = {given}: {text}" if is_named else text


def _name(error: TyperException) -> str | None:
    parameter = getattr(error, "param", None)
    if parameter is None:
        return None
    options: Sequence[str] = getattr(parameter, "opts", ())
    return next((option for option in options if option.startswith("--")), str(parameter.name))


def _given(error: TyperException) -> str | None:
    """Return the value that was given, which the parser keeps with the cause alone."""
    from pydantic import ValidationError

    if not isinstance(error.__cause__, ValidationError):
        return None
    shown = repr(error.__cause__.errors()[0]["input"])
    return shown if len(shown) <= SHOWN_CHARS_MAX else f"{shown[:SHOWN_CHARS_MAX]}…"


def _told(call: Callable[[], R]) -> R:
    try:
        return call()
    except TyperException as error:
        if error.exit_code != USAGE or _is_help(error):
            raise
        typer.echo(wrong_call_line(error), err=True)
        raise typer.Exit(USAGE) from None


def _is_help(error: TyperException) -> bool:
    """Tell whether nothing was asked for and the help is the answer."""
    return type(error).__name__ == "NoArgsIsHelpError"
