"""What the model's process says and writes is read as an attack: one sentence and exit 3, whatever it is."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.converters._graph.builder import SINGLE_OUTPUTS
from mlpack_toolkit.converters.messages import Environment, Lend, Load, Measure, Observe, Predict, Probe
from mlpack_toolkit.converters.messages import Request as Asked
from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.converters.table import write_table
from mlpack_toolkit.packager.commands.build import Request, build
from mlpack_toolkit.packager.equivalence.prove import _single_outputs
from mlpack_toolkit.packager.equivalence.session import Session
from mlpack_toolkit.packager.errors import ConversionError, ForgedError, ModelError
from mlpack_toolkit.packager.original import replies
from mlpack_toolkit.packager.original.replies import parse_reply, table_in
from mlpack_toolkit.packager.original.source import take_source
from mlpack_toolkit.packager.original.worker import Limits, Worker
from tests.packager.conftest import Made

REQUESTED: dict[str, Asked[Any]] = {
    "load": Load("", ""),
    "probe": Probe("", ""),
    "measure": Measure("", (), 0.0),
    "environment": Environment(),
    "predict": Predict("", ""),
    "observe": Observe("", "", (), 0, 0),
}
ODD = (None, -1, 1.5, "x", [], {}, [[]], {"a": [None]}, "9" * 5000)
TIMES = dict.fromkeys(("batch", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "rows_per_second"), 1.0)
PACKAGE = {"Package": "stats", "Version": "4.3.1", "path": "/usr/lib/R/library/stats"}
R_SAID = {"interpreter": {"version": "4.3.1", "platform": "x"}, "libraries": {}, "locale": "C", "packages": [PACKAGE]}


@pytest.fixture(scope="module")
def said(flowers: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """A true reply to each command."""
    folder = tmp_path_factory.mktemp("replies")
    write_table({"X": np.asarray(flowers.rows)[:20]}, folder / "example.npz")
    with Worker(sys.executable, folder, Limits(seconds=60.0)) as worker:
        load = worker.call(take_source(flowers.model, folder / "source", ()).request())
        probe = worker.call(Probe(str(folder / "example.npz"), str(folder)))
    return {
        "load": load.to_json(),
        "probe": probe.to_json(),
        "measure": {"batches": [TIMES]},
        "environment": {"environment": R_SAID},
        "predict": {},
        "observe": {"left_out": ["layer1.0"]},
    }


def places(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part, the first of each list."""
    if path:
        yield path
    found = plain.items() if isinstance(plain, dict) else enumerate(plain[:1]) if isinstance(plain, list) else ()
    for key, value in found:
        yield from places(value, (*path, key))


def changed(plain: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(plain))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@pytest.mark.parametrize("command", ["load", "probe", "measure", "environment", "predict"])
def test_a_true_reply_passes_and_an_odd_one_is_a_sentence(command: str, said: dict[str, Any]) -> None:
    true, request = {"ok": True, **said[command]}, REQUESTED[command]
    read = parse_reply(json.dumps(true).encode(), request)
    assert type(read) is request.reply and {"ok": True, **read.to_json()} == true
    assert {f.name for f in fields(request.reply)} == said[command].keys()
    for path in places(true):
        refused = 0
        for odd in ODD:
            try:
                parse_reply(json.dumps(changed(true, path, odd)).encode(), request)
            except ForgedError as error:
                refused += 1
                assert error.exit_code == 3
        assert refused >= 4, path
    for field in said[command]:
        with pytest.raises(ForgedError, match=f"{field} is missing"):
            parse_reply(json.dumps({k: v for k, v in true.items() if k != field}).encode(), request)


NO_REPLY = (b"", b"\xff", b"{", b"7", b"[]", b"{}", b'{"ok": 1}', b'{"ok": false}', b'{"ok": false, "kind": "a"}')
DEEP = (b"[" * 100_000, b'{"ok": true, "a": ' + b"[" * 100_000, b'{"ok": ' + b"9" * 10_000 + b"}")


@pytest.mark.parametrize("line", [*NO_REPLY, *DEEP])
def test_what_is_no_reply_is_a_sentence(line: bytes) -> None:
    with pytest.raises(ForgedError):
        parse_reply(line, Predict("", ""))


@pytest.mark.parametrize("field", [("Package", "../../x"), ("Version", "1/../../x"), ("path", ""), ("License", [1])])
def test_no_package_of_r_leads_elsewhere(field: tuple[str, Any], tmp_path: Path) -> None:
    from mlpack_toolkit.packager.environments import recorded

    said = {**R_SAID, "packages": [{**PACKAGE, field[0]: field[1]}]}
    with pytest.raises(ForgedError):
        parse_reply(json.dumps({"ok": True, "environment": said}).encode(), Environment())
    secret = {**R_SAID, "packages": [{**PACKAGE, "path": str(tmp_path)}]}
    with pytest.raises(ForgedError, match="not the folder of the R package stats"):
        recorded(secret, True, {}, tmp_path / "scratch")


def junk(path: Path) -> None:
    path.write_bytes(b"junk")


def npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def pickled(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **{"names": np.frombuffer(b'["a"]', np.uint8), "0.v": np.array([{}], object)})


def odd_type(path: Path) -> None:
    write_table({"a": np.zeros(3, "S5")}, path)


def uneven(path: Path) -> None:
    write_table({"a": np.zeros(3), "b": np.zeros(4)}, path)


def no_rows_at_all(path: Path) -> None:
    write_table({"a": np.array(1.0)}, path)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("names.npy", bytes(4 << 20))


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def pipe(path: Path) -> None:
    os.mkfifo(path)


def nothing(path: Path) -> None:
    pass


WRITERS = [junk, npy, pickled, odd_type, uneven, no_rows_at_all, bomb, folder, link, pipe, nothing]


@pytest.mark.parametrize("write", WRITERS)
def test_a_table_that_is_none_is_a_sentence(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "MOST_BYTES", 1 << 20)
    write(tmp_path / "answers.npz")
    with pytest.raises(ForgedError, match=r"answers\.npz"):
        table_in(tmp_path / "answers.npz")


def forged(command: str, change: Callable[[dict[str, Any], Path], None]) -> type[Worker]:
    """A worker that does as it is told, and then otherwise."""

    class Forger(Worker):
        def _line(self, request: Asked[Any]) -> bytes:
            reply = json.loads(super()._line(request))
            if request.command == command and reply["ok"]:
                change(reply, self._log.parent)
            return json.dumps(reply).encode()

    return Forger


def replace(name: str, write: Callable[[Path], None]) -> Callable[[dict[str, Any], Path], None]:
    def change(reply: dict[str, Any], scratch: Path) -> None:
        (scratch / name).unlink(missing_ok=True)
        write(scratch / name)

    return change


def set_to(key: str, value: Any) -> Callable[[dict[str, Any], Path], None]:
    return lambda reply, scratch: reply.update({key: value})


def other_output(reply: dict[str, Any], scratch: Path) -> None:
    reply["signature"]["outputs"][0]["shape"] = [1, 2, 3]


def deep(reply: dict[str, Any], scratch: Path) -> None:
    place = os.open(scratch, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=place)
        place, above = os.open("d", os.O_RDONLY, dir_fd=place), place
        os.close(above)
    os.close(place)
    (scratch / "probes.npz").unlink()


@pytest.mark.parametrize("said", ["[" * 100_000, "7", "[7]", "{", '"y"'])
def test_what_a_graph_says_of_itself_is_checked(said: str) -> None:
    import onnx
    from onnx import helper

    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {SINGLE_OUTPUTS: said})
    signature = Signature("graph", (TensorSpec("x", "float32", ("N",)),), (TensorSpec("y", "float32", ("N",)),))
    with pytest.raises(ForgedError, match="no list of outputs"):
        _single_outputs(Session(bytes(model.SerializeToString()), signature))


@pytest.mark.parametrize(
    ("command", "change", "kind"),
    [
        ("probe", replace("answers.npz", junk), ForgedError),
        ("probe", replace("batches.npz", folder), ForgedError),
        ("probe", set_to("kinds", ["example"]), ForgedError),
        ("probe", set_to("refused", {"999999999": "no"}), ForgedError),
        ("probe", set_to("batches", [[99999999]]), ForgedError),
        ("probe", other_output, ConversionError),
        ("probe", replace("rows.npz", folder), ForgedError),
        ("probe", deep, ForgedError),
        ("convert", replace("model.float32.onnx", link), ForgedError),
        ("convert", replace("model.float32.onnx", junk), ConversionError),
        ("predict", replace("answers.npz", nothing), ForgedError),
        ("predict", replace("answers.npz", uneven), ForgedError),
    ],
)
def test_a_build_ends_in_a_sentence(
    command: str,
    change: Callable[[dict[str, Any], Path], None],
    kind: type[Exception],
    flowers: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.commands.build.Worker", forged(command, change))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    with pytest.raises(kind):
        build(Request(flowers.model, flowers.example, tmp_path / "dist", precision="float32", targets=()))
    assert not list((tmp_path / "temporary").glob("mlpack-*")) and not (tmp_path / "dist" / "flowers-1.0.0").exists()


def test_an_endless_reply_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.original.worker.MOST_REPLY", 1 << 20)
    with Worker("/bin/true", tmp_path, Limits()) as worker, Path("/dev/zero").open("rb", buffering=0) as endless:
        worker._replies = endless
        with pytest.raises(ForgedError, match="more than"):
            worker.receive(Environment())


def test_a_process_that_takes_no_words_is_stopped(tmp_path: Path) -> None:
    sleeper = tmp_path / "python"
    sleeper.write_text("#!/bin/sh\nexec sleep 60\n")
    sleeper.chmod(0o755)
    limits = Limits(seconds=1.0)
    with Worker(str(sleeper), tmp_path, limits) as worker, pytest.raises(ModelError, match="no answer within 1 s"):
        worker.send(Lend("x" * (1 << 20)))
