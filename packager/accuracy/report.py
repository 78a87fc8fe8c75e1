"""The report of a variant: `reports/variants/NAME.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact

FORMAT = 1
FOLDER = "reports/variants/"
NOT_PROVED = "not proved"
"""The verdict on a variant that no provider of the machine that made it can run."""


@dataclass(frozen=True)
class VariantReport:
    """What was proved of a variant.

    `nodes`: by operator or element type, how many of the written file prove that it is one. `changed`: how many nodes
    of the parent are another. `put_back`: nodes that accuracy control put back to the parent's type, the worst first.
    `inside`: what an engine is made of; `proved`: whether a machine has run it yet.
    `gate`: see `Judged.to_json`, with the rows' `source`, `sha256` and, where the bundle keeps them, `path`; empty:
    held to the reference's own tolerance on all probes, whose comparison is `probes`.
    """

    name: str
    kind: str
    provider: str
    parent: Artifact
    artifact: Artifact
    nodes: Mapping[str, int]
    changed: int
    recipe: Mapping[str, Any]
    gate: Mapping[str, Any] = field(default_factory=dict)
    put_back: Sequence[str] = ()
    probes: Mapping[str, Any] = field(default_factory=dict)
    inside: Mapping[str, Any] = field(default_factory=dict)
    proved: bool = True

    @property
    def path(self) -> str:
        """Its place in the bundle."""
        return f"{FOLDER}{self.name}.json"

    def to_json(self) -> dict[str, Any]:
        """The JSON object of this report."""
        return {
            "format": FORMAT,
            "verdict": ("within the limit" if self.gate else "equal") if self.proved else NOT_PROVED,
            "variant": self.name,
            "kind": self.kind,
            "provider": self.provider,
            "parent": {"sha256": [file.sha256 for file in self.parent.files], "bytes": self.parent.size},
            "bytes": self.artifact.size,
            "nodes": dict(self.nodes),
            "changed_nodes": self.changed,
            "put_back": list(self.put_back),
            "recipe": dict(self.recipe),
            "gate": dict(self.gate),
            **({"probes": dict(self.probes)} if self.probes else {}),
            **({"inside": dict(self.inside)} if self.inside else {}),
        }
