"""`mlpack engine`: makes the engine of a variant again from its recipe, for this TensorRT or for other cards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import file_of

from ..bundle.manifest import canonical
from ..bundle.reader import Bundle, check_files, open_bundle
from ..engines.making import made_by
from ..engines.process import ENGINE, TIMING_CACHE, version_in
from ..engines.recipe import FLAVOURS, KIND, Plan, check_options, plan_of
from ..errors import DamagedError, UsageError
from ..paths import check_new, new_folder
from ..variants.spec import Work

RECIPE = "recipe.json"


def make_again(
    folder: Path,
    variant: str,
    place: Path,
    python: str,
    capabilities: Sequence[str],
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Writes the engine, ONNX Runtime's file for it and its recipe to `place`, and says whether the engine is the same.

    `capabilities`: of the cards that it is made for; none: those of the recipe, or the card present where the recipe's
    TensorRT is one that makes engines for that only.
    """
    check_new(place)
    bundle = open_bundle(folder)
    progress("checking every file's digest")
    check_files(bundle)
    plan = _planned(bundle, variant, capabilities)
    version_in(python, plan.flavour)
    progress(f"making the engine of the variant {variant}")
    with new_folder(place) as made:
        recipe = _made(bundle, variant, plan, made, python)
    return {"folder": str(place), "identity": bundle.identity, "variant": variant, **recipe}


def _planned(bundle: Bundle, variant: str, capabilities: Sequence[str]) -> Plan:
    found = bundle.variant(variant)
    if found.recipe.get("kind") != KIND:
        engines = [each.name for each in bundle.variants if each.recipe.get("kind") == KIND]
        there = f"there is: {', '.join(engines)}" if engines else "it has none"
        raise UsageError(f"the variant {variant} of the bundle {bundle.place.name} is no engine; {there}")
    plan = plan_of(variant, found.recipe)
    ranks = {each.in_graph: len(each.shape) for each in bundle.signature.inputs}
    if {name: len(sizes["min"]) for name, sizes in plan.profiles.items()} != ranks:
        raise DamagedError(f"the variant {variant} has a recipe whose profiles are not those of the model's inputs")
    if capabilities:
        check_options({"flavour": plan.flavour, "capabilities": ",".join(capabilities)})
        return replace(plan, capabilities=tuple(dict.fromkeys(capabilities)))
    return plan if FLAVOURS[plan.flavour].is_portable else replace(plan, capabilities=())


def _made(bundle: Bundle, variant: str, plan: Plan, place: Path, python: str) -> dict[str, Any]:
    """The recipe, with the digest of the engine, and whether it is that of the bundle."""
    own = bundle.variant(variant).artifact
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        work = Work(bundle.checked(), bundle.signature, Path(name))
        if TIMING_CACHE in {file.path for file in own.files}:
            shutil.copyfile(own.folder / TIMING_CACHE, work.folder / TIMING_CACHE)
        made = made_by(plan, work, python)
        for file in made.artifact.files:
            shutil.copyfile(work.folder / file.path, place / file.path)
    engine = file_of(place, ENGINE)
    before = next((file.sha256 for file in own.files if file.path == ENGINE), "")
    (place / RECIPE).write_bytes(canonical({"kind": KIND, **made.recipe}))
    return {"sha256": engine.sha256, "same": engine.sha256 == before, "recipe": dict(made.recipe)}
