"""Run as a program: files under the guard alone, without the scan, with a canary. Prints one JSON object.

Arguments: a folder to work in. The canary is a function that a file may mention, and whose call is what an attacker
wants; an audit hook hears of programs, sockets and files.
"""

from __future__ import annotations

import io
import json
import pickle
import sys
import types
from collections.abc import Iterator
from typing import Any

from mlpack_toolkit.converters._trust.guard import Guard, Trusted
from mlpack_toolkit.converters._trust.rules import Refused
from mlpack_toolkit.converters._trust.unpickler import guarded
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names

from .attacks import dtypes, hostile, later, loading
from .forge import G, written

FIRE = "canary.fire"
heard: list[str] = []
_PROGRAMS = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "socket.connect", "os.remove")


def _hook(event: str, args: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event in _PROGRAMS or writes:
        heard.append(f"{event} {args}")


def forms() -> Iterator[tuple[str, Any]]:
    """What to load, and what to call it."""
    fire = G(FIRE)
    yield from {**loading(fire), **later(fire), **dtypes()}.items()
    for name in sorted(allowed_names()):
        for i, form in enumerate(hostile(G(name), fire)):
            yield f"{name} {i}", form


def loads(data: bytes, trusted: Trusted) -> str:
    """How loading ends: `refused`, `loaded`, or the name of the error."""
    loader = guarded(pickle._Unpickler)(io.BytesIO(data))
    loader.guard = Guard(trusted)
    try:
        loader.load()
    except Refused:
        return "refused"
    except Exception as error:
        return type(error).__name__
    return "loaded"


def main() -> None:
    canary = types.ModuleType("canary")
    canary.fire = lambda *args, **named: heard.append("the canary")  # type: ignore[attr-defined]
    sys.modules["canary"] = canary
    referred = {*referred_names(), FIRE}
    trusted = Trusted({*allowed_names(), *referred}, (), referred)
    ends: dict[str, list[str]] = {}
    fired: list[str] = []
    for protocol in (2, 4):
        loads(written(G("xgboost.core.Booster"), protocol), trusted)  # frameworks open files when they are imported
    sys.addaudithook(_hook)
    for what, form in forms():
        heard.clear()
        print(what, file=sys.stderr)
        ends.setdefault(loads(written(form, 4), trusted), []).append(what)
        if heard:
            fired.append(f"{what}: {heard[0]}")
    print(json.dumps({"ends": ends, "fired": fired}))


if __name__ == "__main__":
    main()
