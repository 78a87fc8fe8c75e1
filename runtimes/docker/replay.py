#!/usr/bin/env python3
"""Posts every golden case to a server and compares its answers with the recorded ones.

Needs Python 3.9 or later and nothing else. Exit code 0: all answered as recorded; 1: not; 2: wrong usage.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import quote, urlsplit

HERE = Path(__file__).resolve().parent
SECONDS = 60
WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
REAL = {"FP16": "e", "FP32": "f", "FP64": "d"}
RAW = {"INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q"}
RAW.update(REAL, BOOL="?", BF16="H")
"""By datatype, the format of a number for `struct`."""
STEERS = ("MLPACK_", "AIP_", "SAGEMAKER_")
"""Prefixes of variables that configure the server, which a server started here must not inherit."""


class Fault(Exception):
    """Raised with the reason where nothing can be compared."""


def main() -> int:
    """Replays as the command line requests and returns the exit code."""
    options = _options()
    try:
        folder = _golden(options.golden)
        if options.start is None:
            return _replay(options.url, folder, options.wait)
        with _started(options.start or _own_server(folder), options.wait) as url:
            return _replay(url, folder, options.wait)
    except Fault as fault:
        print(f"replay: {fault}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8080", help="where the server is (%(default)s)")
    parser.add_argument("--golden", type=Path, help="the folder of golden cases; default: the bundle's own")
    parser.add_argument("--wait", type=float, default=SECONDS, help="seconds until it must be ready (%(default)s)")
    parser.add_argument(
        "--start",
        nargs=argparse.REMAINDER,
        metavar="COMMAND",
        help="start a server on a free port first, by default the one beside this file; must come last",
    )
    return parser.parse_args()


def _golden(given: Path | None) -> Path:
    """The folder of golden cases: the given one, or that of the bundle with this file."""
    places = [given] if given else [HERE / "golden", HERE.parent.parent / "golden"]
    found = next((place for place in places if place.is_dir() and any(place.glob("*.request.json"))), None)
    if found is None:
        raise Fault(f"there is no golden case in {' or '.join(map(str, places))}: name their folder with --golden")
    return found


def _replay(url: str, folder: Path, wait: float) -> int:
    base = urlsplit(url if "//" in url else f"//{url}", "http")
    if not base.hostname or base.scheme not in ("http", "https"):
        raise Fault(f"{url!r} is not the URL of a server")
    _wait(base, wait)
    requests = sorted(folder.glob("*.request.json"))
    path = f"{base.path.rstrip('/')}/v2/models/{_model(folder)}/infer"
    wrong = 0
    for request in requests:
        found = _difference(base, path, request)
        if found:
            wrong += 1
            print(f"{request.name.split('.')[0]}: {found}")
    if wrong:
        print(f"{wrong} of {len(requests)} golden cases are not answered as recorded")
        return 1
    print(f"{len(requests)} golden cases answered as recorded")
    return 0


def _model(folder: Path) -> str:
    """`NAME/versions/VERSION`, from the recorded answers, else from the manifest beside them."""
    for path in (*sorted(folder.glob("*.response.json")), folder.parent / "manifest.json"):
        said = _json(path) if path.is_file() else {}
        name, version = said.get("model_name", said.get("name")), said.get("model_version", said.get("version"))
        if name and version:
            return f"{quote(str(name), safe='')}/versions/{quote(str(version), safe='')}"
    raise Fault(f"neither an answer in {folder} nor a manifest.json beside it names the model")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Fault(f"{path} cannot be read: {error}") from error


def _wait(base: Any, seconds: float) -> None:
    until, last = time.monotonic() + seconds, "no attempt was made"
    while time.monotonic() < until:
        try:
            status, _ = _call(base, "GET", f"{base.path.rstrip('/')}/v2/health/ready", None)
        except (OSError, http.client.HTTPException) as error:
            last = str(error) or type(error).__name__
        else:
            if status == 200:
                return
            last = f"it answers {status}"
        time.sleep(0.1)
    raise Fault(f"no server is ready at {base.geturl()} within {seconds:g} s: {last}")


def _beside(path: Path) -> bytes:
    """The raw numbers beside a JSON file; empty where all are in the JSON."""
    raw = path.with_suffix(".bin")
    return raw.read_bytes() if raw.is_file() else b""


def _call(
    base: Any, method: str, path: str, body: bytes | None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    secure = base.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(base.hostname, base.port, timeout=SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _difference(base: Any, path: str, request: Path) -> str:
    """The difference between the answer and the recorded one, in one line; empty where they agree."""
    response = request.with_name(request.name.replace(".request.", ".response."))
    recorded = _json(response)
    head, raw = request.read_bytes(), _beside(request)
    headers = {"Content-Type": "application/json"}
    if raw:
        headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    try:
        status, body = _call(base, "POST", path, head + raw, headers)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error or type(error).__name__})"
    if "error" in recorded:
        refused = 400 <= status < 500
        return "" if refused else f"answered with {status}, where the original refuses the rows"
    if status != 200:
        words = " ".join(body[:300].decode("utf-8", "replace").split())
        return f"answered with {status}, where the original gives numbers: {words}"
    try:
        got = {str(tensor["name"]): tensor for tensor in json.loads(body)["outputs"]}
        want = {str(tensor["name"]): tensor for tensor in _whole(recorded["outputs"], _beside(response))}
        if set(got) != set(want):
            return f"gives {', '.join(sorted(got))}, the original {', '.join(sorted(want))}"
        return next(filter(None, (_differs(want[name], got[name]) for name in sorted(want))), "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"gives an answer that does not follow the protocol: {error!r}"


def _whole(tensors: list[dict[str, Any]], raw: bytes) -> Iterator[dict[str, Any]]:
    """The tensors with their data, which may be raw numbers."""
    place = 0
    for tensor in tensors:
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            yield tensor
            continue
        form = RAW[tensor["datatype"]]
        data = struct.unpack(f"<{size // struct.calcsize('<' + form)}{form}", raw[place : place + size])
        place += size
        yield {**tensor, "data": [_of_bits(each) for each in data] if tensor["datatype"] == "BF16" else list(data)}


def _of_bits(bits: int) -> float:
    """The number of these bits of bfloat16, which are the upper half of a float's."""
    return float(struct.unpack("<f", struct.pack("<I", bits << 16))[0])


def _differs(want: dict[str, Any], got: dict[str, Any]) -> str:
    """The first place where two tensors differ; empty where they are equal."""
    name = want["name"]
    if list(want["shape"]) != list(got["shape"]):
        return f"{name} has the shape {got['shape']} instead of {want['shape']}"
    expected, actual = _cells(want), _cells(got)
    if len(expected) != len(actual):
        return f"{name} has {len(actual)} values instead of {len(expected)}"
    allowed = want.get("parameters", {})
    atol, rtol = float(allowed.get("atol", 0)), float(allowed.get("rtol", 0))
    for index, (one, other) in enumerate(zip(expected, actual)):
        if not _equal(one, other, atol, rtol):
            bound = f" (allowed: {atol:g} + {rtol:g} of it)" if "rtol" in allowed else ""
            return f"{name}[{index}] is {other!r} instead of {one!r}{bound}"
    return ""


def _cells(tensor: dict[str, Any]) -> list[Any]:
    """The cells of a tensor, flat, each number rounded to its type."""
    cells = list(_flat(tensor["data"]))
    form = REAL.get(tensor["datatype"])
    if form is None:
        return cells
    numbers = (WORDS[cell] if isinstance(cell, str) else float(cell) for cell in cells)
    return [_rounded(number, form) for number in numbers]


def _flat(data: Any) -> Iterator[Any]:
    for cell in data:
        if isinstance(cell, list):
            yield from _flat(cell)
        else:
            yield cell


def _rounded(number: float, form: str) -> float:
    try:
        return float(struct.unpack(form, struct.pack(form, number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def _equal(want: Any, got: Any, atol: float, rtol: float) -> bool:
    if isinstance(want, str) or isinstance(got, str) or want is None or got is None:
        return type(want) is type(got) and bool(want == got)
    if want == got or (want != want and got != got):
        return True
    return math.isfinite(want) and math.isfinite(got) and abs(got - want) <= atol + rtol * abs(want)


def _own_server(golden: Path) -> list[str]:
    """The command of the server beside this file, for the bundle of these cases."""
    return [sys.executable, "-I", "-B", str(HERE / "server"), str(golden.parent)]


@contextmanager
def _started(command: list[str], seconds: float) -> Iterator[str]:
    """Starts a server on a free port, gives its URL, and stops it at the end."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(STEERS)}
    environment.update(PORT="0", MLPACK_HOST="127.0.0.1", ORT_DISABLE_TELEMETRY="1")
    try:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    except OSError as error:
        raise Fault(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        yield _announced(process, seconds)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announced(process: subprocess.Popen[bytes], seconds: float) -> str:
    """The URL that a server prints when it is ready; reads all of its output, so that the server never blocks."""
    found: Queue[str] = Queue()
    threading.Thread(target=_listen, args=(process.stdout, found), daemon=True).start()
    try:
        url = found.get(timeout=seconds)
    except Empty:
        raise Fault(f"the server is not ready within {seconds:g} s") from None
    if not url:
        raise Fault("the server ended before it was ready; its output is above")
    return url


def _listen(lines: Iterable[bytes], found: Queue[str]) -> None:
    for line in lines:
        for url in re.findall(r"http://\S+", line.decode("utf-8", "replace")):
            found.put(url)
    found.put("")


if __name__ == "__main__":
    sys.exit(main())
