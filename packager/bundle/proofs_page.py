"""`evidence/proofs/report.html`: the proofs of `mlpack prove` on all machines, drawn one over the other.

The report of the build is never changed: it is a file that mlpack listed with its digest. This page is made anew from
the proofs beside it whenever one is added. Anyone may have added those, so each must fit the schema to be drawn.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

from mlpack_toolkit import templates
from mlpack_toolkit.runtimes.engine.schema import (
    MOST_BYTES,
    Check,
    Fault,
    listing,
    mapping,
    number,
    parse,
    record,
    scalar,
    text,
    whole,
)

from ..paths import beside
from .plots import Side, curves_plot, throughput_plot
from .proofs import FOLDER, FORMAT
from .reader import Bundle
from .report import for_html, time_words

PAGE = "report.html"
PROOFS = "prove.*.json"
MOST_PROOFS = 64
COLOURS = ("#2563b0", "#c2741a", "#1a7f4b", "#8b3fb0", "#b3261e", "#0f8a8a", "#7a6a10", "#5c6877")
WORD = 500
LEAST, MOST = 1e-9, 1e15
_word = text(WORD)


def _drawable(value: Any, where: str) -> None:
    """A number that has a place on a logarithmic axis."""
    number(LEAST)(value, where)
    if value > MOST:
        raise Fault(f"{where} must be at most {MOST:g}")


_point = record(
    {"batch": whole(1, 2**31), "p50_ms": _drawable, "p99_ms": _drawable, "rows_per_second": _drawable},
    {"bound_p50_ms": number(0), "copy_there_p50_ms": number(0), "copy_back_p50_ms": number(0)},
)
_largest = record({"batch": whole(1, 2**31), "why_not_larger": _word})
_curve = record({"points": listing(_point, 100, least=1), "largest": _largest})
_measured = record({"latency": _curve})
_cards = listing(mapping(_word), 64)
_state = record({"before": record({}, {"governor": _word, "load": listing(number(0), 3), "gpus": _cards})})
_proof: Check = record(
    {
        "format": whole(FORMAT, FORMAT),
        "identity": _word,
        "variant": _word,
        "provider": _word,
        "options": mapping(scalar),
        "versions": mapping(_word),
        "machine": record({"cpu": _word}),
        "nodes": mapping(whole(0, 2**31)),
        "golden": whole(0, 2**31),
        "from_original": mapping(number(0)),
        "latency": _curve,
        "state": _state,
    },
    {"gpus": _cards, "from_cpu": mapping(number(0)), "cpu": _measured},
)


def write_page(bundle: Bundle) -> str:
    """Writes the page and returns its path in the bundle; empty where there is no proof or it cannot be written."""
    folder = bundle.place / bundle.layout.evidence / FOLDER
    if not bundle.layout.is_open or not folder.is_dir() or folder.is_symlink():
        return ""
    proofs, others = proofs_of(bundle)
    if not proofs:
        return ""
    try:
        with beside(folder.absolute() / PAGE) as scratch:
            (scratch / PAGE).write_bytes(page_of(bundle, proofs, others))
            os.replace(scratch / PAGE, folder / PAGE)
    except OSError:
        return ""
    return f"{bundle.layout.evidence}{FOLDER}{PAGE}"


def proofs_of(bundle: Bundle) -> tuple[list[dict[str, Any]], list[str]]:
    """The proofs that fit the schema and are of this bundle, by their file names; and the names of other files."""
    found, others = [], []
    for path in sorted((bundle.place / bundle.layout.evidence / FOLDER).glob(PROOFS)):
        try:
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
                raise Fault("it is no plain file, or too large")
            plain = parse(path.read_bytes())
            _proof(plain, "")
            if plain["identity"] != bundle.identity:
                raise Fault("it names another bundle")
        except (Fault, OSError):
            others.append(path.name)
            continue
        found.append(plain)
    return found[:MOST_PROOFS], [*others, *(["more proofs than are drawn"] if len(found) > MOST_PROOFS else [])]


def page_of(bundle: Bundle, proofs: Sequence[Mapping[str, Any]], others: Sequence[str] = ()) -> bytes:
    """The page, UTF-8, self-contained."""
    series = _series(proofs)
    sides: list[Side] = [(points, colour) for _, points, colour in series]
    values = {
        "name": bundle.name,
        "version": bundle.version,
        "identity": bundle.identity,
        "proofs": [_row(each) for each in proofs],
        "key": [{"title": title, "colour": colour} for title, _, colour in series],
        "others": list(others),
    }
    safe = {key: for_html(value) for key, value in values.items()}
    plots = {"latency_plot": curves_plot(sides), "throughput_plot": throughput_plot(sides)}
    return templates.render("proofs", {**safe, **plots})["report.html"]


def _series(proofs: Sequence[Mapping[str, Any]]) -> list[tuple[str, Sequence[Mapping[str, float]], str]]:
    """The title, the points and the colour of each proof, and of the CPU beside it where that has no proof itself."""
    own = {_title(p, "cpu") for p in proofs if p["provider"] == "cpu"}
    found: dict[str, Sequence[Mapping[str, float]]] = {}
    for proof in proofs:
        found[_title(proof, proof["provider"])] = proof["latency"]["points"]
        if "cpu" in proof and (beside_it := _title(proof, "cpu")) not in own:
            found[beside_it] = proof["cpu"]["latency"]["points"]
    drawn = [(title, sorted(points, key=lambda p: p["batch"])) for title, points in found.items()]
    return [(title, points, colour) for (title, points), colour in zip(drawn, cycle(COLOURS), strict=False)]


def _title(proof: Mapping[str, Any], provider: str) -> str:
    gpu = next((each["name"] for each in proof.get("gpus", ()) if "name" in each), "")
    device = proof["machine"]["cpu"] if provider == "cpu" or not gpu else gpu
    return f"{proof['variant']}, {provider}, {device}, ONNX Runtime {proof['versions'].get('onnxruntime', '')}"


def _row(proof: Mapping[str, Any]) -> dict[str, Any]:
    points = sorted(proof["latency"]["points"], key=lambda p: p["batch"])
    first, best = points[0], max(points, key=lambda p: p["rows_per_second"])
    cpu = min(proof["cpu"]["latency"]["points"], key=lambda p: p["batch"]) if "cpu" in proof else None
    state = proof["state"]["before"]
    load = f"load {state['load'][0]:g}" if state.get("load") else ""
    copies = [first[name] for name in ("copy_there_p50_ms", "copy_back_p50_ms") if name in first]
    return {
        "variant": proof["variant"],
        "provider": proof["provider"],
        "options": ", ".join(f"{name}={value}" for name, value in proof["options"].items()),
        "machine": proof["machine"]["cpu"],
        "gpus": [_gpu(each) for each in proof.get("gpus", ())],
        "versions": ", ".join(f"{name} {value}" for name, value in proof["versions"].items()),
        "state": ", ".join(
            each for each in (state.get("governor", ""), load, *map(_clocks, state.get("gpus", ()))) if each
        ),
        "nodes": ", ".join(f"{count} on {name}" for name, count in proof["nodes"].items()),
        "golden": proof["golden"],
        "from_original": _largest_of(proof["from_original"]),
        "from_cpu": _largest_of(proof.get("from_cpu", {})),
        "p50": time_words(first["p50_ms"]),
        "p99": time_words(first["p99_ms"]),
        "bound": time_words(first["bound_p50_ms"]) if "bound_p50_ms" in first else "",
        "copies": time_words(sum(copies)) if copies else "",
        "cpu": time_words(cpu["p50_ms"]) if cpu else "",
        "best": f"{best['rows_per_second']:,.0f} at batch {best['batch']}",
        "largest": f"{proof['latency']['largest']['batch']}: {proof['latency']['largest']['why_not_larger']}",
    }


def _gpu(facts: Mapping[str, str]) -> str:
    """A card with its driver and its compute capability."""
    words = {"name": "", "driver_version": "driver ", "compute_cap": "compute capability "}
    return ", ".join(f"{word}{facts[name]}" for name, word in words.items() if name in facts)


def _clocks(state: Mapping[str, str]) -> str:
    """The state of a card: its performance level, clock and power."""
    return " ".join(state[name] for name in ("pstate", "clocks.sm", "power.draw") if name in state)


def _largest_of(by_output: Mapping[str, float]) -> str:
    name = max(by_output, key=lambda each: by_output[each], default="")
    return f"{by_output[name]:.3g} in {name}" if name else "no output of fractions"
