"""Formats the facts of `mlpack diff` for people, one line per difference."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..equivalence.comparison import LARGEST
from ..errors import printable
from .verdict import WORDS

SHOWN = 5
LONGEST = 60
Facts = Mapping[str, Any]


def lines(facts: Facts) -> Iterator[str]:
    """The lines in the order of the facts, with control characters escaped."""
    if facts["same"]:
        yield printable(f"no differences: both are {_title(facts['a'])}")
        return
    for side in ("a", "b"):
        yield printable(f"{side.upper()}  {_title(facts[side])}")
    yield f"=> {facts['verdict']}: {WORDS[facts['verdict']]}"
    for name, found in parts(facts).items():
        yield from [name, *(f"  {line}" for line in found)]


def parts(facts: Facts) -> dict[str, list[str]]:
    """The lines of each part in which the bundles differ, and of the answers."""
    found = {name: [printable(line) for line in part(facts[name])] for name, part in PARTS.items()}
    return {name: lines for name, lines in found.items() if lines}


def _title(side: Facts) -> str:
    return f"{side['name']} {side['version']} ({side['identity']})"


def _bundle(changes: Sequence[Facts]) -> Iterator[str]:
    yield from map(_change, changes)


def _environment(facts: Facts) -> Iterator[str]:
    yield from (f"interpreter {_change(c)}" for c in facts["interpreter"])
    yield from map(_change, facts["system"])
    found = facts["distributions"]
    for mark, key in (("+", "added"), ("-", "removed")):
        yield from (f"{mark} {d['name']} {d['version']}{_needed(d)}" for d in found[key])
    yield from map(_distribution, found["changed"])
    for mark, key in (("+", "added"), ("-", "removed")):
        yield from (f"{mark} unproved: {u['name']} {u['version']}: {u['why']}" for u in facts["unproved"][key])
    parts = facts.get("parts", {})
    for mark, key in (("+", "added"), ("-", "removed")):
        yield from (f"{mark} part {name}" for name in parts.get(key, ()))
    for name, changes in parts.get("changed", {}).items():
        yield from (f"{name}: {line}" for line in _environment(changes))
    for side in ("a", "b"):
        untold = [u["field"] for u in facts["untold"] if u["side"] == side]
        if untold:
            yield f"not compared, as {side.upper()} does not record it: {', '.join(untold)}"


def _needed(each: Facts) -> str:
    return " (the model needs it)" if each["needed"] else ""


def _distribution(each: Facts) -> str:
    version = each["from"] if each["from"] == each["to"] else f"{each['from']} -> {each['to']}"
    said = ["the same version, other content"] if each["other_content"] else []
    said += map(_change, each["changes"])
    return f"~ {each['name']} {version}{_needed(each)}{': ' if said else ''}{'; '.join(said)}"


def _signature(facts: Facts) -> Iterator[str]:
    yield from map(_change, facts["facts"])
    for kind in ("input", "output"):
        found = facts[f"{kind}s"]
        for mark, key in (("+", "added"), ("-", "removed")):
            yield from (f"{mark} {kind} {t['name']}: {t['dtype']} {_shown(t['shape'])}" for t in found[key])
        for tensor in found["changed"]:
            yield from (f"~ {kind} {tensor['name']}{_column(c)}, {_change(c)}" for c in tensor["changes"])
        if found["reordered"]:
            yield f"~ the {kind}s are in another order"
    for each in facts["tolerances"]:
        yield f"tolerance of {each['output']}: {_shown(each['from'])} -> {_shown(each['to'])}"


def _column(change: Facts) -> str:
    return f", column {change['column']}" if "column" in change else ""


def _variants(facts: Facts) -> Iterator[str]:
    for mark, key in (("+", "added"), ("-", "removed")):
        yield from (f"{mark} {name}" for name in facts[key])
    for name, changes in facts["changed"].items():
        yield from (f"~ {name}, {_change(change)}" for change in changes)


def _graph(facts: Facts) -> Iterator[str]:
    if facts["same"]:
        return
    yield f"sha256: {facts['sha256']['from']} -> {facts['sha256']['to']}"
    yield from (f"operator set {o['domain']}: {o['from']} -> {o['to']}" for o in facts["opsets"])
    yield from (f"{n['operator']}: {n['from']} -> {n['to']} nodes" for n in facts["nodes"])
    yield from (f"{name}: the same number of nodes, with other attributes" for name in facts["settings"])
    constants = facts["constants"]
    moved = [f"{_size(constants[key])} {key}" for key in ("added", "removed", "changed") if constants[key]["count"]]
    if moved:
        yield f"constants: {_size(constants['from'])} -> {_size(constants['to'])}; {', '.join(moved)}"


def _size(facts: Facts) -> str:
    return f"{facts['count']} ({facts['bytes']:,} bytes)"


def _answers(both: Sequence[Facts]) -> Iterator[str]:
    for facts in both:
        graph, cases = facts["graph"].upper(), facts["cases"].upper()
        if facts["why"]:
            yield f"the cases of {cases} do not fit the graph of {graph}: {facts['why']}"
            continue
        yield f"the graph of {graph} on {facts['asked']} cases of {cases}, against the answers recorded there:"
        if facts["both_refuse"]:
            one = facts["both_refuse"] == 1
            words = f"case is refused, as {cases} refused it" if one else f"cases are refused, as {cases} refused them"
            yield f"  {facts['both_refuse']} {words}"
        yield from (f"  {_output(o)}" for o in facts["outputs"])
        yield from (f"  {o['output']}: not compared: {o['why']}" for o in facts["not_compared"])
        yield from (f"  {r['case']} is refused: {r['reason']}" for r in facts["refused"])
        yield from (f"  {r['case']} is answered, {cases} refused it: {r['reason']}" for r in facts["no_longer_refused"])


def _output(each: Facts) -> str:
    text = f"{each['output']}: {each['differ']} of {each['rows']} rows differ"
    if not each["differ"]:
        return text
    distance = ""
    if each["max_abs"] is not None:
        largest = f"{_number(each['max_abs'])} absolute, {_number(each['max_rel'])} relative"
        distance = f", at most by {largest}"
    return f"{text}{distance}; see {each['worst']}"


def _number(value: float) -> str:
    return "infinity" if value == LARGEST else f"{value:.3g}"


def _files(facts: Facts) -> Iterator[str]:
    for key in ("added", "removed", "changed"):
        paths = facts[key]
        if paths:
            more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
            yield f"{key}: {', '.join(paths[:SHOWN])}{more}"


def _change(change: Facts) -> str:
    """The change of one field; for long lists, only the added and removed values."""
    before, after = change["from"], change["to"]
    lists = isinstance(before, list) and isinstance(after, list)
    if lists and len(_json(before)) + len(_json(after)) > LONGEST:
        moves = ("+", _without(after, before)), ("-", _without(before, after))
        said = "; ".join(f"{mark} {_few(values)}" for mark, values in moves if values)
        return f"{change['field']}: {said or 'another order'}"
    return f"{change['field']}: {_shown(before)} -> {_shown(after)}"


def _without(values: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    known = set(map(_json, others))
    return [value for value in values if _json(value) not in known]


def _few(values: Sequence[Any]) -> str:
    more = f" and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join(map(_shown, values[:SHOWN])) + more


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


PARTS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "bundle": _bundle,
    "environment": _environment,
    "signature": _signature,
    "variants": _variants,
    "graph": _graph,
    "answers": _answers,
    "files": _files,
}
