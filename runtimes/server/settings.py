"""A server's settings, from options and from the variables that platforms set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..engine.errors import NoModel
from .manifest import CPU

PORT = 8080
PORTS = ("SAGEMAKER_BIND_TO_PORT", "AIP_HTTP_PORT", "PORT")
"""Variables for the port: the first that is set wins, and an option wins over all."""


@dataclass(frozen=True)
class Settings:
    """The address to listen on, and limits; those on requests, connections and bodies apply to each worker.

    `threads`: ONNX Runtime's, per request. `requests`: the most in work. `buffer`: the most bytes of bodies at once.
    `seconds`: for a request to arrive, and for an answer. `grace`: to finish accepted requests after SIGTERM.
    `awake`: microseconds that a worker polls after an answer before it sleeps. `provider`: ONNX Runtime's name of the
    one that answers, or nobody does; `provider_options`: its options.
    """

    host: str = "0.0.0.0"
    port: int = PORT
    grpc_port: int = 0
    workers: int = 1
    threads: int = 1
    body: int = 16 << 20
    rows: int = 100_000
    requests: int = 128
    connections: int = 2048
    header: int = 64 << 10
    buffer: int = 128 << 20
    seconds: int = 60
    grace: int = 25
    awake: int = 50
    health_route: str = ""
    predict_route: str = ""
    provider: str = CPU
    provider_options: tuple[tuple[str, str], ...] = ()


_VARIABLES = {
    "HOST": "host",
    "WORKERS": "workers",
    "THREADS": "threads",
    "MAX_BODY": "body",
    "MAX_ROWS": "rows",
    "MAX_REQUESTS": "requests",
    "MAX_CONNECTIONS": "connections",
    "MAX_HEADER": "header",
    "MAX_BUFFER": "buffer",
    "REQUEST_SECONDS": "seconds",
    "GRACE_SECONDS": "grace",
    "AWAKE_MICROSECONDS": "awake",
    "GRPC_PORT": "grpc_port",
}
VARIABLES = tuple(f"MLPACK_{name}" for name in _VARIABLES)


PROVIDER = "MLPACK_PROVIDER"
"""The variable for the execution provider, `NAME` or `NAME:option=value,option=value`."""
_PROVIDER = re.compile(r"[A-Za-z0-9]{1,100}(?::\w{1,100}=[\w.-]{1,100}(?:,\w{1,100}=[\w.-]{1,100}){0,99})?", re.ASCII)
LIBRARY = "MLPACK_KERNELS"
"""The variable for the path of mlpack's own operators, with which a variant of a bundle was proved."""


TUNING = "MLPACK_TUNING"
"""The variable that turns a choice of `mlpack tune` off: 0."""


def is_tuned(environment: Mapping[str, str]) -> bool:
    """Whether a choice of `mlpack tune` is used: not where it is turned off, or the threads are said."""
    return environment.get(TUNING, "") != "0" and not environment.get("MLPACK_THREADS", "")


def library_given(environment: Mapping[str, str]) -> Path | None:
    """The library of native operators that the machine's owner names; None: no variant that needs one answers."""
    given = environment.get(LIBRARY, "")
    return Path(given) if given else None


def from_environment(environment: Mapping[str, str], **options: Any) -> Settings:
    """The settings from the variables and the given options; raises `NoModel`."""
    found: dict[str, Any] = {}
    for name, attribute in _VARIABLES.items():
        text = environment.get(f"MLPACK_{name}", "")
        if text:
            found[attribute] = text if attribute == "host" else _number(f"MLPACK_{name}", text)
    port = next((name for name in PORTS if environment.get(name)), None)
    if port is not None:
        found["port"] = _number(port, environment[port])
    found["health_route"] = environment.get("AIP_HEALTH_ROUTE", "")
    found["predict_route"] = environment.get("AIP_PREDICT_ROUTE", "")
    found |= _provider(environment.get(PROVIDER, ""))
    settings = replace(Settings(), **found)
    return replace(settings, **{name: value for name, value in options.items() if value is not None})


def _provider(given: str) -> dict[str, Any]:
    if not given:
        return {}
    if not _PROVIDER.fullmatch(given):
        raise NoModel(f"the variable {PROVIDER} must be NAME or NAME:option=value,option=value, not {given[:200]!r}")
    name, _, options = given.partition(":")
    pairs = (each.partition("=") for each in options.split(",") if each)
    return {"provider": name, "provider_options": tuple((key, value) for key, _, value in pairs)}


def _number(name: str, text: str) -> int:
    least = 0 if name.endswith(("PORT", "MICROSECONDS")) else 1
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < least:
        raise NoModel(f"the variable {name} must be a whole number from {least}, not {text!r}")
    return int(text)
