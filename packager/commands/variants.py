"""The variants of a build: made, held to their gates, measured beside their parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.converters.variant import Variant

from .. import variants
from ..accuracy.asked import Asked
from ..accuracy.making import Held, Making
from ..accuracy.own_metric import Ask
from ..accuracy.report import VariantReport
from ..accuracy.rows import FOLDER
from ..accuracy.speed import THREADS, beside, is_slower, words
from ..bundle.facts import Proof
from ..bundle.golden import GoldenCase
from ..equivalence.probes import Probes
from ..equivalence.prove import Proven
from ..request import Progress
from ..variants.spec import Kind

PLACE = "variants"
"""The folder of the variants beside the scratch folder, where the model cannot write."""


@dataclass(frozen=True)
class Shipped:
    """A variant that the bundle gets. `files`: its rows, by path in the bundle; `latency`: see `beside`."""

    variant: Variant
    proof: Proof
    report: VariantReport
    latency: Sequence[Mapping[str, float]]
    files: Mapping[str, Path]

    def to_json(self) -> dict[str, Any]:
        """The report, with the latency that was measured here."""
        return {**self.report.to_json(), "shipped": True, "latency": [dict(each) for each in self.latency]}


@dataclass(frozen=True)
class LeftOut:
    """A variant that passed its gate and is too slow to ship. `why`: in a sentence."""

    report: VariantReport
    latency: Sequence[Mapping[str, float]]
    why: str

    def to_json(self) -> dict[str, Any]:
        """The report, with the latency that was measured here."""
        return {**self.report.to_json(), "shipped": False, "latency": [dict(each) for each in self.latency]}


@dataclass(frozen=True)
class Outcome:
    """The variants that the bundle gets, and those that it does not get because they are slower than their parent."""

    shipped: tuple[Shipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each variant that is slower."""
        slow = [each for each in self.shipped if any(one["speedup"] < 1 for one in each.latency)]
        said = (
            f"the variant {each.report.name} is not faster at each batch size: {words(each.latency)}" for each in slow
        )
        return (*said, *(each.why for each in self.left_out))

    def to_json(self) -> tuple[dict[str, Any], ...]:
        """All of them."""
        return (*(each.to_json() for each in self.shipped), *(each.to_json() for each in self.left_out))


def make_variants(
    asked: Sequence[Asked],
    proven: Proven,
    probes: Probes,
    cases: Sequence[GoldenCase],
    folder: Path,
    seconds: float,
    ask: Ask,
    progress: Progress,
) -> Outcome:
    """The variants, in their order; raises `ConversionError` and `MismatchError` where one is not what it must be.

    `folder`: for their files. `seconds`: of the clock for each batch size.
    """
    shipped: list[Shipped] = []
    left_out: list[LeftOut] = []
    rows, _, _ = probes.keep(probes.kinds == "example")
    for each in asked:
        progress(f"making the variant {each.name}, and comparing")
        kind = variants.load(each.kind)
        making = Making(each, kind, proven, probes, cases, folder / each.name, ask)
        held = making.held()
        progress(f"measuring the variant {each.name} beside its parent")
        measured = beside(*making.sides(held, THREADS), rows, seconds)
        if is_slower(measured, kind.speedup) and not each.ship_slower:
            why = _why(each.name, kind.speedup, kind.provider, words(measured))
            left_out.append(LeftOut(held.report, measured, why))
        else:
            shipped.append(_shipped(each, kind, held, measured, folder))
    return Outcome(tuple(shipped), tuple(left_out))


def _why(name: str, least: float, provider: str, measured: str) -> str:
    than = "slower than its parent" if least <= 1 else f"less than {least:g} times as fast as its parent"
    return (
        f"the variant {name} passed its gate and is not in the bundle, because it is {than} on {provider} "
        f"({measured}): ship it with ship_slower = true, for its size or for another machine"
    )


def _shipped(asked: Asked, kind: Kind, held: Held, measured: Sequence[Mapping[str, float]], folder: Path) -> Shipped:
    gate, files = dict(held.report.gate), dict[str, Path]()
    if held.rows is not None and held.rows.kept:
        gate["path"] = f"{FOLDER}{gate['sha256'][:16]}.npz"
        files[gate["path"]] = folder / f"{asked.name}.npz"
        write_table(held.rows.whole, files[gate["path"]])
    report = VariantReport(**{**vars(held.report), "gate": gate})
    recipe = {"kind": kind.name, **report.recipe, "nodes": dict(report.nodes), "put_back": list(report.put_back)}
    recipe["parent"] = [file.sha256 for file in report.parent.files]
    io = next((t.dtype for t in held.signature.inputs if "float" in t.dtype), "float32")
    variant = Variant(asked.name, held.made.artifact, held.signature, kind.weights, io, kind.provider, recipe=recipe)
    kept = {key: value for key, value in gate.items() if key not in ("worst", "meaning")}
    proof = Proof(report.path, {}, False, kept) if gate else Proof(report.path, held.tolerances, False)
    return Shipped(variant, proof, report, measured, files)
