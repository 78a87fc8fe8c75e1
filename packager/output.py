"""Prints each command's results for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from .errors import printable


def built(facts: dict[str, Any], environment: dict[str, Any], notes: Sequence[str]) -> None:
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
    for each in filter(lambda each: each["shipped"], facts.get("variants", ())):
        click.echo(printable(f"  variant    {_variant(each)}"))
    click.echo(f"  locked     {_locked(environment)}")
    click.echo(f"  report     {facts['bundle']}/evidence/report.html")
    for note in notes:
        click.echo(f"  note       {note}")


def _variant(each: dict[str, Any]) -> str:
    """What was proved of a variant, its size and its speed."""
    gate, size = each["gate"], f"{each['bytes'] / max(1, each['parent']['bytes']):.0%} of the bytes"
    if each["verdict"] == "not proved":
        return f"{each['variant']}: not proved here, {size}"
    held = f"{gate['metric']} {gate['value']:.6g} on {gate['rows']} rows" if gate else "equal on every probe"
    speed = ", ".join(f"{one['speedup']:g}x at batch {one['batch']:g}" for one in each["latency"])
    return f"{each['variant']}: {held}, {size}, {speed}"


def latency(facts: dict[str, Any]) -> None:
    """Prints the measurements of `mlpack bench`."""
    threads = f"{facts['threads']} thread{'s' if facts['threads'] > 1 else ''}"
    click.echo(f"{facts['machine']['cpu']}, {threads}, {facts['provider']}")
    names = {"graph": facts.get("variant", "graph"), "original": facts.get("against", "original")}
    for side, name in names.items():
        for b in facts[side]:
            click.echo(
                f"  {name:9} batch {b['batch']:>5}  p50 {b['p50_ms']:9.4f} ms  p99 {b['p99_ms']:9.4f} ms  "
                f"{b['rows_per_second']:>12,.0f} rows/s" + _bound(b)
            )
    if "throughput" in facts:
        from .output_machine import curve_words, point

        for line in (*map(point, facts["throughput"]["points"]), *curve_words(facts["throughput"])):
            click.echo(f"  {line.strip()}")


def _bound(b: dict[str, Any]) -> str:
    return f"  bound p50 {b['bound_p50_ms']:.4f} ms" if "bound_p50_ms" in b else ""


def facts(facts: dict[str, Any]) -> None:
    """Prints facts by name, with one line per item of a list or group."""
    for name, value in facts.items():
        if isinstance(value, (list, dict)) and not value:
            click.echo(f"{name}: none")
        elif isinstance(value, list):
            click.echo(f"{name}:")
            for each in value:
                click.echo(printable(f"  {each}"))
        elif isinstance(value, dict):
            click.echo(f"{name}:")
            for key, names in value.items():
                click.echo(printable(f"  {key}: {', '.join(names)}"))
        else:
            click.echo(printable(f"{name}: {value}"))


def engine(facts: dict[str, Any]) -> None:
    """Prints what an engine that was made again is."""
    recipe, same = facts["recipe"], "the same bytes as" if facts["same"] else "other bytes than"
    click.echo(f"{facts['folder']}")
    click.echo(f"  engine     sha256:{facts['sha256']}, {same} the bundle's")
    click.echo(f"  TensorRT   {recipe['version']} ({recipe['flavour']}), for {', '.join(recipe['capabilities'])}")


def _locked(environment: dict[str, Any]) -> str:
    """The number of proved distributions; by reason, the needed ones that are not proved; differences from the user's
    own lock."""
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
    others = "" if reasons or not doubts else ", including all that the model is known to need"
    count = environment["distributions"]
    return "\n             ".join([f"{count - len(doubts)} of {count} distributions proved{others}{kept}", *lines])


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) < 6 else f"{', '.join(names[:3])} and {len(names) - 3} more"


_SPOKEN = {
    "tokenizer": "{} texts became the recorded ids",
    "chat": "{} chats became the recorded texts",
    "sequences": "{} texts continued with the recorded ids",
}


def verified(facts: dict[str, Any]) -> None:
    """Prints the numbers of checked files and golden cases, by place."""
    click.echo(f"{facts['bundle']} is as it was built ({facts['files']} files, {facts['identity']})")
    for place, cases in facts["golden"].items():
        held = facts["gates"].get(place.partition(" on ")[0])
        click.echo(f"  {place}: {cases} golden cases answered {_held(held)}")
    for part, count in facts.get("text", {}).items():
        click.echo(printable(f"  {part}: {_SPOKEN[part].format(count) if isinstance(count, int) else count}"))
    for name, why in facts["not_replayed"].items():
        click.echo(printable(f"  {name}: not replayed here: {why}"))
    if proof := facts.get("proof"):
        click.echo(printable(f"  {_proof(proof)}"))
    if added := facts["evidence"]["added"]:
        click.echo(printable(f"  outside the identity, added after the build: {', '.join(added)}"))


def _proof(proof: dict[str, Any]) -> str:
    """Where the nodes ran, how far the answers are from the CPU's, and where the proof is."""
    ran = ", ".join(f"{count} on {name}" for name, count in proof["nodes"].items())
    apart = ", ".join(f"{name} {value:.3g}" for name, value in proof["from_cpu"].items()) or "no output of floats"
    place = proof.get("file") or proof["not_written"]
    return f"nodes: {ran}; largest difference from the CPU: {apart}; proof: {place}"


def _held(gate: dict[str, Any] | None) -> str:
    """How the answers were held: to the original's, or by a gate."""
    if gate is None:
        return "as the original did"
    if "not_held" in gate:
        return f"with finite numbers; the gate was not held again: {gate['not_held']}"
    limit = f"{gate['metric']} {gate['value']:.6g}, limit {gate['limit']:g}"
    return f"with finite numbers; the gate holds on {gate['rows']} rows ({limit})"


def reproduced(facts: dict[str, Any]) -> None:
    """Prints how the original answered in the rebuilt environment."""
    golden, found = facts["golden"], facts["interpreter"]
    what = f"{found['implementation'].replace('CPython', 'Python')} {found['found']}"
    click.echo(f"{facts['environment']}: {what}, {facts['distributions']} distributions as recorded")
    click.echo(f"  {golden['same_bits']} of {golden['cases']} golden cases: the original answers with the same bits")
    if golden["within_tolerance"]:
        click.echo(
            f"  {golden['within_tolerance']} equal within the tolerance, with other bits{_why_bits(facts['kernels'])}"
        )
    for each in facts["differs"]:
        click.echo(f"  not as recorded: {each}")


def _why_bits(kernels: dict[str, str]) -> str:
    if kernels["recorded"] == kernels["present"]:
        return ""
    return f": another processor or linear algebra kernel ({kernels['present']}; recorded: {kernels['recorded']})"


def image(facts: dict[str, Any]) -> None:
    """Prints the image, its size, and the result of the replay in a container."""
    click.echo(facts["archive"] or facts["tag"])
    for name in ("tag", "image", "digest"):
        if facts[name]:
            click.echo(f"  {name:10} {facts[name]}")
    click.echo(f"  size       {facts['unpacked'] / 1e6:.1f} MB unpacked, {len(facts['layers'])} layers")
    done = facts["replayed"]
    if done is None:
        click.echo(f"  replayed   nothing: {facts['why']}")
    else:
        first = f"first answer after {done['first_answer_s']:.2f} s"
        click.echo(f"  replayed   {done['cases']} golden cases over HTTP in engine {done['engine']}, {first}")


def diff(facts: dict[str, Any]) -> None:
    """Prints the differences between two bundles."""
    from .diff.text import lines

    for line in lines(facts):
        click.echo(printable(line))


def bundles(facts: dict[str, Any]) -> None:
    """Prints a line for each bundle."""
    if not facts["bundles"]:
        click.echo(f"no bundle below {facts['folder']}")
    for each in facts["bundles"]:
        if "problem" in each:
            click.echo(printable(f"{each['bundle']}  cannot be read: {each['problem']}"))
            continue
        proved = f"{each['verdict']} on {each['rows']} rows, {each['framework']}"
        more = f", variants: {', '.join(each['variants'][1:])}" if each["variants"][1:] else ""
        click.echo(printable(f"{each['bundle']}  {each['identity'][:19]}  {proved}{more}"))


def doctor(facts: dict[str, Any]) -> None:
    """Prints the checks, each with the command that installs a missing part."""
    for each in facts["checks"]:
        mark = "ok     " if each["found"] else "missing"
        mend = "" if each["found"] else f"\n          {each['mend']}"
        click.echo(f"{mark} {each['name']:14} {each['for']}{': ' + each['found'] if each['found'] else ''}{mend}")
