"""The variants of a build: made, held to their gates, measured beside their parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.converters.variant import Variant

from .. import variants
from ..accuracy.asked import Asked
from ..accuracy.making import Held, MadeOf, Making
from ..accuracy.report import VariantReport
from ..accuracy.rows import FOLDER
from ..accuracy.speed import beside, is_slower, words
from ..accuracy.unproved import unproved
from ..bundle.facts import Proof
from ..providers import name_of, of
from ..request import Progress
from ..variants.spec import ELSEWHERE, Kind, NothingToGain
from .bench import THREADS

PLACE = "variants"
"""The folder of the variants beside the scratch folder, where the model cannot write."""


@dataclass(frozen=True)
class Shipped:
    """A variant that the bundle gets. `files`: its rows, by path in the bundle; `latency`: see `beside`. `engine`: what
    TensorRT says of it on this machine."""

    variant: Variant
    proof: Proof
    report: VariantReport
    latency: Sequence[Mapping[str, float]]
    files: Mapping[str, Path]
    engine: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The report, with the latency that was measured here."""
        engine = {"engine": dict(self.engine)} if self.engine else {}
        return {**self.report.to_json(), "shipped": True, "latency": [dict(each) for each in self.latency], **engine}


@dataclass(frozen=True)
class LeftOut:
    """A variant that passed its gate and is too slow to ship, or one that the model has nothing for.

    `why`: in a sentence. `report`: None: nothing was made.
    """

    asked: Asked
    why: str
    report: VariantReport | None = None
    latency: Sequence[Mapping[str, float]] = ()

    def to_json(self) -> dict[str, Any]:
        """The report, with the latency that was measured here."""
        about = self.report.to_json() if self.report else {"variant": self.asked.name, "kind": self.asked.kind}
        return {**about, "shipped": False, "why": self.why, "latency": [dict(each) for each in self.latency]}


@dataclass(frozen=True)
class Outcome:
    """The variants that the bundle gets, and those that it does not get as they are slower than their parent, or as the
    model has nothing for them."""

    shipped: tuple[Shipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each variant that is slower, and for each that is not proved."""
        slow = [each for each in self.shipped if any(one["speedup"] < 1 for one in each.latency)]
        said = (
            f"the variant {each.report.name} is not faster at each batch size: {words(each.latency)}" for each in slow
        )
        bare = (_unproved(each.variant) for each in self.shipped if not each.report.proved)
        return (*said, *bare, *(each.why for each in self.left_out))

    def to_json(self) -> tuple[dict[str, Any], ...]:
        """All of them."""
        return (*(each.to_json() for each in self.shipped), *(each.to_json() for each in self.left_out))


def make_variants(asked: Sequence[Asked], given: MadeOf, seconds: float, progress: Progress) -> Outcome:
    """The variants, in their order; raises `ConversionError` and `MismatchError` where one is not what it must be.

    `seconds`: of the clock for each batch size.
    """
    found = [_made(each, given, seconds, progress) for each in asked]
    shipped = tuple(each for each in found if isinstance(each, Shipped))
    return Outcome(shipped, tuple(each for each in found if isinstance(each, LeftOut)))


def _made(asked: Asked, given: MadeOf, seconds: float, progress: Progress) -> Shipped | LeftOut:
    progress(f"making the variant {asked.name}, and comparing")
    kind, probes = variants.load(asked.kind), given.probes
    own = replace(given, folder=given.folder / asked.name)
    making = Making(**vars(own), asked=asked, kind=kind)
    if kind.held == ELSEWHERE:
        return _shipped(asked, kind, unproved(making), (), given.folder)
    try:
        held = making.held()
    except NothingToGain as reason:
        return LeftOut(asked, f"there is no variant {asked.name}, and the reference answers: {reason}")
    progress(f"measuring the variant {asked.name} beside its parent")
    rows, _, _ = probes.keep(probes.kinds == "example")
    measured = beside(*making.sides(held, THREADS), rows, seconds)
    if is_slower(measured, kind.speedup) and not asked.ship_slower:
        why = _why(asked.name, kind.speedup, kind.provider, words(measured))
        return LeftOut(asked, why, held.report, measured)
    return _shipped(asked, kind, held, measured, given.folder)


def _unproved(variant: Variant) -> str:
    return (
        f"the variant {variant.name} is not proved, because no provider here runs it: it answers nobody before "
        f"`mlpack verify BUNDLE --variant {variant.name} --provider {name_of(variant.provider)}` has "
        "passed on a machine that does"
    )


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
    weights = held.made.weights or kind.weights or io
    known = of(report.provider)
    options = known.options if known and report.provider != kind.provider else {}
    variant = Variant(asked.name, held.made.artifact, held.signature, weights, io, report.provider, options, recipe)
    kept = {key: value for key, value in gate.items() if key not in ("worst", "meaning")}
    proof = Proof(report.path, {} if gate else held.tolerances, False, kept, report.proved)
    return Shipped(variant, proof, report, measured, files, held.made.measured)
