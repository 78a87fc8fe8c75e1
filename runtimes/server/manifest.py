"""Checks the parts of a bundle's manifest that a server reads, in both formats, and converts format 1 to format 2.

Format 2 has any number of variants, sources and parts. Format 1 has one of each, without a list for them:
only `in_present_words` knows how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlpack_toolkit.converters.spec import REALS

from ..engine.schema import (
    GRAPH,
    MOST_NAME,
    NAME,
    Check,
    Fault,
    anything,
    files,
    flag,
    listing,
    mapping,
    name,
    number,
    one_of,
    path,
    record,
    scalar,
    shown,
    signature,
    text,
    version,
    whole,
    wrong,
)

FORMAT = 2
"""The format that is written."""
FORMATS = (1, 2)
"""The formats that can be read."""
REFERENCE = "reference"
"""The name of the variant that every bundle has: the graph that was proved against the original."""
LIBRARY = "library"
"""The entry of a recipe that names a library of operators by its sha256; the bundle does not hold it."""
MODEL, REPORTS = "model/", "reports/"
CPU = "CPUExecutionProvider"
LANGUAGES = {"python": "python", "r": "R"}
"""The parts of a bundle of format 1, by name."""
WEIGHTS = (*REALS, "float8e4m3fn", "float8e5m2", "int4", "uint4", "int8", "uint8")

tolerances = mapping(record({"rtol": number(0), "atol": number(0)}, closed=True))
_artifact = record({"format": text(MOST_NAME, NAME), "main": path, "files": listing(path, least=1)}, closed=True)
_JUDGED = {"value": number(), "beyond": whole(0, 2**53), "bound": number(0)}
"""What came of a gate, which a variant has that was proved where it was made."""
_gate = record(
    {
        "metric": text(MOST_NAME, least=1),
        "limit": number(),
        "rows": whole(0, 2**53),
        "outputs": listing(text()),
        "sha256": text(64),
    },
    {"path": path, **_JUDGED},
)
"""The metric that holds a variant, and what came of it."""
_variant = record(
    {
        "artifact": _artifact,
        "signature": signature,
        "weights": one_of(*WEIGHTS),
        "io": one_of(*REALS),
        "provider": text(MOST_NAME, r"[A-Za-z0-9]+", "the name of an execution provider"),
        "options": mapping(scalar),
        "recipe": mapping(anything),
        "report": path,
        "tolerances": tolerances,
        "tolerance_given_by_user": flag,
    },
    {"gate": _gate, "proved": flag},
)
variants = mapping(_variant, text(MOST_NAME, NAME, "letters, digits and . _ -"))
_SERVED: Mapping[int, Check] = {
    1: record({"name": name, "version": version, "signature": signature, "files": files}),
    2: record({"name": name, "version": version, "variants": variants, "files": files}),
}


def check_served(plain: Any) -> None:
    """Raises `Fault` where a manifest of either format lacks something that a server needs."""
    record({"format": anything})(plain, "")
    if type(plain["format"]) is not int or plain["format"] not in FORMATS:
        raise wrong(plain["format"], "format", " or ".join(map(str, FORMATS)))
    _SERVED[plain["format"]](plain, "")
    check_variants(in_present_words(plain["format"], plain)["variants"], plain["files"])


def check_variants(plain: Mapping[str, Any], listed: Mapping[str, Any]) -> None:
    """Raises `Fault` where checked variants lack the reference, or name a file that is not theirs or not listed."""
    if REFERENCE not in plain:
        raise Fault(f"variants has no {REFERENCE!r}")
    if plain[REFERENCE]["provider"] != CPU:
        raise wrong(plain[REFERENCE]["provider"], f"variants[{REFERENCE!r}].provider", CPU)
    first = plain[REFERENCE]["artifact"]
    if (first["main"], first["format"]) != (GRAPH, "onnx"):
        raise Fault(f"variants[{REFERENCE!r}].artifact.main must be the ONNX file {GRAPH}, not {shown(first['main'])}")
    for variant, facts in plain.items():
        where, main = f"variants[{variant!r}].artifact", facts["artifact"]["main"]
        paths = facts["artifact"]["files"]
        folder = main.rpartition("/")[0] + "/"
        if facts.get("proved", True) and not set(_JUDGED) <= set(facts.get("gate", _JUDGED)):
            raise Fault(f"variants[{variant!r}].gate lacks one of {', '.join(_JUDGED)}")
        if main not in paths:
            raise Fault(f"{where}.files lacks {shown(main)}, which is its main file")
        for each in paths:
            if each not in listed:
                raise Fault(f"{where}.files has {shown(each)}, which the manifest does not list")
            if not each.startswith(folder) or not folder.startswith(MODEL):
                raise Fault(f"{where}.files has {shown(each)}, which is not beside its main file below {MODEL}")


def in_present_words(number: int, plain: Mapping[str, Any]) -> Mapping[str, Any]:
    """The facts of a checked manifest in format 2; `plain` itself where it has that format.

    In format 1 a server checks only the signature and the list of files, so this reads nothing else.
    """
    if number == FORMAT:
        return plain
    part = "r" if plain.get("framework") == "r" else "python"
    source = {"path": plain.get("source"), "framework": plain.get("framework"), "title": plain.get("title")}
    given = {"given": plain["given"]} if "given" in plain else {}
    return {
        **{key: plain[key] for key in ("name", "version", "mlpack", "notes", "allowed") if key in plain},
        "sources": [{**source, "part": part, **given}],
        "parts": [{"name": part, "language": LANGUAGES[part], "environment": plain.get("environment")}],
        "variants": {
            REFERENCE: {
                "artifact": {"format": "onnx", "main": GRAPH, "files": [GRAPH]},
                "signature": plain["signature"],
                "weights": plain.get("precision"),
                "io": plain.get("precision"),
                "provider": CPU,
                "options": {},
                "recipe": {},
                "report": "reports/verification.json",
                "tolerances": plain.get("tolerances"),
                "tolerance_given_by_user": plain.get("tolerance_given_by_user"),
            }
        },
    }
