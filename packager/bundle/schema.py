"""The schema of a bundle: what its manifest may say, and what of its other documents a command reads.

The words and the signature are the server's own (`runtimes/engine/schema.py`), so that there is one schema.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from mlpack_toolkit.runtimes.engine.schema import (
    GRAPH,
    MOST_PART,
    MOST_PATH,
    NAME,
    Check,
    Fault,
    anything,
    flag,
    listing,
    mapping,
    maybe,
    number,
    one_of,
    record,
    scalar,
    shown,
    signature,
    text,
    version,
    whole,
)
from mlpack_toolkit.runtimes.engine.schema import files as file_entries
from mlpack_toolkit.runtimes.engine.schema import name as bundle_name
from mlpack_toolkit.runtimes.engine.schema import path as file_path

__all__ = ["NAME", "Fault", "check_documents", "check_manifest", "check_measured", "check_paths"]

MANIFEST, MEASURED, REPORT = "manifest.json", "measurements/", "reports/report.html"
SOURCE, GIVEN = "model/source/", "environment/given/"
MOST_ROWS = 2**53
_tolerance = record({"rtol": number(0), "atol": number(0)}, closed=True)
_tolerances = mapping(_tolerance)
_unproved = record({"name": text(least=1), "version": text(), "why": text()})
_difference = record({"name": text(), "kind": text()})
_lock = record({"file": text(MOST_PART, least=1), "kind": text(), "differences": listing(_difference)})
_environment = record({}, {"vendored": flag, "unproved": listing(_unproved), "lock": text(), "given": _lock})
_given = record({}, {"object": text(), "levels": mapping(listing(text())), "arguments": mapping(scalar)})
_facts = record(
    {
        "name": bundle_name,
        "version": version,
        "mlpack": text(),
        "framework": text(),
        "title": text(),
        "notes": listing(text()),
        "source": text(least=1),
        "precision": one_of("float16", "float32", "float64"),
        "signature": signature,
        "tolerances": _tolerances,
        "tolerance_given_by_user": flag,
        "allowed": listing(text(least=1)),
        "environment": _environment,
    },
    {"given": _given},
)
"""A fact of another name is one that a later mlpack of the same format adds: nobody here reads it."""

_distribution = record(
    {"name": text(least=1), "version": text()},
    {
        "altered": listing(text()),
        "licence": maybe(text()),
        "needed": flag,
        "origin": text(),
        "requires": listing(text()),
        "tags": listing(text()),
    },
)
_interpreter = record(
    {"implementation": text(), "version": text(), "platform": text()}, {"build": anything, "compiler": text()}
)
_captured = record(
    {"interpreter": _interpreter, "libc": text(), "distributions": listing(_distribution)}, {"language": text()}
)
_count = whole(0, MOST_ROWS)
_proof = record(
    {
        "verdict": one_of("equal", "different"),
        "precision": text(),
        "rows": _count,
        "mismatches": _count,
        "tolerances": _tolerances,
    }
)
_machine = record({}, {"cpu": text(), "cpu_flags": listing(text()), "libc": text()})
_measured = record(
    {"identity": text(71, r"sha256:[0-9a-f]{64}", "sha256: and 64 digits in hex"), "files": file_entries}
)
_package = record(
    {"Version": text()},
    {
        "Archive": text(MOST_PATH),
        "Sha256": text(64),
        "Requirements": listing(text()),
        "Debian": record({"package": text(), "version": text()}),
    },
)
_renv = record({"Packages": mapping(_package)})
DOCUMENTS: Mapping[str, Check] = {
    "environment/environment.json": _captured,
    "reports/verification.json": _proof,
    "measurements/machine.json": _machine,
    "measurements/manifest.json": _measured,
    "environment/renv.lock": _renv,
}
"""By path, the documents that a command reads."""


def check_documents(path: str, plain: Any) -> None:
    """Raises `Fault` where a document of that path is not as it must be."""
    if path in DOCUMENTS:
        DOCUMENTS[path](plain, "")


def check_manifest(facts: Mapping[str, Any], paths: Iterable[str]) -> None:
    """Raises `Fault` where a fact is not as it must be, or names a file that is not listed."""
    listed = list(paths)
    check_paths(listed)
    _facts(dict(facts), "")
    outputs = {each["name"] for each in facts["signature"]["outputs"]}
    unknown = sorted(facts["tolerances"].keys() - outputs)
    if unknown:
        raise Fault(f"tolerances has {shown(unknown[0])}, which is no output of the signature")
    if facts["source"] != GRAPH and not facts["source"].startswith(SOURCE):
        raise Fault(f"source must be {GRAPH} or begin with {SOURCE}, and is {shown(facts['source'])}")
    named = {"source": facts["source"], "the graph": GRAPH}
    if "given" in facts["environment"]:
        named["environment.given.file"] = GIVEN + facts["environment"]["given"]["file"]
    for field, path in named.items():
        if path not in listed:
            raise Fault(f"{field} must be a file that the manifest lists, and {shown(path)} is not")


def check_measured(paths: Iterable[str], listed: Iterable[str]) -> None:
    """Raises `Fault` where the list of what a clock had a hand in has a file that the manifest must list."""
    check_paths([*paths, *listed])
    own = sorted(path for path in paths if not path.startswith(MEASURED) and path != REPORT)
    twice = sorted(set(paths) & set(listed))
    if own or twice:
        raise Fault(f"files has {shown((own or twice)[0])}, which is for {MANIFEST} to list")


def check_paths(paths: Iterable[str]) -> None:
    """Raises `Fault` for a path that leads elsewhere, or that a file system takes for another of them."""
    seen: dict[str, str] = {}
    for path in sorted(paths):
        file_path(path, "files")
        for folder in _with_parents(path):
            twin = seen.setdefault(_folded(folder), folder)
            if twin != folder:
                raise Fault(f"files has {shown(twin)} and {shown(folder)}, which are one file on many systems")
    folders = {parent for path in seen.values() for parent in _with_parents(path)[:-1]}
    for path in paths:
        if path in folders:
            raise Fault(f"files has {shown(path)} as a file and as a folder")


def _with_parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _folded(path: str) -> str:
    """What paths have in common that differ only in case or in how Unicode writes their letters."""
    return path if path.isascii() and path.islower() else unicodedata.normalize("NFKC", path).casefold()
