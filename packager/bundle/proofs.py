"""Proofs that later machines add to a bundle, outside its identity: `evidence/proofs/`."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..paths import beside
from ..providers import name_of
from .manifest import canonical
from .reader import Bundle

FOLDER = "proofs/"
FORMAT = 1


PROVE = ("verify", "prove")
"""The kinds of evidence that prove answers."""


def proofs_of(bundle: Bundle, variant: str) -> tuple[str, ...]:
    """The proofs of a variant by `mlpack verify` and `mlpack prove`, in the bundle: as true as who added them."""
    place, name = bundle.place / bundle.layout.evidence / FOLDER, glob.escape(variant)
    return tuple(sorted(path.name for kind in PROVE for path in place.glob(f"{kind}.{name}.*.json")))


def check_proved(bundle: Bundle, variant: str) -> None:
    """Raises `UsageError` for a variant that no machine has proved."""
    if not bundle.proof(variant).proved and not proofs_of(bundle, variant):
        name = name_of(bundle.variant(variant).provider)
        raise UsageError(
            f"the variant {variant} is not proved on any machine: run `mlpack verify {bundle.place.name} "
            f"--variant {variant} --provider {name}` where it can run, or ask the reference"
        )


def add_proof(bundle: Bundle, kind: str, facts: Mapping[str, Any]) -> str:
    """Writes the facts to a file that is named after the kind, the variant, the provider and the machine; its path.

    A proof of the same four is replaced; `UsageError` where the bundle cannot be written to, or has the old format.
    """
    if not bundle.layout.is_open:
        raise UsageError(f"the bundle {bundle.place.name} has format {bundle.manifest.format}, which takes no evidence")
    where = hashlib.sha256(canonical({key: facts[key] for key in ("machine", "versions", "options")})).hexdigest()[:12]
    path = f"{bundle.layout.evidence}{FOLDER}{kind}.{facts['variant']}.{facts['provider']}.{where}.json"
    target = bundle.place / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with beside(target.absolute()) as folder:
            made = folder / target.name
            made.write_bytes(canonical({"format": FORMAT, "identity": bundle.identity, **facts}))
            os.replace(made, target)
    except OSError as error:
        raise UsageError(f"the proof cannot be written into {target.parent}: {error.strerror}") from error
    return path
