"""Prints the installed distributions; run by the model's interpreter (Python 3.8 or later, standard library only).

`sys.argv[1]`, where given, is a file that caches the digests of unchanged files, by size, time of change and path, as
version control does.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import locale
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable
from importlib import metadata
from typing import Any

NUMBERS = (
    "_NUM_THREADS",
    "MKL_",
    "OPENBLAS_",
    "BLIS_",
    "KMP_",
    "GOMP_",
    "NUMPY_",
    "NPY_",
    "SKLEARN_",
    "CUDA_",
    "CUBLAS_",
)
"""Beginnings and endings of the names of environment variables that can change numbers."""
GENERATED = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json")
"""Files of a dist-info that the installer writes, which differ between installs."""


def distributions(seen: dict[str, Any]) -> list[dict[str, Any]]:
    """Every installed distribution, sorted by name. `seen`: the cached digests."""
    found = {}
    for each in metadata.distributions():
        name = each.metadata["Name"]
        if name and name not in found:
            found[name] = _distribution(each, name, seen)
    return [found[name] for name in sorted(found, key=str.lower)]


def _distribution(each: metadata.Distribution, name: str, seen: dict[str, Any]) -> dict[str, Any]:
    wheel = (each.read_text("WHEEL") or "").splitlines()
    rows = _record(each)
    origin, source, commit, folder = _origin(each)
    facts = {
        "name": name,
        "version": each.version,
        "installer": (each.read_text("INSTALLER") or "").strip(),
        "origin": origin,
        "source": source,
        "commit": commit,
        "tags": sorted(line.split(":", 1)[1].strip() for line in wheel if line.lower().startswith("tag:")),
        "requires": [str(line) for line in each.metadata.get_all("Requires-Dist") or ()],
        "licence": _licence(each.metadata),
        "tops": _tops(each, rows),
        "local": {"place": str(each.locate_file("")), "folder": folder},
    }
    facts.update(_digests(each, rows, seen))
    return facts


def _record(each: metadata.Distribution) -> list[list[str]]:
    """The rows of RECORD: path, digest, size; empty without that file."""
    return [row for row in csv.reader((each.read_text("RECORD") or "").splitlines()) if len(row) == 3]


def _origin(each: metadata.Distribution) -> tuple[str, str, str, str]:
    """The origin (index, archive, directory, editable or vcs), the public address, the commit and the local folder."""
    plain = json.loads(each.read_text("direct_url.json") or "null")
    if not plain:
        return ("conda" if _installer(each) == "conda" else "index"), "", "", ""
    url = str(plain.get("url", ""))
    folder = url[len("file://") :] if url.startswith("file://") else ""
    public = "" if folder else _without_login(url)
    if "vcs_info" in plain:
        return "vcs", public, str(plain["vcs_info"].get("commit_id", "")), folder
    if "dir_info" in plain:
        return ("editable" if plain["dir_info"].get("editable") else "directory"), public, "", folder
    return "archive", public, "", folder


def _installer(each: metadata.Distribution) -> str:
    return (each.read_text("INSTALLER") or "").strip()


def _without_login(url: str) -> str:
    scheme, found, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + found + host.rpartition("@")[2] + slash + path


def _licence(about: Any) -> str:
    stated = about.get("License-Expression") or ""
    classes = [c.split("::")[-1].strip() for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    first = (about.get("License") or "").strip().split("\n")[0]
    return str(stated or " OR ".join(sorted(classes)) or (first if len(first) < 60 else ""))


def _tops(each: metadata.Distribution, rows: list[list[str]]) -> list[str]:
    """Its top-level packages and modules."""
    tops = set((each.read_text("top_level.txt") or "").split())
    for path, _, _ in rows:
        first, _, rest = path.partition("/")
        if rest and first not in ("..", "__pycache__") and not first.endswith((".dist-info", ".data")):
            tops.add(first)
        elif not rest and first.endswith((".py", ".so", ".pyd")):
            tops.add(first.split(".")[0])
    return sorted(tops)


def _digests(each: metadata.Distribution, rows: list[list[str]], seen: dict[str, Any]) -> dict[str, Any]:
    """`record`: digest of RECORD's rows of the publisher's files. `altered`: files that differ from their row."""
    hashed = sorted((path, digest) for path, digest, _ in rows if digest and not generated(path))
    stamp = hashlib.sha256()
    for path, digest in hashed:
        stamp.update(f"{path},{digest},{_stat(each.locate_file(path))}\n".encode())
    key = str(each.locate_file("")) + each.metadata["Name"]
    if seen.get(key, {}).get("stamp") != stamp.hexdigest():
        altered = [path for path, digest in hashed if _digest(each.locate_file(path), digest) != digest]
        seen[key] = {"stamp": stamp.hexdigest(), "altered": altered}
    return {"files": len(hashed), "altered": seen[key]["altered"], "record": record_digest(hashed)}


def record_digest(rows: Iterable[tuple[str, str]]) -> str:
    """`sha256:` of the sorted rows (path, digest) below site-packages, by which two RECORDs are compared."""
    kept = sorted((path, digest) for path, digest in rows if not path.startswith("../") and not generated(path))
    lines = "".join(f"{path},{digest}\n" for path, digest in kept)
    return "sha256:" + hashlib.sha256(lines.encode()).hexdigest() if kept else ""


def generated(path: str) -> bool:
    """Whether the installer wrote the file: a script, or its notes in a dist-info."""
    folder, _, name = path.rpartition("/")
    script = path.startswith("../") and "/bin/" in path
    return script or (folder.endswith(".dist-info") and name in GENERATED)


def _stat(path: Any) -> str:
    try:
        found = os.stat(str(path))
    except OSError:
        return "gone"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"


def _digest(path: Any, like: str) -> str:
    """The file's digest, written as RECORD writes it, by the same algorithm."""
    kind = like.partition("=")[0]
    try:
        with open(str(path), "rb") as file:
            found = hashlib.new(kind, file.read()).digest()
    except (OSError, ValueError):
        return "gone"
    return kind + "=" + base64.urlsafe_b64encode(found).rstrip(b"=").decode()


def interpreter() -> dict[str, Any]:
    """Describes this Python, without paths."""
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": list(platform.python_build()),
        "compiler": platform.python_compiler(),
        "cache_tag": sys.implementation.cache_tag,
        "platform": sysconfig.get_platform(),
        "byteorder": sys.byteorder,
    }


def settings() -> dict[str, Any]:
    """Settings of the process that can change numbers."""
    names = (n for n in sorted(os.environ) if any(n.startswith(w) or n.endswith(w) for w in NUMBERS))
    return {
        "locale": ".".join(filter(None, locale.getlocale())),
        "encoding": locale.getpreferredencoding(False),
        "variables": {name: os.environ[name] for name in names},
    }


def markers() -> dict[str, str]:
    """This interpreter's values of the environment markers."""
    version = platform.python_version()
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": "",
        "platform_system": platform.system(),
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(map(str, sys.version_info[:2])),
        "sys_platform": sys.platform,
    }


def _remembered(memory: str) -> dict[str, Any]:
    """The cached digests; empty where the file was changed since it was written."""
    with open(memory, encoding="utf-8", errors="replace") as file:
        digest, _, text = file.read().partition("\n")
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        return {}
    found: dict[str, Any] = json.loads(text)
    return found


def main(memory: str | None) -> None:
    """Prints everything as JSON. `memory`: the file of cached digests, or None."""
    seen: dict[str, Any] = {}
    if memory and os.path.isfile(memory):
        seen = _remembered(memory)
    before = json.dumps(seen, sort_keys=True)
    facts = {
        "interpreter": interpreter(),
        "libc": " ".join(platform.libc_ver()),
        "distributions": distributions(seen),
        "local": {"prefix": sys.prefix, "settings": settings(), "markers": markers()},
    }
    if memory and json.dumps(seen, sort_keys=True) != before:
        beside = f"{memory}.{os.getpid()}"
        text = json.dumps(seen)
        with open(beside, "w", encoding="utf-8") as file:
            file.write(hashlib.sha256(text.encode()).hexdigest() + "\n" + text)
        os.replace(beside, memory)
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
