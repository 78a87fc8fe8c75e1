"""The command line: declares commands, calls one function each, prints. Everything else is imported when needed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import click

from . import __version__
from . import output as say
from .choices import KINDS, PROVIDERS, TARGETS, VARIANTS
from .cli_bundles import diff, list_, report
from .cli_machine import LIMITS, MAX_P99, NO_TUNING, prove, tune
from .cli_options import ANY, AS_JSON, FILE, FOLDER, SECONDS, TAKES, OfThisMachine, Spelled, WithOptions
from .running import fail as _fail
from .running import run as _run
from .running import steps as _progress


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="mlpack")
@click.pass_context
def cli(context: click.Context) -> None:
    """Turns a trained model into a bundle that computes the same anywhere, with the proof inside.

    Begin with: mlpack build model.joblib --example rows.csv
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command(cls=WithOptions)
@click.argument("model", type=ANY, required=False)
@click.option("--example", type=ANY, help="Example inputs: csv, parquet, npz, npy, json, rds, pt; images.")
@click.option("-o", "--output", type=FOLDER, help="The folder for the bundle.  [default: dist]")
@click.option("--name", help="The bundle's name.  [default: the model file's]")
@click.option("--version", "version_", help="The bundle's version.  [default: 1.0.0]")
@click.option("--python", help="The interpreter that the model belongs to.  [default: mlpack's own]")
@click.option("--code", type=FOLDER, multiple=True, help="A folder of your own modules that the model needs.")
@click.option("--target", "targets", multiple=True, help=f"A project to write ({TARGETS}).  [default: all]")
@click.option("--precision", type=click.Choice(["auto", "float32", "float64"]), help="The graph's numbers.")
@click.option("--rtol", type=float, help="Relative tolerance, instead of the type's own.")
@click.option("--atol", type=float, help="Absolute tolerance, instead of the type's own.")
@click.option("--max-p99", multiple=True, metavar="[cpu=]MS", help="Fail if the p99 at batch 1 is above MS.")
@click.option("--allow", multiple=True, metavar="NAME", help="Trust one more name or module of a pickle.")
@click.option("--vendor", is_flag=True, default=None, help="Put the environment's packages into the bundle.")
@click.option("--lock", type=FILE, help="Your own lock file: kept, and compared with the installed packages.")
@click.option("--variant", "variants", multiple=True, help=f"A smaller or faster form, too ({VARIANTS}).")
@TAKES
@click.option(
    "--keep-failed", is_flag=True, default=None, help="Keep graphs, probes and answers if the numbers differ."
)
@click.option("--overwrite", is_flag=True, default=None, help="Replace an older bundle once the new one is complete.")
@click.option("--reuse", is_flag=True, default=None, help="Take the bundle of the same inputs, else replace it.")
@click.option("--config", type=FILE, help="Read these options from a toml file, table [build].")
@AS_JSON
def build(config: Path | None, as_json: bool, settings: Spelled, **options: Any) -> None:
    """Builds a verified bundle from MODEL and example inputs."""
    from .commands.build import build as build_bundle
    from .config import build_request
    from .options import from_text

    made = []

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            made.append(
                build_bundle(build_request(config, options, tuple(from_text(*each) for each in settings)), progress)
            )
        return made[0].to_json()

    _run(work, as_json, lambda facts: say.built(facts, made[0].environment, (*made[0].notes, *made[0].remarks)))
    if as_json:
        for remark in made[0].remarks:
            click.echo(f"mlpack: note: {remark}", err=True)


@cli.command()
@click.argument("bundle", type=ANY)
@click.option(
    "--target",
    "targets",
    multiple=True,
    help=f"Also build this project ({TARGETS}) and replay there.",
)
@click.option("--variant", metavar="NAME", help="Replay only this variant.  [default: each that can run here]")
@click.option("--provider", metavar="NAME", help=f"ONNX Runtime's ({PROVIDERS}).  [default: the variant's own]")
@click.option("--rows", type=FILE, help="The rows of a variant's gate, where the bundle does not have them.")
@AS_JSON
def verify(
    bundle: Path,
    targets: tuple[str, ...],
    variant: str | None,
    provider: str | None,
    rows: Path | None,
    as_json: bool,
) -> None:
    """Checks every digest of BUNDLE, then replays every golden case."""
    from .commands.verify import check_bundle

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            return check_bundle(bundle, targets, provider, progress, variant, rows)

    _run(work, as_json, say.verified)


@cli.command(cls=OfThisMachine)
@click.argument("bundle", type=ANY)
@click.option("--variant", metavar="NAME", help="Measure this variant.  [default: the reference]")
@click.option("--provider", metavar="NAME", help=f"ONNX Runtime's ({PROVIDERS}).  [default: the variant's own]")
@click.option("--against", type=click.Choice(["original", "reference"]), help="Run the original or the reference, too.")
@click.option("--python", help="The original's interpreter.  [default: mlpack's own]")
@click.option("--seconds", type=SECONDS, default=1.0, show_default=True, help="Time for each batch size.")
@MAX_P99
@LIMITS
@click.option("--within", metavar="MS", help="Also measure batch size against p99 and rows/s, and the best within MS.")
@click.option("--allow", multiple=True, metavar="NAME", help="Trust one more name or module of the original's pickle.")
@TAKES
@AS_JSON
def bench(
    bundle: Path,
    variant: str | None,
    provider: str | None,
    against: str | None,
    python: str | None,
    seconds: float,
    max_p99: tuple[str, ...],
    config: Path | None,
    within: str | None,
    allow: tuple[str, ...],
    settings: Spelled,
    as_json: bool,
) -> None:
    """Measures BUNDLE's latency by batch size."""
    from .commands.bench import bench_bundle
    from .latency.limits import milliseconds, of_command_line
    from .options import of_this_machine

    def work() -> dict[str, Any]:
        options, limits = of_this_machine(settings), of_command_line(config, max_p99)
        most = None if within is None else milliseconds(within, f"--within {within}")
        side = against, python or sys.executable, seconds, allow, options
        return bench_bundle(bundle, *side, variant, provider, limits, most)

    _run(work, as_json, say.latency)


@cli.command()
@click.argument("path", type=ANY)
@AS_JSON
def inspect(path: Path, as_json: bool) -> None:
    """Describes a bundle or a model file. Runs and loads nothing."""
    from .commands.inspect import inspect as look

    _run(lambda: look(path), as_json, say.facts)


@cli.command()
@click.argument("bundle", type=ANY)
@click.argument("file", type=ANY)
@click.option("-o", "--output", type=FILE, help="csv, parquet, npz or json, by its suffix.  [default: csv, printed]")
@click.option(
    "--variant",
    metavar="NAME",
    help="Ask this variant.  [default: compiled where it can run here, else the reference]",
)
@NO_TUNING
@AS_JSON
def predict(bundle: Path, file: Path, output: Path | None, variant: str | None, no_tuning: bool, as_json: bool) -> None:
    """Predicts every row of FILE, or every image of a folder, in order."""
    from .commands.predict import predict as answer

    _run(lambda: answer(bundle, file, output, variant, not no_tuning), as_json, lambda facts: None)


@cli.command()
@click.argument("bundle", type=ANY)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0: all.")
@click.option("--port", default=8080, type=click.IntRange(0, 65535), show_default=True, help="0: any free one.")
@click.option("--workers", default=1, type=click.IntRange(1, 256), show_default=True, help="Processes that answer.")
@NO_TUNING
@AS_JSON
def serve(bundle: Path, host: str, port: int, workers: int, no_tuning: bool, as_json: bool) -> None:
    """Serves BUNDLE over HTTP until stopped."""
    from .commands.serve import serve as answer

    def ready(facts: dict[str, Any]) -> None:
        click.echo(
            json.dumps(facts) if as_json else f"{facts['name']} {facts['version']} answers at {facts['address']}"
        )

    tuned = not no_tuning
    _run(lambda: answer(bundle, host, port, workers, ready, tuned), as_json, lambda facts: None, guarded=False)


@cli.command()
@click.argument("bundle", type=ANY)
@click.option("--tag", metavar="NAME:VERSION", help="The image's name.  [default: the bundle's name and version]")
@click.option("--kind", help=f"Image kind ({KINDS}).  [default: oci]")
@click.option("-o", "--output", type=FILE, help="The archive.  [default: NAME-VERSION.tar]")
@click.option(
    "--base",
    metavar="REFERENCE",
    default="debian",
    help="Base image: NAME@sha256:…  [default: debian]",
)
@click.option("--provider", metavar="NAME", help="The provider that answers: cpu, cuda.  [default: cpu]")
@click.option("--no-replay", is_flag=True, help="Do not start the image in a container engine.")
@AS_JSON
def image(
    bundle: Path,
    tag: str | None,
    kind: str | None,
    output: Path | None,
    base: str,
    provider: str | None,
    no_replay: bool,
    as_json: bool,
) -> None:
    """Makes a container image that serves BUNDLE. Replays every golden case against it."""
    from .images import make

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            return make(bundle, tag, kind, output, base, not no_replay, progress, provider)

    _run(work, as_json, say.image)


@cli.command()
@click.argument("bundle", type=ANY)
@click.option("--target", required=True, help=f"The project to write ({TARGETS}).")
@click.option("-o", "--output", type=FOLDER, required=True, help="The project's folder, which must not exist.")
@click.option("--provider", metavar="NAME", help="The provider that it answers on: cpu, cuda.  [default: cpu]")
@click.option("--variant", metavar="NAME", help="An engine of TensorRT, which Triton opens in the graph's place.")
@AS_JSON
def export(bundle: Path, target: str, output: Path, provider: str | None, variant: str | None, as_json: bool) -> None:
    """Writes one target as a stand-alone folder, with the graph."""
    from .commands.export import export as write

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            return write(bundle, target, output, progress, provider, variant)

    _run(work, as_json, say.facts)


@cli.command()
@click.argument("bundle", type=ANY)
@click.option("--variant", default="tensorrt", show_default=True, metavar="NAME", help="The variant that is an engine.")
@click.option("-o", "--output", type=FOLDER, required=True, help="The engine's folder, which must not exist.")
@click.option("--python", help="The interpreter that has TensorRT.  [default: mlpack's own]")
@click.option("--capability", "capabilities", multiple=True, metavar="smNN", help="Make it for this card instead.")
@AS_JSON
def engine(
    bundle: Path, variant: str, output: Path, python: str | None, capabilities: tuple[str, ...], as_json: bool
) -> None:
    """Makes the TensorRT engine of BUNDLE again from its recipe."""
    from .commands.engine import make_again

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            return make_again(bundle, variant, output, python or sys.executable, capabilities, progress)

    _run(work, as_json, say.engine)


@cli.command(cls=OfThisMachine)
@click.argument("bundle", type=ANY)
@click.option("--into", type=FOLDER, required=True, help="The folder for the environment, which must not exist.")
@click.option("--python", help="The interpreter for it.  [default: one of the same version]")
@click.option("--allow", multiple=True, metavar="NAME", help="Trust one more name or module of the original's pickle.")
@TAKES
@AS_JSON
def reproduce(
    bundle: Path, into: Path, python: str | None, allow: tuple[str, ...], settings: Spelled, as_json: bool
) -> None:
    """Rebuilds the original's environment and runs it again. Compares its answers with the recorded ones."""
    from .commands.reproduce import reproduce as again
    from .options import of_this_machine

    def work() -> dict[str, Any]:
        with _progress(as_json) as progress:
            return again(bundle, into, python, allow, progress, of_this_machine(settings))

    _run(work, as_json, say.reproduced)


@cli.command()
@AS_JSON
def doctor(as_json: bool) -> None:
    """Checks your setup. Lists what is installed, what is missing for which feature, and how to install it."""
    from .commands.doctor import doctor as look

    _run(look, as_json, say.doctor)


for command in (prove, tune, list_, report, diff):
    cli.add_command(command)


def main() -> None:
    """The entry point: runs the command, turns errors into exit codes, ends quietly when a pipe is closed."""
    told_to_end = []

    def end(number: int, frame: object) -> None:
        told_to_end.append(number)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _fail({"exit": 2, "kind": "UsageError", "message": error.format_message()}, "--json" in sys.argv)
    except Exception as error:
        if told_to_end:  # a library that is being imported turns the interrupt into an ImportError
            sys.exit(128 + told_to_end[0])
        from .crash import told

        _fail(told(error), "--json" in sys.argv)


if __name__ == "__main__":
    main()
