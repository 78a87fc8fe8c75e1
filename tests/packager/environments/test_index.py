"""A wheel's RECORD read from the end of the file that a server offers, wherever in it the RECORD lies."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from mlpack_toolkit.packager.environments.python import index
from mlpack_toolkit.packager.environments.python.wheels import record_of

ROWS = "pkg/__init__.py,sha256=abc,1\npkg-1.dist-info/RECORD,,\n"


def wheel(path: Path, order: str) -> Path:
    """A wheel with 300 kB that do not shrink before or after its RECORD."""
    noise = np.random.default_rng(0).bytes(300_000)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind in order:
            if kind == "r":
                archive.writestr("pkg-1.dist-info/RECORD", ROWS)
            else:
                for i in range(900):
                    archive.writestr(f"pkg/a_rather_long_name_of_a_module_number_{i}.py", noise[:333])
    return path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server that hands out the end of any file of the folder."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = (tmp_path / self.path.strip("/")).read_bytes()
            end = content[-int(self.headers["Range"].removeprefix("bytes=-")) :]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {len(content) - len(end)}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(end)

        def log_message(self, *ignored: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.mark.parametrize("order", ["r", "nr", "rn"])
def test_wherever_it_lies(order: str, served: str, tmp_path: Path) -> None:
    path = wheel(tmp_path / "a.whl", order)
    size, record = index._remote_record(f"{served}a.whl")
    assert size == path.stat().st_size
    assert record == record_of(path) != ""


def test_a_wheel_without_one(served: str, tmp_path: Path) -> None:
    wheel(tmp_path / "a.whl", "n")
    with pytest.raises(ValueError, match="holds no RECORD"):
        index._remote_record(f"{served}a.whl")


def test_where_no_index_can_be_reached_every_pin_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    pins = [
        {"name": name, "version": "1", "origin": "index", "tags": ["py3-none-any"], "record": "sha256:0"}
        for name in ("idna", "click")
    ]
    found = index.find(pins, "3.11")
    assert set(found) == {"idna", "click"}
    assert set(found.values()) == {index.UNREACHED} and "://" not in index.UNREACHED
