"""Compares two environments by their `environment/environment.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .fields import changed_fields, flat

INTERPRETER = ("implementation", "version", "platform", "build", "compiler", "cache_tag", "byteorder")
OWN_PARTS = ("format", "interpreter", "distributions")
ANY_VERSION = ("needed", "origin", "source", "commit", "licence", "altered")
SAME_VERSION = (*ANY_VERSION, "tags", "record")
CONTENT = ("record", "altered")
Environment = Mapping[str, Any]
Distribution = Mapping[str, Any]


def environment_changes(a: Environment, b: Environment) -> dict[str, Any]:
    """The changes from `a` to `b`; distributions that the model needs come first.

    `untold`: fields that one side's capture lacks for every distribution, so that they cannot be compared.
    """
    before, after = _by_name(a), _by_name(b)
    changed = (_changed(before[key], after[key]) for key in before.keys() & after.keys())
    return {
        "interpreter": changed_fields(a.get("interpreter", {}), b.get("interpreter", {}), INTERPRETER),
        "system": _system_changes(a, b),
        "distributions": {
            "added": _ordered(_one(after[key]) for key in after.keys() - before.keys()),
            "removed": _ordered(_one(before[key]) for key in before.keys() - after.keys()),
            "changed": _ordered(each for each in changed if each is not None),
        },
        "untold": _untold(before, after),
    }


def _system_changes(a: Environment, b: Environment) -> list[dict[str, Any]]:
    """Changes in the rest of the capture: the libc and the settings that change numbers."""
    before, after = (flat({k: v for k, v in x.items() if k not in OWN_PARTS}) for x in (a, b))
    return changed_fields(before, after, sorted({*before, *after}))


def unproved_changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The distributions that are unproved on one side only, with the reasons, from the manifests' facts."""
    before, after = list(a.get("unproved", ())), list(b.get("unproved", ()))
    return {"added": [u for u in after if u not in before], "removed": [u for u in before if u not in after]}


def _by_name(environment: Environment) -> dict[str, Distribution]:
    """The distributions by normalized name (PEP 503)."""
    return {re.sub(r"[-_.]+", "-", d["name"]).lower(): d for d in environment.get("distributions", ())}


def _ordered(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda d: (not d["needed"], d["name"].lower()))


def _one(each: Distribution) -> dict[str, Any]:
    return {"name": each["name"], "needed": bool(each.get("needed")), "version": each["version"]}


def _changed(a: Distribution, b: Distribution) -> dict[str, Any] | None:
    """The change of one distribution; None where it is unchanged.

    `other_content`: the version is the same, but the installed files differ.
    """
    same = a["version"] == b["version"]
    common = [field for field in (SAME_VERSION if same else ANY_VERSION) if field in a and field in b]
    fields = changed_fields(a, b, common)
    if same and not fields:
        return None
    return {
        "name": b["name"],
        "needed": bool(a.get("needed") or b.get("needed")),
        "from": a["version"],
        "to": b["version"],
        "other_content": same and any(f["field"] in CONTENT for f in fields),
        "changes": fields,
    }


def _untold(a: Mapping[str, Distribution], b: Mapping[str, Distribution]) -> list[dict[str, str]]:
    """The fields that only one side has, each with the side that lacks it."""
    known = [{field for each in side.values() for field in each} for side in (a, b)]
    return [
        {"field": field, "side": "b" if field in known[0] else "a"}
        for field in SAME_VERSION
        if a and b and (field in known[0]) != (field in known[1])
    ]
