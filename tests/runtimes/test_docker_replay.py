"""`deploy/docker/replay.py`: what it lets pass and what it finds, in made-up servers and in the real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit import runtimes
from mlpack_toolkit.packager.commands.verify import check_bundle
from mlpack_toolkit.packager.errors import MismatchError, MissingToolError
from mlpack_toolkit.runtimes import docker

PROGRAM = Path(docker.__file__).with_name("replay.py")
LABEL = {"name": "label", "shape": [2], "datatype": "BYTES", "data": ["aye", "no"]}
SCORE = {"name": "score", "shape": [2, 2], "datatype": "FP64", "data": [0.25, "NaN", "-Infinity", 4.0]}
ALLOWED = {"parameters": {"atol": 1e-6, "rtol": 1e-5}}
Answer = tuple[int, Any]


@contextmanager
def _server(answer: Answer, ready: int = 200) -> Iterator[str]:
    """A server that gives the same answer to every request; ready it says from the third question on."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self._say(ready if len(asked) > 2 else 503, {})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            right = self.path == "/v2/models/c%2Fu/versions/1%200/infer"
            self._say(*answer) if right else self._say(404, {"error": self.path})

        def _say(self, status: int, plain: Any) -> None:
            body = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _recorded(folder: Path, response: dict[str, Any]) -> Path:
    golden = folder / "golden"
    golden.mkdir()
    (golden / "case-000.request.json").write_text('{"inputs":[]}')
    (golden / "case-000.response.json").write_text(json.dumps(response))
    (folder / "manifest.json").write_text(json.dumps({"name": "c/u", "version": "1 0"}))
    return golden


def _replay(*arguments: object, program: Path = PROGRAM, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-B", str(program), *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)


def _outputs(*tensors: dict[str, Any]) -> dict[str, Any]:
    return {"model_name": "c/u", "model_version": "1 0", "outputs": list(tensors)}


SAME: list[tuple[str, Answer]] = [
    ("as it is", (200, _outputs(LABEL, SCORE))),
    ("in another order", (200, _outputs(SCORE, LABEL))),
    ("nested", (200, _outputs(LABEL, {**SCORE, "data": [[0.25, "NaN"], ["-Infinity", 4.0]]}))),
    ("within the tolerance", (200, _outputs(LABEL, {**SCORE, "data": [0.250003, "NaN", "-Infinity", 4.00004]}))),
    ("in float32", (200, _outputs(LABEL, {**SCORE, "datatype": "FP32"}))),
]


@pytest.mark.parametrize(("kind", "answer"), SAME, ids=[kind for kind, _ in SAME])
def test_the_same_answer_passes(tmp_path: Path, kind: str, answer: Answer) -> None:
    golden = _recorded(tmp_path, _outputs(LABEL, {**SCORE, **ALLOWED}))
    with _server(answer) as url:
        done = _replay(url, "--golden", golden)
    assert (done.returncode, done.stdout) == (0, "1 golden cases answered as recorded\n"), done.stderr


def _score(*cells: Any) -> Answer:
    return 200, _outputs(LABEL, {**SCORE, "data": list(cells)})


OTHER: list[tuple[Answer, str]] = [
    (_score(0.25, "NaN", "-Infinity", 4.0001), "score[3] is 4.0001 instead of 4.0 (allowed: 1e-06 + 1e-05 of it)"),
    (_score("NaN", "NaN", "-Infinity", 4.0), "score[0] is nan instead of 0.25"),
    (_score(0.25, 0.0, "-Infinity", 4.0), "score[1] is 0.0 instead of nan"),
    (_score(0.25, "NaN", "Infinity", 4.0), "score[2] is inf instead of -inf"),
    (_score(0.25, "NaN", -1.8e308, "Infinity"), "score[3] is inf instead of 4.0"),
    (_score(0.25, "NaN", "-Infinity"), "score has 3 values instead of 4"),
    ((200, _outputs(LABEL, {**SCORE, "shape": [4]})), "score has the shape [4] instead of [2, 2]"),
    ((200, _outputs({**LABEL, "data": ["aye", "nay"]}, SCORE)), "label[1] is 'nay' instead of 'no'"),
    ((200, _outputs({**LABEL, "data": ["aye", None]}, SCORE)), "label[1] is None instead of 'no'"),
    ((200, _outputs(LABEL)), "gives label, the original label, score"),
    ((200, {"outputs": 1}), "gives an answer that does not follow the protocol"),
    ((200, b"\xff<html>"), "gives an answer that does not follow the protocol"),
    (
        (400, {"error": "no\nsuch  age"}),
        'answered with 400, where the original gives numbers: {"error": "no\\nsuch age"}',
    ),
]


@pytest.mark.parametrize(("answer", "said"), OTHER, ids=[said[:30] for _, said in OTHER])
def test_another_answer_is_named(tmp_path: Path, answer: Answer, said: str) -> None:
    golden = _recorded(tmp_path, _outputs(LABEL, {**SCORE, **ALLOWED}))
    with _server(answer) as url:
        done = _replay(url, "--golden", golden)
    first, last = done.stdout.splitlines()
    assert done.returncode == 1 and first.startswith(f"case-000: {said}")
    assert last == "1 of 1 golden cases are not answered as recorded"


def test_without_a_tolerance_every_bit_counts(tmp_path: Path) -> None:
    golden = _recorded(tmp_path, _outputs({**SCORE, "data": [0.1, "NaN", "-Infinity", 4.0]}))
    rounded = {**SCORE, "datatype": "FP32", "data": [0.1, "NaN", "-Infinity", 4.0]}
    with _server((200, _outputs(rounded))) as url:
        assert "score[0]" in _replay(url, "--golden", golden).stdout


@pytest.mark.parametrize(("status", "code"), [(400, 0), (422, 0), (200, 1), (500, 1)])
def test_a_refusal_has_to_be_refused(tmp_path: Path, status: int, code: int) -> None:
    golden = _recorded(tmp_path, {"id": "case-000", "error": "not this one"})
    with _server((status, _outputs(LABEL))) as url:
        done = _replay(url, "--golden", golden)
    assert done.returncode == code and ("where the original refuses the rows" in done.stdout) == bool(code)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--golden", "GOLDEN", "--wait", 1), "no server is ready at URL within 1 s: it answers 500"),
        (("--golden", "nowhere"), "there is no golden case in nowhere"),
    ],
)
def test_where_there_is_nothing_to_compare_it_says_so(tmp_path: Path, arguments: tuple[object, ...], said: str) -> None:
    golden = _recorded(tmp_path, _outputs(LABEL))
    with _server((200, _outputs(LABEL)), ready=500) as url:
        done = _replay(url, *(golden if word == "GOLDEN" else word for word in arguments))
        assert done.returncode == 1 and said.replace("URL", url) in done.stderr and not done.stdout


def test_it_finds_the_cases_beside_it_and_two_folders_above(tmp_path: Path) -> None:
    _recorded(tmp_path, _outputs(LABEL))
    for place in (tmp_path, tmp_path / "deploy/docker"):
        place.mkdir(parents=True, exist_ok=True)
        with _server((200, _outputs(LABEL))) as url:
            done = _replay(url, program=Path(shutil.copy(PROGRAM, place / "replay.py")))
        assert done.returncode == 0, done.stderr


# The real server, out of the folder's own sources.


@pytest.fixture(scope="module")
def penguin_bundle(penguins: Path) -> Path:
    """A bundle with every target, as a user gets it."""
    return penguins / "dist" / "penguins-1.0.0"


@pytest.fixture
def bundle(penguin_bundle: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(penguin_bundle, tmp_path / "bundle"))


def test_verify_replays_the_bundle_and_changes_nothing_in_it(penguin_bundle: Path) -> None:
    """`check_bundle` holds the digests again afterwards: no bytecode, no log."""
    replayed = check_bundle(penguin_bundle, ["docker"], "cpu", lambda step: None)["golden"]
    assert replayed["docker"] == replayed["CPUExecutionProvider"] > 10


def _start(bundle: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return _replay("--start", program=bundle / "deploy/docker/replay.py", **variables)


def test_variables_that_steer_a_server_do_not_reach_it(bundle: Path) -> None:
    variables = {"MLPACK_MAX_ROWS": "1", "SAGEMAKER_BIND_TO_PORT": "1", "AIP_HTTP_PORT": "x", "PYTHONPATH": "/nowhere"}
    assert _start(bundle, **variables).returncode == 0


def _change_a_number(bundle: Path) -> None:
    for path in sorted((bundle / "golden").glob("*.response.json")):
        plain = json.loads(path.read_text())
        for tensor in plain.get("outputs", ()):
            if tensor["datatype"] == "FP64" and tensor["data"]:
                tensor["data"][0] += 0.01
                path.write_text(json.dumps(plain))
                return
    raise AssertionError("no case has numbers")


def _answer_backwards(bundle: Path) -> None:
    path = bundle / "deploy/docker/server/mlpack_toolkit/runtimes/server/model.py"
    code = path.read_text()
    assert "return self.session.run_feeds(feeds, outputs)" in code
    path.write_text(
        code.replace(
            "return self.session.run_feeds(feeds, outputs)",
            "return {k: v[::-1] for k, v in self.session.run_feeds(feeds, outputs).items()}",
        )
    )


def _forget_the_rules(bundle: Path) -> None:
    path = bundle / "manifest.json"
    plain = json.loads(path.read_text())
    for spec in plain["variants"]["reference"]["signature"]["inputs"]:
        for rule in ("values", "limit", "least", "most"):
            spec.pop(rule, None)
        spec["nullable"] = True
    path.write_text(json.dumps(plain))


@pytest.mark.parametrize("change", [_change_a_number, _answer_backwards, _forget_the_rules])
def test_a_difference_is_found_in_the_real_server(bundle: Path, change: Callable[[Path], None]) -> None:
    change(bundle)
    done = _start(bundle)
    assert done.returncode == 1 and "golden cases are not answered as recorded" in done.stdout, done.stderr


def test_a_server_that_does_not_start_is_said(bundle: Path) -> None:
    (bundle / "deploy/docker/server/mlpack_toolkit/runtimes/server/transport/app.py").write_text(
        "raise RuntimeError('broken')\n"
    )
    done = _start(bundle)
    assert done.returncode == 1 and "ended before it was ready" in done.stderr and "broken" in done.stderr


def test_another_graph_is_not_served(bundle: Path) -> None:
    (bundle / "model/model.onnx").write_bytes(b"another graph")
    assert "is not as it was built" in _start(bundle).stderr


def test_another_server_can_be_started(bundle: Path) -> None:
    command = (sys.executable, "-I", "-B", bundle / "deploy/docker/server", bundle)
    program = bundle / "deploy/docker/replay.py"
    assert _replay("--start", *command, program=program).returncode == 0
    assert "cannot be started" in _replay("--start", "/no/such/program", program=program).stderr


def test_verify_fails_where_the_folder_answers_otherwise(bundle: Path, tmp_path: Path) -> None:
    """The step alone, as the manifest would name the changed file before."""
    from mlpack_toolkit.packager.commands.verify import _run

    _answer_backwards(bundle)
    [step] = runtimes.load("docker").steps(bundle / "deploy/docker", tmp_path)
    with pytest.raises(MismatchError, match="golden cases are not answered as recorded"):
        _run([step.tool, *step.arguments], bundle, {**os.environ, **(step.environment or {})}, "docker")


def test_a_package_that_is_missing_is_a_missing_tool(penguin_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker, "find_spec", lambda name: None if name == "uvloop" else object())
    with pytest.raises(MissingToolError, match=r"docker needs the package uvloop, .*mlpack-toolkit\[serve\]"):
        check_bundle(penguin_bundle, ["docker"], "cpu", lambda step: None)
