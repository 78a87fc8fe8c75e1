"""Prints for people what was proved and measured on this machine."""

from __future__ import annotations

from typing import Any

import click

from .errors import printable

RECORDED = "the original's recorded answers"


def proved(facts: dict[str, Any]) -> None:
    """Prints the proofs of `mlpack prove`: where the nodes ran, how far apart the answers are, the latency."""
    click.echo(f"{facts['bundle']} is as it was built ({facts['files']} files, {facts['identity']})")
    for proof in facts["proofs"]:
        for line in _proof(proof):
            click.echo(printable(line))
    if page := facts.get("page"):
        click.echo(printable(f"all proofs: {facts['bundle']}/{page}"))


def _proof(proof: dict[str, Any]) -> list[str]:
    ran = ", ".join(f"{count} on {name}" for name, count in proof["nodes"].items())
    gpus = [each["name"] for each in proof.get("gpus", ()) if "name" in each]
    versions = ", ".join(f"{name} {value}" for name, value in proof["versions"].items())
    return [
        f"{proof['variant']} on {proof['provider']}: {proof['golden']} golden cases answered within the proof",
        f"  machine    {', '.join([*gpus, proof['machine']['cpu']])}; {versions}",
        f"  nodes      {ran}",
        *(f"  from {_short(name):17} {_apart(found)}" for name, found in proof["apart"].items()),
        *_latency(proof),
        f"  proof      {proof.get('file') or proof['not_written']}",
    ]


def _short(name: str) -> str:
    return {RECORDED: "original, recorded", "the original": "original, again"}.get(name, name)


def _apart(found: dict[str, Any]) -> str:
    """The largest difference of each output, and where it is."""
    words = []
    for name, value in found["largest"].items():
        place = found["where"].get(name)
        where = f" ({place['case']}, {place['index']}: {place['first']:.9g} and {place['second']:.9g})" if place else ""
        words.append(f"{name} {value:.3g}{where}")
    words += [f"{name} differs at {count} places" for name, count in found["differing"].items()]
    words += [f"{name} is finite on one side at {count} places" for name, count in found["finite_on_one_side"].items()]
    return "; ".join(words) or f"equal at all {found['numbers']} places"


def _latency(proof: dict[str, Any]) -> list[str]:
    """A line for each batch size, the CPU's beside it."""
    cpu = {p["batch"]: p for p in proof["cpu"]["latency"]["points"]} if "cpu" in proof else {}
    lines = [f"  {point(p)}{_beside(p, cpu.get(p['batch']))}" for p in proof["latency"]["points"]]
    return [*lines, *curve_words(proof["latency"])]


def point(p: dict[str, Any]) -> str:
    """One batch size of a curve."""
    copies = p.get("copy_there_p50_ms", 0.0) + p.get("copy_back_p50_ms", 0.0)
    bound = f"  bound p50 {p['bound_p50_ms']:.4f} ms" if "bound_p50_ms" in p else ""
    moved = f"  copies {copies:.4f} ms" if "copy_there_p50_ms" in p else ""
    return (
        f"batch {p['batch']:>6}  p50 {p['p50_ms']:9.4f} ms  p90 {p['p90_ms']:9.4f} ms  p99 {p['p99_ms']:9.4f} ms  "
        f"{p['rows_per_second']:>12,.0f} rows/s{bound}{moved}"
    )


def _beside(p: dict[str, Any], cpu: dict[str, Any] | None) -> str:
    if cpu is None or not p["p50_ms"]:
        return ""
    return f"  cpu p50 {cpu['p50_ms']:.4f} ms ({cpu['p50_ms'] / p['p50_ms']:.2f}x)"


def curve_words(curve: dict[str, Any]) -> list[str]:
    """The largest batch, and the most rows per second within the limit."""
    best, limit = curve["best"], curve["limit_ms"]
    within = f" with a p99 within {limit:g} ms" if limit is not None else ""
    most = (
        f"{best['rows_per_second']:,.0f} rows/s at batch {best['batch']}{within}" if best else f"no batch size{within}"
    )
    largest = curve["largest"]
    return [f"  largest    batch {largest['batch']} ({largest['why_not_larger']})", f"  most       {most}"]


def tuned(facts: dict[str, Any]) -> None:
    """Prints what `mlpack tune` tried and chose."""
    kind = facts["kind_of_machine"]
    click.echo(
        printable(
            f"{facts['variant']}, batch {facts['batch']}: {kind['cpu']}, {kind['cores_usable']} processors, "
            f"ONNX Runtime {kind['onnxruntime']}"
        )
    )
    for each in facts["tried"]:
        speed = f"{each['p50_ms']:.4f} ms, {each['speedup']:.2f}x" if each["p50_ms"] else "not measured"
        why = "taken" if each["taken"] else each["why"]
        click.echo(printable(f"  {tuning_words(each['tuning']):52} {speed:20} {why}"))
    for line in curve_words(facts["throughput"]):
        click.echo(line)
    click.echo(f"  chosen     {tuning_words(facts['choice'])}, {facts['choice']['batch']} rows in a run of predict")
    click.echo(printable(f"  evidence   {facts.get('file') or facts['not_written']}"))


def tuning_words(choice: dict[str, Any]) -> str:
    """A choice in words."""
    spinning = ", spinning" if choice["spinning"] else ""
    return f"threads {choice['threads']}, nodes at a time {choice['inter']}, level {choice['level']}{spinning}"
