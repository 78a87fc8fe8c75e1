"""The facts of a manifest as values: sources, parts and variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack_toolkit.converters.artifact import Artifact, File
from mlpack_toolkit.converters.spec import Signature
from mlpack_toolkit.converters.variant import Variant
from mlpack_toolkit.runtimes.server.manifest import REFERENCE

from .golden import Tolerance
from .layout import Layout

Facts = Mapping[str, Any]
PLAIN = ("weights", "io", "provider")
"""Fields of a variant that the manifest has under the same names."""


@dataclass(frozen=True)
class ModelSource:
    """An original model: `path` in the bundle, below `model/source/`.

    `part`: the name of the part that it runs in. `given`: values of its options, such as those of R.
    """

    path: str
    framework: str
    title: str
    part: str
    given: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """The environment of the models of one language.

    `folder`: its path, with a slash at its end. `facts`: what the lock proves.
    """

    name: str
    language: str
    folder: str
    facts: Facts

    @property
    def document(self) -> str:
        """The path of the list of what was installed."""
        return self.folder + "environment.json"


@dataclass(frozen=True)
class Proof:
    """The proof of a variant: the report's path, and the tolerances by output; or the gate that holds it, a metric with
    a limit on rows (see `accuracy.gate`). `proved`: whether it was proved where it was made."""

    report: str
    tolerances: Mapping[str, Tolerance]
    user_tolerance: bool
    gate: Facts = field(default_factory=dict)
    proved: bool = True


def variant_facts(variant: Variant, proof: Proof, folder: str = "model") -> dict[str, Any]:
    """A variant in the manifest's form; `folder`: the bundle's folder for the files of its artifact."""
    artifact = variant.artifact
    paths = {file.path: f"{folder}/{file.path}" for file in artifact.files}
    return {
        "artifact": {"format": artifact.format, "main": paths[artifact.main], "files": list(paths.values())},
        "signature": variant.signature.to_json(),
        **{key: getattr(variant, key) for key in PLAIN},
        "options": dict(variant.options),
        "recipe": dict(variant.recipe),
        "report": proof.report,
        "tolerances": {n: {"rtol": t.rtol, "atol": t.atol} for n, t in proof.tolerances.items()},
        "tolerance_given_by_user": proof.user_tolerance,
        **({"gate": dict(proof.gate)} if proof.gate else {}),
        **({} if proof.proved else {"proved": False}),
    }


def variants_of(facts: Facts, place: Path, entries: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The variants, the reference first and the others by name; `entries`: the manifest's files by path."""
    names = sorted(facts["variants"], key=lambda name: (name != REFERENCE, name))
    return tuple(_variant(name, facts["variants"][name], place, entries) for name in names)


def _variant(name: str, plain: Facts, place: Path, entries: Mapping[str, Any]) -> Variant:
    folder, _, main = plain["artifact"]["main"].rpartition("/")
    paths = (plain["artifact"]["main"], *(p for p in plain["artifact"]["files"] if p != plain["artifact"]["main"]))
    files = tuple(File(p.removeprefix(f"{folder}/"), entries[p].sha256, entries[p].size) for p in paths)
    artifact = Artifact(place / folder, main, files, plain["artifact"]["format"])
    kept = {key: plain[key] for key in (*PLAIN, "options", "recipe")}
    return Variant(name, artifact, Signature.from_json(plain["signature"]), **kept)


def proof_of(plain: Facts) -> Proof:
    """The proof of a variant, from the manifest."""
    tolerances = {name: Tolerance(t["rtol"], t["atol"]) for name, t in plain["tolerances"].items()}
    return Proof(
        plain["report"], tolerances, plain["tolerance_given_by_user"], plain.get("gate", {}), plain.get("proved", True)
    )


def sources_of(facts: Facts) -> tuple[ModelSource, ...]:
    """The sources in their order."""
    return tuple(
        ModelSource(s["path"], s["framework"], s["title"], s["part"], s.get("given", {})) for s in facts["sources"]
    )


def parts_of(facts: Facts, layout: Layout) -> tuple[Part, ...]:
    """The parts in their order."""
    return tuple(
        Part(p["name"], p["language"], layout.environment(p["name"]), p["environment"]) for p in facts["parts"]
    )


def in_short(facts: Facts) -> dict[str, Any]:
    """The facts in a flat form for people: the values of all sources and parts, joined, and the reference's signature,
    number types and tolerances."""
    reference = facts["variants"][REFERENCE]
    given = {key: value for source in facts["sources"] for key, value in source.get("given", {}).items()}
    return {
        **{key: facts[key] for key in facts if key not in ("sources", "parts", "variants")},
        **{key: ", ".join(_once(s[key] for s in facts["sources"])) for key in ("framework", "title")},
        "source": ", ".join(s["path"] for s in facts["sources"]),
        "precision": reference["weights"],
        **{key: reference[key] for key in ("signature", "tolerances", "tolerance_given_by_user")},
        "environment": _environment(facts["parts"]),
        "locks": ", ".join(f"{p['name']}/{p['environment'].get('lock', 'pylock.toml')}" for p in facts["parts"]),
        **({"given": given} if given else {}),
    }


def _once(words: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _environment(parts: Sequence[Facts]) -> Facts:
    """The facts of all parts' environments as those of one."""
    if len(parts) == 1:
        environment: Facts = parts[0]["environment"]
        return environment
    return {
        "vendored": all(part["environment"].get("vendored", False) for part in parts),
        "unproved": [each for part in parts for each in part["environment"].get("unproved", ())],
    }
