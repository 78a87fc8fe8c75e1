"""Reads a bundle's `pylock.toml` as untrusted input: wheels by digest, from the bundle or the public index only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpack_toolkit.runtimes.engine.schema import SHA256, Check, Fault, listing, record, text, whole

from ...errors import DamagedError

NAME = "pylock.toml"
PUBLIC = "https://files.pythonhosted.org/"
"""The public index's address of files, the only one that a lock may name."""
MOST_BYTES = 32 << 20
_file = text(255, r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*\.whl", "the name of a wheel")
_hashes = record({"sha256": text(64, SHA256, "a sha256 in hex")}, closed=True)
_place = {
    "path": text(300, r"wheels/[A-Za-z0-9_][A-Za-z0-9_.+!-]*\.whl", "a wheel in the bundle's folder wheels"),
    "url": text(2000, PUBLIC.replace(".", r"\.") + r"[A-Za-z0-9_.+!%/-]+\.whl", f"a wheel below {PUBLIC}"),
}
_wheel = record({"name": _file, "hashes": _hashes}, {**_place, "size": whole(0, 2**40)}, closed=True)
_package = record(
    {
        "name": text(200, r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", "the name of a distribution"),
        "version": text(200, r"[A-Za-z0-9][A-Za-z0-9.!+_-]*", "a version"),
        "wheels": listing(_wheel, least=1, most=1),
    },
    closed=True,
)
_lock: Check = record({"packages": listing(_package)})
Package = Mapping[str, Any]


def read_pylock(folder: Path) -> Sequence[Package]:
    """The packages of the lock, each with its one wheel; `DamagedError` for a lock with anything else."""
    import tomllib

    try:
        raw = (folder / NAME).read_bytes()
        if len(raw) > MOST_BYTES:
            raise Fault(f"it has {len(raw)} bytes, and at most {MOST_BYTES} are read")
        plain = tomllib.loads(raw.decode())
        _lock(plain, "")
    except (OSError, ValueError, RecursionError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise DamagedError(f"{NAME} cannot be read as a lock of wheels: {said}") from error
    packages: Sequence[Package] = plain["packages"]
    return packages


def requirements(packages: Sequence[Package]) -> str:
    """The same pins for tools that cannot read pylock.toml, written from the checked packages, not from the bundle."""
    lines = (f"{p['name']}=={p['version']} --hash=sha256:{p['wheels'][0]['hashes']['sha256']}\n" for p in packages)
    return "".join(lines)
