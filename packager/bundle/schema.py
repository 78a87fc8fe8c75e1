"""The schema of a bundle: of its manifest, and of the parts of its other documents that commands read.

The checks and the signature's schema are the server's (`runtimes/engine/schema.py`), so that there is only one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from mlpack_toolkit.converters.plugin import FILE, FLAG, FUNCTION, MODEL, NUMBER, PAIR, PROGRAM, TEXT, Option
from mlpack_toolkit.converters.spec import REALS
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
from mlpack_toolkit.runtimes.server.manifest import (
    FORMAT,
    REPORTS,
    check_variants,
    in_present_words,
    tolerances,
    variants,
)

from ..declared import declared
from ..language.schema import DOCUMENTS as OF_LANGUAGE
from ..language.schema import generation_facts, text_facts
from .layout import LAYOUTS, Layout
from .layout import NAME as MANIFEST

__all__ = ["NAME", "Fault", "check_documents", "check_evidence", "check_manifest", "check_paths"]

SOURCE = "model/source/"
MOST_ROWS = 2**53
_unproved = record({"name": text(least=1), "version": text(), "why": text()})
_difference = record({"name": text(), "kind": text()})
_lock = record({"file": text(MOST_PART, least=1), "kind": text(), "differences": listing(_difference)})
_environment = record({}, {"vendored": flag, "unproved": listing(_unproved), "lock": text(), "given": _lock})
_common = {
    "name": bundle_name,
    "version": version,
    "mlpack": text(),
    "notes": listing(text()),
    "allowed": listing(text(least=1)),
}
_first = record(
    {
        **_common,
        "framework": text(),
        "title": text(),
        "source": text(least=1),
        "precision": one_of(*REALS),
        "signature": signature,
        "tolerances": tolerances,
        "tolerance_given_by_user": flag,
        "environment": _environment,
    },
    {"given": mapping(anything)},
)
_source = record(
    {"path": text(least=1), "framework": text(), "title": text(), "part": text(MOST_PART)}, {"given": mapping(anything)}
)
_part_name = text(MOST_PART, "[a-z][a-z0-9]*", "lower-case letters and digits")
_part = record({"name": _part_name, "language": text(), "environment": _environment})
_second = record(
    {**_common, "sources": listing(_source, least=1), "parts": listing(_part, least=1), "variants": variants},
    {"text": text_facts, "generation": generation_facts},
)
_FACTS: Mapping[int, Check] = {1: _first, 2: _second}
"""Unknown facts are allowed: a later mlpack of the same format may add some. Nothing here reads them."""

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
        "tolerances": tolerances,
    }
)
_variant_report = record(
    {
        "verdict": one_of("within the limit", "equal", "not proved"),
        "variant": text(),
        "kind": text(),
        "bytes": _count,
        "nodes": mapping(_count),
        "put_back": listing(text()),
    }
)
_machine = record({}, {"cpu": text(), "cpu_flags": listing(text()), "libc": text()})
_listed_apart = record(
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
_KEPT: Mapping[str, Check] = {
    TEXT: text(),
    NUMBER: number(),
    FLAG: flag,
    FILE: mapping(listing(text())),
    PROGRAM: text(),
    PAIR: mapping(scalar),
    FUNCTION: text(),
}
"""By kind of option, the schema of its value in a bundle."""
DOCUMENTS: Mapping[str, Check] = {
    r"environment/(?:[^/]+/)?environment\.json": _captured,
    r"reports/[^/]+\.json": _proof,
    r"reports/variants/[^/]+\.json": _variant_report,
    r"(?:evidence/)?measurements/machine\.json": _machine,
    r"(?:evidence|measurements)/manifest\.json": _listed_apart,
    r"renv\.lock": _renv,
    **OF_LANGUAGE,
}
"""By a pattern of the path, the schema of a document that a command reads; R's lock by its path in the environment's
folder."""


def check_documents(path: str, plain: Any) -> None:
    """Raises `Fault` where the document at that path does not fit its schema."""
    for form, check in DOCUMENTS.items():
        if re.fullmatch(form, path):
            check(plain, "")


def check_manifest(facts: Mapping[str, Any], paths: Iterable[str], format: int = FORMAT) -> None:
    """Raises `Fault` where a fact does not fit its schema, or names a file that is not listed."""
    listed = dict.fromkeys(paths)
    layout = LAYOUTS[format]
    check_paths(listed)
    _FACTS[format](dict(facts), "")
    if format == FORMAT and (outside := sorted(filter(layout.is_evidence, listed))):
        raise Fault(f"files has {shown(outside[0])}, which is outside the identity")
    present = in_present_words(format, facts)
    check_variants(present["variants"], listed)
    for name, variant in present["variants"].items():
        _check_proof(name, variant, listed if format == FORMAT else None)
    _check_sources(present, listed)
    _check_language(facts, listed)
    for i, part in enumerate(present["parts"]):
        if "given" in part["environment"]:
            given = layout.environment(part["name"]) + "given/" + part["environment"]["given"]["file"]
            _check_listed(f"parts[{i}].environment.given.file", given, listed)


def _check_proof(name: str, plain: Mapping[str, Any], listed: Mapping[str, Any] | None) -> None:
    """`listed`: None where the format does not name the report."""
    outputs = {each["name"] for each in plain["signature"]["outputs"]}
    unknown = sorted(plain["tolerances"].keys() - outputs)
    if unknown:
        raise Fault(f"tolerances has {shown(unknown[0])}, which is no output of the signature")
    if listed is not None:
        if not plain["report"].startswith(REPORTS):
            raise Fault(f"variants[{name!r}].report must begin with {REPORTS}, and is {shown(plain['report'])}")
        _check_listed(f"variants[{name!r}].report", plain["report"], listed)
        if path := plain.get("gate", {}).get("path"):
            _check_listed(f"variants[{name!r}].gate.path", path, listed)


def _check_given(framework: str, given: Mapping[str, Any]) -> None:
    """Raises `Fault` where the value of an option does not fit its kind; ignores options that are not declared."""
    options = (each for each in declared().get(framework, ()) if each.scope == MODEL)
    record({}, {each.kept_as: _kept(each) for each in options})(given, "given")


def _kept(option: Option) -> Check:
    several = option.repeatable and option.kind != PAIR
    return listing(_KEPT[option.kind]) if several else _KEPT[option.kind]


def _check_sources(facts: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
    parts = [part["name"] for part in facts["parts"]]
    twice = [name for i, name in enumerate(parts) if name in parts[:i]]
    if twice:
        raise Fault(f"parts has two of the name {shown(twice[0])}")
    for i, source in enumerate(facts["sources"]):
        if source["path"] != GRAPH and not source["path"].startswith(SOURCE):
            raise Fault(f"sources[{i}].path must be {GRAPH} or begin with {SOURCE}, and is {shown(source['path'])}")
        _check_listed(f"sources[{i}].path", source["path"], listed)
        _check_given(source["framework"], source.get("given", {}))
        if source["part"] not in parts:
            raise Fault(f"sources[{i}].part must be one of parts ({', '.join(parts)}), not {shown(source['part'])}")


def _check_language(facts: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
    """Raises `Fault` where a file of the tokeniser, of chats or of sequences is not listed."""
    own, chat = facts.get("text", {}), facts.get("text", {}).get("chat", {})
    places = {"text": own, "text.chat": chat, "generation": facts.get("generation", {})}
    for where, found in places.items():
        for key in ("tokenizer", "template", "golden", "report"):
            if key in found:
                _check_listed(f"{where}.{key}", found[key], listed)


def _check_listed(field: str, path: str, listed: Mapping[str, Any]) -> None:
    if path not in listed:
        raise Fault(f"{field} must be a file that the manifest lists, and {shown(path)} is not")


def check_evidence(layout: Layout, paths: Iterable[str], listed: Iterable[str]) -> None:
    """Raises `Fault` where the list of evidence has a file that the manifest must list."""
    check_paths([*paths, *listed])
    own = sorted(path for path in paths if not layout.is_evidence(path) or path == layout.list)
    twice = sorted(set(paths) & set(listed))
    if own or twice:
        raise Fault(f"files has {shown((own or twice)[0])}, which is for {MANIFEST} to list")


def check_paths(paths: Iterable[str]) -> None:
    """Raises `Fault` for a path that leaves the bundle, or that some file system cannot distinguish from another."""
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
    """The path in a form that is equal for paths that differ only in case or in Unicode normalization."""
    return path if path.isascii() and path.islower() else unicodedata.normalize("NFKC", path).casefold()
