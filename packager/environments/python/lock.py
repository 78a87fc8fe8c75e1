"""Locks a captured environment to the installed wheels, as pylock.toml and requirements.txt."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .capture import Captured
from .index import Found, find
from .wheels import Wheel, built, fetch, rebuilt

WHEELS = "wheels"


@dataclass(frozen=True)
class Lock:
    """`files`: by path in the environment's folder. `unproved`: name, version and why it is not shown to be the
    publisher's."""

    files: dict[str, bytes]
    unproved: tuple[dict[str, str], ...]
    vendored: bool

    def facts(self) -> dict[str, Any]:
        """The manifest's entry."""
        return {"vendored": self.vendored, "unproved": list(self.unproved)}


def lock(captured: Captured, found: Found, needed: frozenset[str], vendor: bool) -> Lock:
    """Exact pins of the installed distributions, never re-solved; with `vendor` also the wheels, rebuilt where the
    index has none."""
    with tempfile.TemporaryDirectory(prefix="mlpack-") as name:
        wheels = _vendored(captured, found, Path(name)) if vendor else found
        held = {f"{WHEELS}/{path.name}": path.read_bytes() for path in sorted(Path(name).glob("*.whl"))}
    unproved = tuple(_unproved(each, found[each["name"]]) for each in captured.distributions if not _of_conda(each))
    doubts = tuple(doubt for doubt in unproved if doubt)
    pinned = {each["name"]: w for each in captured.distributions if isinstance(w := wheels[each["name"]], Wheel)}
    versions = {each["name"]: each["version"] for each in captured.distributions}
    files = {
        "pylock.toml": _pylock(captured, pinned, versions, needed, doubts, vendor),
        "requirements.txt": _requirements(pinned, versions),
    }
    return Lock(files | held, doubts, vendor)


def look_up(captured: Captured) -> Found:
    """The index's wheel of each distribution, or the reason for there being none."""
    return find(captured.distributions, captured.local["markers"]["python_full_version"])


def _vendored(captured: Captured, found: Found, folder: Path) -> Found:
    """Puts the wheels into the folder: the publisher's where its RECORD is the installed one, else one rebuilt from the
    installed files."""
    wheels: Found = {}
    for each in captured.distributions:
        wheel, place = found[each["name"]], Path(each["local"]["place"])
        if _of_conda(each):
            wheels[each["name"]] = wheel
        elif each["origin"] == "editable":
            wheels[each["name"]] = built(each, Path(each["local"]["folder"]), folder)
        elif not each["record"]:
            wheels[each["name"]] = wheel
        elif isinstance(wheel, Wheel) and not _unproved(each, wheel):
            fetch(wheel, folder)
            wheels[each["name"]] = wheel
        else:
            wheels[each["name"]] = rebuilt(each, place, folder)
    return wheels


def _of_conda(each: Mapping[str, Any]) -> bool:
    """Whether conda's own lock contains it."""
    return bool(each["origin"] == "conda")


def _unproved(each: Mapping[str, Any], wheel: Wheel | str) -> dict[str, str]:
    """The reason why the wheel is not proved to be the installed one; empty where its RECORD proves every file."""
    if isinstance(wheel, str):
        why = wheel
    elif wheel.record != each["record"]:
        why = "the index's wheel contains other files than the installed ones"
    else:
        why = ""
    if each["altered"]:
        count = len(each["altered"])
        shown = ", ".join(each["altered"][:3]) + (", …" if count > 3 else "")
        which = "1 installed file differs" if count == 1 else f"{count} installed files differ"
        why = f"{which} from its RECORD: {shown}" + (f"; {why}" if why else "")
    return {"name": each["name"], "version": each["version"], "why": why} if why else {}


def _pylock(
    captured: Captured,
    pinned: Mapping[str, Wheel],
    versions: Mapping[str, str],
    needed: frozenset[str],
    doubts: tuple[dict[str, str], ...],
    vendor: bool,
) -> bytes:
    import tomli_w
    from packaging.pylock import Pylock
    from packaging.utils import canonicalize_name

    markers = captured.local["markers"]
    plain = {
        "lock-version": "1.0",
        "created-by": "mlpack",
        "requires-python": f"=={markers['python_version']}.*",
        "environments": [" and ".join(f"{k} == '{markers[k]}'" for k in _FIXED)],
        "packages": [
            {
                "name": canonicalize_name(name),
                "version": versions[name],
                "wheels": [_wheel(pinned[name], vendor)],
            }
            for name in sorted(pinned, key=canonicalize_name)
        ],
        "tool": {
            "mlpack": {
                "interpreter": captured.facts["interpreter"],
                "libc": captured.facts["libc"],
                "needed": sorted(needed),
                "made-here": sorted(canonicalize_name(n) for n, w in pinned.items() if w.made),
                "unproved": list(doubts),
            }
        },
    }
    Pylock.from_dict(plain).validate()
    return tomli_w.dumps(plain).encode()


_FIXED = ("sys_platform", "platform_machine", "implementation_name")


def _wheel(wheel: Wheel, vendor: bool) -> dict[str, Any]:
    place = {"url": wheel.url} if wheel.url and not vendor else {"path": f"wheels/{wheel.file}"}
    return {"name": wheel.file, **place, "size": wheel.size, "hashes": {"sha256": wheel.sha256}}


def _requirements(pinned: Mapping[str, Wheel], versions: Mapping[str, str]) -> bytes:
    """The same pins for tools that cannot read pylock.toml."""
    lines = [
        f"{name}=={versions[name]} --hash=sha256:{pinned[name].sha256}\n" for name in sorted(pinned, key=str.lower)
    ]
    return "".join(lines).encode()
