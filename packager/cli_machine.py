"""The commands that prove and tune a bundle on the machine that they run on, and their options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from . import output_machine as say
from .choices import PROVIDERS
from .cli_options import ANY, AS_JSON, FILE, SECONDS, TAKES, OfThisMachine, Spelled
from .running import run, steps

MAX_P99 = click.option(
    "--max-p99",
    multiple=True,
    metavar="[PROVIDER=]MS",
    help="Fail if the p99 at batch 1 is above: 5, 5ms, cuda=800us.",
)
LIMITS = click.option("--config", type=FILE, help="Read such limits from a toml file, too: table [limits].")
NO_TUNING = click.option("--no-tuning", is_flag=True, help="Do not use what mlpack tune chose for this machine.")


@click.command(cls=OfThisMachine)
@click.argument("bundle", type=ANY)
@click.option(
    "--provider", "providers", multiple=True, required=True, metavar="NAME", help=f"ONNX Runtime's ({PROVIDERS})."
)
@click.option("--variant", "variants", multiple=True, metavar="NAME", help="Prove this one.  [default: the reference]")
@click.option("--against", type=click.Choice(["original"]), help="Run the original again, too, and compare with it.")
@click.option("--python", help="The original's interpreter.  [default: mlpack's own]")
@click.option("--allow", multiple=True, metavar="NAME", help="Trust one more name or module of the original's pickle.")
@click.option("--seconds", type=SECONDS, default=0.5, show_default=True, help="Time for each batch size.")
@MAX_P99
@LIMITS
@click.option("--rows", type=FILE, help="The rows of a variant's gate, where the bundle does not have them.")
@TAKES
@AS_JSON
def prove(
    bundle: Path,
    providers: tuple[str, ...],
    variants: tuple[str, ...],
    against: str | None,
    python: str | None,
    allow: tuple[str, ...],
    seconds: float,
    max_p99: tuple[str, ...],
    config: Path | None,
    rows: Path | None,
    settings: Spelled,
    as_json: bool,
) -> None:
    """Proves BUNDLE on this machine's providers. Compares answers, measures latency, adds the proof to the bundle."""
    from .commands.prove import ProveRequest, prove_bundle
    from .latency.limits import of_command_line
    from .options import of_this_machine

    def work() -> dict[str, Any]:
        original = (python or sys.executable, allow, of_this_machine(settings)) if against else None
        chosen = {"variants": variants} if variants else {}
        limits = of_command_line(config, max_p99)
        request = ProveRequest(providers, seconds=seconds, limits=limits, rows=rows, original=original, **chosen)
        with steps(as_json) as progress:
            return prove_bundle(bundle, request, progress)

    run(work, as_json, say.proved)


@click.command()
@click.argument("bundle", type=ANY)
@click.option(
    "--variant",
    metavar="NAME",
    help="Tune this variant.  [default: compiled where it can run here, else the reference]",
)
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="The rows of a request.")
@click.option("--seconds", type=SECONDS, default=20.0, show_default=True, help="Time for all measurements.")
@AS_JSON
def tune(bundle: Path, variant: str | None, batch: int, seconds: float, as_json: bool) -> None:
    """Tunes BUNDLE for this kind of machine. Tries threads, levels and batches within its proof."""
    from .commands.tune import tune_bundle

    def work() -> dict[str, Any]:
        with steps(as_json) as progress:
            return tune_bundle(bundle, variant, batch, seconds, progress)

    run(work, as_json, say.tuned)
