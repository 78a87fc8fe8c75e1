"""`evidence/report.html`, for people: what the model is, the verdict, errors, latency, how to load it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from mlpack_toolkit import templates
from mlpack_toolkit.converters.spec import Signature, TensorSpec

from ..commands.bench import LatencyReport
from ..equivalence.report import VerificationReport
from .architecture import Block, grown
from .plots import errors_plot, latency_plot

if TYPE_CHECKING:
    from ..accuracy.report import VariantReport
    from ..commands.variants import Outcome, Shipped

LEAST_POWER = 8
"""The bar of an error begins at 10 to the power of minus this."""
MEANING = {
    "example": "the example rows as given",
    "threshold": "values at which the model's answer jumps, and their neighbours",
    "category": "every value that the model knows",
    "unseen": "values that the model has never seen, other scripts, emoji",
    "empty": "the empty string",
    "missing": "missing cells, column by column and all at once",
    "large": "very large and infinite numbers",
    "odd": "zero, negative, tiny numbers, ids beyond 2^24 and 2^53, codes between the known ones, ends of ranges",
    "text": "documents of the model's own words, other scripts, odd spacing",
    "several": "several cells changed at once: unseen, missing, at thresholds, any of these",
    "between": "rows on the line between two rows of the example",
    "one of each kind alone": "a row of each kind in a batch of one, on both sides",
    "each kind by itself": "some rows of each strange kind in a batch of their own, on both sides",
    "batch of 0": "no rows: only the shapes are compared",
    "batch of 1": "rows one by one",
    "permuted batch": "the same rows in another order, in one large batch",
}


def report_html(
    facts: Mapping[str, Any],
    proof: VerificationReport,
    environment: Mapping[str, Any],
    latency: LatencyReport,
    targets: tuple[str, ...],
    sandbox: str,
    identity: str,
    blocks: Sequence[Block] = (),
    outcome: Outcome | None = None,
) -> bytes:
    """The page, UTF-8, self-contained.

    `sandbox`: a sentence about the sandbox that was in force. `identity`: the bundle's. `blocks`: of a module, in
    order. `outcome`: its variants.
    """
    signature = Signature.from_json(facts["signature"])
    needed = {d["name"] for d in environment["distributions"] if d.get("needed")}
    values = {
        **{key: facts[key] for key in ("name", "version", "title", "framework", "mlpack", "notes")},
        **_proof_values(proof),
        **_latency_values(latency),
        "identity": identity,
        "task": signature.task,
        "inputs": [input_row(t) for t in signature.inputs],
        "outputs": signature.outputs,
        "variants": [_variant(each) for each in outcome.shipped] if outcome else [],
        "left_out": [each.why for each in outcome.left_out] if outcome else [],
        "blocks": [_block(block) for block in blocks],
        "grown": _grown(blocks),
        "python_usage": _python_usage(facts, signature),
        "targets": targets,
        "sandbox": sandbox,
        "environment": {**environment["interpreter"], "libc": environment["libc"]},
        "unproved": [u for u in facts["environment"]["unproved"] if u["name"] in needed],
        "others": [u for u in facts["environment"]["unproved"] if u["name"] not in needed],
        "lock": facts["locks"],
        "distributions": [f"{d['name']} {d['version']}" for d in environment["distributions"]],
    }
    escaped = {key: for_html(value) for key, value in values.items()}
    plots = {"errors_plot": errors_plot(_shares(proof)), "latency_plot": latency_plot(latency)}
    return templates.render("report", {**escaped, **plots})["report.html"]


def _block(block: Block) -> dict[str, Any]:
    said = block.remark if block.error is None else f"{block.error:.2g}" if block.error else "equal"
    reach = 0.0 if not block.error else max(0.0, 1 + math.log10(block.error) / LEAST_POWER)
    return {**vars(block), "said": said, "reach": f"{100 * reach:.0f}"}


def _grown(blocks: Sequence[Block]) -> dict[str, str]:
    """The block in which the error grows most, in words; empty where no block is compared."""
    if all(block.error is None for block in blocks):
        return {}
    found = grown(blocks)
    if found is None or found.error is None:
        return {"path": ""}
    return {"path": found.path, "error": f"{found.error:.2g}", "before": f"{found.before:.2g}"}


def _variant(shipped: Shipped) -> dict[str, Any]:
    report, gate = shipped.report, shipped.report.gate
    slowest = min((each["speedup"] for each in shipped.latency), default=0.0)
    fastest = max((each["speedup"] for each in shipped.latency), default=0.0)
    return {
        "name": report.name,
        "kind": report.kind,
        "provider": report.provider,
        "nodes": [f"{count} {name}" for name, count in report.nodes.items()],
        "share": f"{report.artifact.size / report.parent.size:.0%}",
        "bytes": report.artifact.size,
        "faster": f"{slowest:.2g} to {fastest:.2g}×" if shipped.latency else "",
        "put_back": list(report.put_back),
        "gate": _gate(gate) if gate and report.proved else {},
        "unproved": "" if report.proved else _unproved(report),
    }


def _unproved(report: VariantReport) -> str:
    """What an engine is made of, and for which sizes."""
    recipe, inside = report.recipe, report.inside
    sizes = "; ".join(
        f"{name} {each['min']} to {each['max']}, best {each['opt']}" for name, each in recipe["profiles"].items()
    )
    types = ", ".join(f"{count} of {name}" for name, count in inside["types"].items())
    return (
        f"not proved: no provider of the machine that made it runs it. TensorRT {recipe['version']} "
        f"({recipe['flavour']}), strongly typed, for {', '.join(recipe['capabilities'])}; {inside['layers']} layers of "
        f"the network, {types}; sizes: {sizes}"
    )


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    """The gate's numbers as texts."""
    shown = {key: f"{gate[key]:.4g}" for key in ("value", "limit")}
    worst = gate["worst"]
    row = f"row {worst['row']}: {worst['value']:.4g}" if "row" in worst else ""
    words = {key: gate[key] for key in ("metric", "meaning", "rows", "beyond", "source", "outputs")}
    return {**words, **shown, "bound": f"{gate['bound']:.2%}", "worst": row}


def _proof_values(proof: VerificationReport) -> dict[str, Any]:
    return {
        "equal": proof.equal,
        "rows": proof.rows,
        "mismatches": proof.mismatches,
        "precision": proof.precision,
        "provider": proof.provider,
        "tolerances": {n: {"rtol": t.rtol, "atol": t.atol} for n, t in proof.tolerances.items()},
        "user_tolerance": proof.user_tolerance,
        "noise": {name: f"{n:.2g}" for name, n in proof.noise.get("example", {}).items()},
        "noisy": [kind for kind in proof.noise if kind != "example"],
        "tolerance_used": f"{proof.tolerance_used:.2g}",
        "probes": [_probe(kind, errors) for kind, errors in proof.probes.items()],
        "refused": dict(proof.refused),
        "known": [list(k) for k in proof.known],
        "worst": list(proof.worst),
        "again": proof.again,
    }


def _probe(kind: str, errors: Mapping[str, Any]) -> dict[str, Any]:
    largest = {key: max(getattr(e, key) for e in errors.values()) for key in ("max_abs", "max_rel", "max_ulp")}
    mismatches = max(e.mismatches for e in errors.values())
    rows = next(iter(errors.values())).rows
    return {"kind": kind, "meaning": MEANING.get(kind, ""), "rows": rows, "mismatches": mismatches, **largest}


def _shares(proof: VerificationReport) -> dict[str, float]:
    """By kind, the largest error as a share of its tolerance; above 1 where labels differ."""
    return {kind: max((e.share for e in errors.values()), default=0.0) for kind, errors in proof.probes.items()}


def _latency_values(latency: LatencyReport) -> dict[str, Any]:
    original = {b["batch"]: b for b in latency.original}
    speedups = latency.speedups()
    rows = []
    for b in latency.graph:
        other = original.get(b["batch"])
        rows.append(
            {
                "batch": int(b["batch"]),
                **{q: time_words(b[f"{q}_ms"]) for q in ("p50", "p90", "p95", "p99")},
                "rate": f"{b['rows_per_second']:,.0f}",
                "original_p50": time_words(other["p50_ms"]) if other else "",
                "original_p99": time_words(other["p99_ms"]) if other else "",
                "faster": f"{speedups.get(str(int(b['batch'])), 0):.3g}×" if other else "",
            }
        )
    return {"latency": rows, "threads": latency.threads, "machine": latency.machine, "versions": latency.versions}


def time_words(milliseconds: float) -> str:
    """A time with its unit."""
    return f"{milliseconds * 1e3:.3g} µs" if milliseconds < 1 else f"{milliseconds:.3g} ms"


def input_row(tensor: TensorSpec) -> dict[str, Any]:
    """An input in words: its type and shape, what stands for a missing cell, and what is refused."""
    refused = []
    if tensor.limit is not None:
        refused.append(f"beyond ±{tensor.limit:g}")
    if tensor.least is not None:
        refused.append(f"below {tensor.least!r}")
    if tensor.most is not None:
        refused.append(f"above {tensor.most!r}")
    if tensor.values is not None:
        refused.append(f"all but {', '.join(map(str, tensor.values))}")
    if tensor.features:
        refused.append("by column, see manifest.json")
    missing = "refused"
    if tensor.nullable:
        missing = "NaN" if tensor.is_float else f"null (in the graph {tensor.missing!r})"
    return {**tensor.flat(), "missing": missing, "refused": "; ".join(refused)}


def _python_usage(facts: Mapping[str, Any], signature: Signature) -> str:
    feeds = ", ".join(f"{t.name!r}: …" for t in signature.inputs[:4]) + (", …" if len(signature.inputs) > 4 else "")
    return (
        f"$ mlpack predict {facts['name']}-{facts['version']} rows.csv -o answers.csv\n\n"
        "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '1'\n"
        "import onnxruntime\n"
        "session = onnxruntime.InferenceSession('model/model.onnx')\n"
        f"answers = session.run(None, {{{feeds}}})"
    )


def for_html(value: Any) -> Any:
    """The value with every text in it escaped for HTML: names and labels come from the model, which is untrusted.

    Escapes invisible characters, and those that change the reading direction, too.
    """
    if isinstance(value, str):
        return escape("".join(c if c.isprintable() or c in "\n\t" else f"\\u{ord(c):04x}" for c in value))
    if isinstance(value, Mapping):
        return {for_html(k): for_html(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [for_html(v) for v in value]
    return for_html(value.flat()) if isinstance(value, TensorSpec) else value
