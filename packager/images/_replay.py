"""Replays every golden case over HTTP against an image's container; raises `MismatchError` for a difference."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mlpack_toolkit.converters.spec import Signature, Table
from mlpack_toolkit.runtimes.engine.tensors import array_of

from ..bundle.golden import REQUEST, GoldenCase, Half
from ..bundle.reader import Bundle
from ..equivalence.comparison import differences
from ..errors import DamagedError, MismatchError
from ._engine import Running, find, running
from .spec import Built

SECONDS = 120
MEMORY = 1 << 30
"""Memory for the server in bytes, besides the memory for loading the graph."""


def replay(bundle: Bundle, built: Built, port: int = 8080, on_gpu: bool = False) -> dict[str, Any]:
    """The number of replayed cases and the engine; `replayed` is None where there is no engine.

    `on_gpu`: the container gets the machine's GPUs.
    """
    engine = find()
    if isinstance(engine, str):
        return {"replayed": None, "why": engine}
    if on_gpu and not engine.has_gpus:
        return {"replayed": None, "why": "the container engine has no GPUs: replay the cases where it has"}
    memory = MEMORY + 4 * bundle.graph.size
    with running(engine, built.loaded(engine), port, memory, on_gpu) as container:
        _wait(container)
        cases, first = 0, 0.0
        for case, request in _cases(bundle):
            hold(case, bundle.signature, *_asked(container, bundle, request))
            first = first or time.perf_counter() - container.began
            cases += 1
    if not cases:
        raise DamagedError(f"the bundle {bundle.place} contains no golden case")
    return {"replayed": {"engine": engine.version, "cases": cases, "first_answer_s": round(first, 3)}}


def _cases(bundle: Bundle) -> Iterator[tuple[GoldenCase, Half]]:
    for case in bundle.golden():
        yield case, bundle.half(case.identifier, REQUEST)


def _wait(container: Running) -> None:
    """Waits until the server is ready; raises `MismatchError` with its output where it ends before."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until and (container.port or container.alive()):
        try:
            if _call(container, "GET", "/v2/health/ready")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            if not container.alive():
                break
        time.sleep(0.01)
    raise MismatchError(f"the image's server was not ready within {SECONDS} s; it said:\n{container.said()}")


def _asked(container: Running, bundle: Bundle, request: Half) -> tuple[int, bytes]:
    path = f"/v2/models/{quote(bundle.name)}/versions/{quote(bundle.version)}/infer"
    try:
        return _call(container, "POST", path, *request.body())
    except (OSError, http.client.HTTPException) as error:
        raise MismatchError(f"the image's server did not answer ({error!r}); it said:\n{container.said()}") from error


def _call(
    container: Running, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def hold(case: GoldenCase, signature: Signature, status: int, body: bytes) -> None:
    """Compares an HTTP response with the original's answer; raises `MismatchError`."""
    said = f"{case.identifier} ({case.probe}): the image"
    if case.error:
        if not 400 <= status < 500:
            raise MismatchError(f"{said} answers {status}, where the original refuses the rows")
        return
    if status != 200:
        words = body[:300].decode("utf-8", "replace")
        raise MismatchError(f"{said} answers {status}, where the original gives numbers: {words}")
    got = _read(said, body)
    if set(got) != set(case.answers):
        raise MismatchError(f"{said} gives {', '.join(sorted(got))}, the original {', '.join(sorted(case.answers))}")
    rows = differences(case, got, signature)
    if rows:
        raise MismatchError(f"{said} does not answer like the original", worst=rows)


def _read(said: str, body: bytes) -> Table:
    try:
        return {str(t["name"]): array_of(t) for t in json.loads(body)["outputs"]}
    except (ValueError, KeyError, TypeError) as error:
        raise MismatchError(f"{said} gives no valid answer: {error!r}") from error
