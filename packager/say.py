"""What `mlpack build` prints for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


def say_built(facts: dict[str, Any], environment: dict[str, Any], notes: Sequence[str]) -> None:
    """Prints the facts of a finished bundle."""
    proof, latency = facts["verification"], facts["latency"]
    click.echo(f"{facts['bundle']}")
    click.echo(f"  identity   {facts['identity']}")
    click.echo(f"  equal      {proof['rows']} probe rows, {proof['precision']}, no difference beyond the tolerance")
    speed = ", ".join(f"{ratio:g}x at batch {batch}" for batch, ratio in latency["speedup"].items())
    click.echo(f"  speed      {speed} (original's median over the graph's, 1 thread)")
    single = min(latency["graph"], key=lambda each: each["batch"])
    p99 = single.get("best_p99_ms", single["p99_ms"])
    click.echo(f"  latency    p50 {single['p50_ms']:g} ms, p99 {p99:g} ms at batch {single['batch']:g}")
    click.echo(f"  locked     {_locked(environment)}")
    click.echo(f"  report     {facts['bundle']}/reports/report.html")
    for note in notes:
        click.echo(f"  note       {note}")


def _locked(environment: dict[str, Any]) -> str:
    """How many distributions are proved; by reason, those that the model needs and that are not; where a lock of the
    user's own says otherwise."""
    reasons: dict[str, list[str]] = {}
    needed = environment["needed"]
    doubts = environment["unproved"]
    for each in doubts:
        if each["name"] in needed:
            reasons.setdefault(each["why"], []).append(each["name"])
    lines = [f"not proved: {_some(names)} ({why})" for why, names in reasons.items()]
    if given := environment.get("given"):
        lines += [f"{given['file']}: {each['name']} {each['kind']}" for each in given["differences"]]
    kept = ", packages in the bundle" if environment["vendored"] else ""
    others = "" if reasons or not doubts else ", all that the model is known to need among them"
    count = environment["distributions"]
    return "\n             ".join([f"{count - len(doubts)} of {count} distributions proved{others}{kept}", *lines])


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 6 else f"{', '.join(names[:3])} and {len(names) - 3} more"
