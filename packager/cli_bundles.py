"""The commands that look at bundles without running a model: list, report, diff."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import output as say
from .cli_options import ANY, AS_JSON, FILE
from .running import run


@click.command("list")
@click.argument("folder", type=ANY, default=Path())
@AS_JSON
def list_(folder: Path, as_json: bool) -> None:
    """Lists the bundles below FOLDER with what was proved of them.  [default: the present folder]"""
    from .commands.listing import list_bundles

    run(lambda: list_bundles(folder), as_json, say.bundles)


@click.command()
@click.argument("bundle", type=ANY)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@AS_JSON
def report(bundle: Path, show: bool, as_json: bool) -> None:
    """Prints where the report of BUNDLE is, once its digest is checked."""
    from .commands.listing import report_of

    run(lambda: report_of(bundle, show), as_json, lambda facts: click.echo(facts["report"]))


@click.command()
@click.argument("a", type=ANY)
@click.argument("b", type=ANY)
@click.option(
    "--gate", type=click.Choice(["same", "answers"]), help="Exit 5 unless the bundles are the same, or answer alike."
)
@click.option("--html", type=FILE, help="Write the comparison as a page, too.")
@AS_JSON
def diff(a: Path, b: Path, gate: str | None, html: Path | None, as_json: bool) -> None:
    """Shows the changes from bundle A to bundle B. Compares environment, signature, graph and answers."""
    from .diff import diff as compare
    from .diff.verdict import check_gate

    def work() -> dict[str, Any]:
        facts = compare(a, b)
        if html is not None:
            from .diff.page import write_page

            write_page(facts, html)
        if gate is not None and not as_json:
            say.diff(facts)
        check_gate(facts, gate)
        return facts

    run(work, as_json, lambda facts: None if gate is not None else say.diff(facts))
