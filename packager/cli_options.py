"""What commands share: kinds of paths, `--json`, and the options of frameworks: `-O`, the older spellings, and their
lines in `--help`.

Frameworks are imported only when a command with such options is parsed or explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

ANY = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
SECONDS = click.FloatRange(min=0, min_open=True)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
TAKES = click.option(
    "-O",
    "--option",
    "settings",
    multiple=True,
    metavar="FRAMEWORK.NAME=VALUE",
    help="An option of the model's framework, of those below.",
)
_META = "mlpack.settings"
_VALUES = {
    "text": "TEXT",
    "number": "NUMBER",
    "flag": "true|false",
    "file": "FILE",
    "program": "PROGRAM",
    "pair": "NAME=VALUE",
    "function": "MODULE:FUNCTION",
}
"""By kind of option, the name of its value in `--help`."""
Spelled = tuple[tuple[str, str], ...]
"""Texts of `-O`, each with the older spelling that the user wrote, or an empty text."""


class WithOptions(click.Command):
    """A command whose `settings` are the options of frameworks: the texts of `-O`, then the older spellings."""

    scopes: Sequence[str] = ()
    """Those that the command takes; none: all."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own, and the older spellings."""
        return [*super().get_params(ctx), *(_older(spelling) for spelling in self._spellings())]

    def _spellings(self) -> list[str]:
        from .declared import old_spellings

        return [s for s, (_, option) in old_spellings().items() if not self.scopes or option.scope in self.scopes]

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command with all of them in `settings`, as texts of `-O` and how they were spelled."""
        texts = [(text, "") for text in ctx.params["settings"]]
        ctx.params["settings"] = (*texts, *ctx.meta.get(_META, ()))
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of the command, then those of each framework."""
        from .declared import declared

        super().format_options(ctx, formatter)
        rows = [
            (f"{name}.{o.name}={_VALUES[o.kind]}", o.help + (f"  [also {o.old_spelling}]" if o.old_spelling else ""))
            for name, options in declared().items()
            for o in options
            if not self.scopes or o.scope in self.scopes
        ]
        if rows:
            with formatter.section("Options of frameworks and variants (-O)"):
                formatter.write_dl(rows)


class OfThisMachine(WithOptions):
    """The same for a command that runs the original of a bundle again."""

    scopes = ("machine",)


def _older(spelling: str) -> click.Option:
    from .declared import old_spellings

    framework, option = old_spellings()[spelling]

    def note(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        given = value if option.repeatable else () if value is None else (value,)
        texts = [(f"{framework}.{option.name}={each}", f"{spelling} {each}") for each in given]
        ctx.meta.setdefault(_META, []).extend(texts)

    return click.Option(
        [spelling], hidden=True, expose_value=False, multiple=option.repeatable, callback=note, help=option.help
    )
