"""Run by the model's own interpreter (Python 3.8 and later, standard library only): prints what is installed."""

from __future__ import annotations

import json
import platform
import sys
import sysconfig
from importlib import metadata


def distributions() -> list[dict[str, str]]:
    """Name, version and installer of every installed distribution, sorted."""
    found = {}
    for each in metadata.distributions():
        name = each.metadata["Name"]
        if name and name not in found:
            installer = (each.read_text("INSTALLER") or "").strip()
            found[name] = {"name": name, "version": each.version, "installer": installer}
    return [found[name] for name in sorted(found, key=str.lower)]


def interpreter() -> dict[str, object]:
    """Which Python this is; no paths."""
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "build": list(platform.python_build()),
        "compiler": platform.python_compiler(),
        "cache_tag": sys.implementation.cache_tag,
        "platform": sysconfig.get_platform(),
        "byteorder": sys.byteorder,
    }


if __name__ == "__main__":
    facts = {
        "interpreter": interpreter(),
        "libc": " ".join(platform.libc_ver()),
        "distributions": distributions(),
    }
    json.dump(facts, sys.stdout)
