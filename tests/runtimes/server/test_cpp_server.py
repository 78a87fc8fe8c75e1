"""The C++ project's HTTP server beside the Python one: the same answers, the same refusals; and its bounds."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.reader import open_bundle
from mlpack_toolkit.packager.errors import MissingToolError
from mlpack_toolkit.packager.setup_headers import cache_folder, fetch_headers
from mlpack_toolkit.runtimes import cpp
from mlpack_toolkit.runtimes.engine.binary import bytes_of_array
from mlpack_toolkit.runtimes.engine.tensors import DTYPES, array_of
from mlpack_toolkit.runtimes.spec import Package
from tests.make import build_model
from tests.runtimes.server.attacks import ALL, GET, statuses
from tests.runtimes.server.conftest import HOSTILE, OTHER, ROW, Served, broken_requests, golden, serving
from tests.runtimes.server.test_hostile import hold

pytestmark = pytest.mark.slow
NAME = "model"
"""What every model is called here, so that what is the same in all servers is compiled once."""


@dataclass
class Workshop:
    """A folder where servers are compiled one after the other."""

    folder: Path
    made: int = 0

    def build(self, bundle: Path) -> Path:
        """The program for a bundle's model."""
        found = open_bundle(bundle)
        package = Package(NAME, found.version, found.signature, found.graph, {})
        for name, content in cpp.RUNTIME.render(package).items():
            path = self.folder / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
        assert cpp.RUNTIME.program is not None
        for step in cpp.RUNTIME.program(self.folder / "project", self.folder / "work"):
            environment = {**os.environ, **(step.environment or {})}
            command = [step.tool, *step.arguments]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
            assert done.returncode == 0 and "warning:" not in done.stderr, done.stdout + done.stderr
        self.made += 1
        return Path(shutil.copy(self.folder / "work" / "server", self.folder / f"server-{self.made}"))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Skips where there is no toolchain; fetches ONNX Runtime's headers where only they are missing."""
    absent = [tool for tool in ("cmake", "g++") if shutil.which(tool) is None]
    if absent or not Path("/usr/include/boost/beast").is_dir():
        pytest.skip(f"NOT TESTED: {absent or 'Boost'} is missing: {cpp.INSTALL_SERVER}")
    if cpp._headers() is None:
        try:
            fetch_headers(cache_folder())
        except MissingToolError as error:
            pytest.skip(f"NOT TESTED: {error}")
    folder = tmp_path_factory.mktemp("cpp-server")
    for each in ("project", "work"):
        (folder / each).mkdir()
    return Workshop(folder)


@contextmanager
def native(program: Path, bundle: Path, *words: str, **variables: str) -> Iterator[Served]:
    """The compiled server on a free port; it must end with 0."""
    command = [program, bundle, *words]
    environment = {**os.environ, "ONNXRUNTIME_LIBRARY": str(cpp._library()), "PORT": "0", **variables}
    process = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None and process.stderr is not None
    line = process.stdout.readline()
    assert line, process.stderr.read()
    try:
        yield Served(process, int(line.rpartition(":")[2]), bundle, {"name": NAME})
    finally:
        process.terminate()
        _, said = process.communicate(timeout=40)
        assert process.returncode in (0, -signal.SIGKILL), said


@dataclass(frozen=True)
class Pair:
    """The same model behind both servers."""

    program: Path
    ours: Served
    theirs: Served

    def both(self, path: str, body: Any, **headers: str) -> tuple[Any, Any]:
        """What both say; `{}` in the path is the model's name."""
        ours = self.ours.post(path.format(NAME), body, **headers)
        return ours, self.theirs.post(path.format(self.theirs.name), body, **headers)

    def agree(self, path: str, body: Any, **headers: str) -> int:
        """The status of both; answers are equal byte for byte, and refusals name the same column."""
        ours, theirs = self.both(path, body, **headers)
        assert ours.status == theirs.status, (body, ours.body[:300], theirs.body[:300])
        if ours.status == 200:
            named = theirs.body.replace(f'"model_name":"{self.theirs.name}"'.encode(), b'"model_name":"model"')
            assert ours.body == named
        else:
            for name in re.findall(r"(?:column|input) '([^']*)'", theirs.json["error"]):
                assert name in ours.json["error"], (ours.body, theirs.body)
        return int(ours.status)


def paired(workshop: Workshop, bundle: Path) -> Iterator[Pair]:
    program = workshop.build(bundle)
    with native(program, bundle) as ours, serving(bundle) as theirs:
        yield Pair(program, ours, theirs)


@pytest.fixture(scope="session")
def penguins_pair(workshop: Workshop, penguin_bundle: Path) -> Iterator[Pair]:
    yield from paired(workshop, penguin_bundle)


@pytest.fixture(scope="session")
def crew_pair(workshop: Workshop, crew_bundle: Path) -> Iterator[Pair]:
    yield from paired(workshop, crew_bundle)


@pytest.fixture(scope="session")
def flowers_pair(workshop: Workshop, flower_bundle: Path) -> Iterator[Pair]:
    yield from paired(workshop, flower_bundle)


@pytest.fixture(scope="session")
def grid_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file of tensors of several types and ranks: a size that is free, a batch on axis 1, a single number."""
    import onnx
    from onnx import TensorProto, helper

    shapes: dict[str, list[Any]] = {"byte": ["N", 1], "flag": ["N"], "words": ["N", 2], "grid": ["N", "H", 3]}
    shapes |= {"wide": ["N"], "cache": [2, "N", 3], "half": ["N", 2], "brain": ["N", 2]}
    kinds = ("UINT8", "BOOL", "STRING", "FLOAT", "UINT64", "DOUBLE", "FLOAT16", "BFLOAT16")
    both = list(zip(shapes.items(), kinds, strict=True))
    inputs = [helper.make_tensor_value_info(n, getattr(TensorProto, k), s) for (n, s), k in both]
    outputs = [helper.make_tensor_value_info(f"{n}_out", getattr(TensorProto, k), s) for (n, s), k in both]
    nodes = [helper.make_node("Identity", [n], [f"{n}_out"]) for n in shapes if n != "cache"]
    nodes.append(helper.make_node("Mul", ["cache", "scale"], ["cache_out"]))
    inputs.append(helper.make_tensor_value_info("scale", TensorProto.DOUBLE, []))
    graph = helper.make_graph(nodes, "typed", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = tmp_path_factory.mktemp("grid")
    onnx.save(model, folder / "grid.onnx")
    example = {
        "byte": np.array([[1], [2], [3]], np.uint8),
        "flag": np.array([True, False, True]),
        "words": np.array([["a", "b"], ["c", "d"], ["e", "f"]]),
        "grid": np.arange(18, dtype=np.float32).reshape(3, 2, 3),
        "wide": np.array([1, 2, 3], np.uint64),
        "cache": np.arange(18.0).reshape(2, 3, 3),
        "scale": np.array(0.5),
        "half": np.array([[1, -0.3], [2**-20, 65000], [0.1, 0]]),
        "brain": np.array([[1, -0.3], [2**-130, 3e38], [0.1, 0]]),
    }
    np.savez(folder / "rows.npz", **example)  # type: ignore[arg-type]
    return build_model(folder / "grid.onnx", folder / "rows.npz", folder / "dist").bundle


@pytest.fixture(scope="session")
def grid_pair(workshop: Workshop, grid_bundle: Path) -> Iterator[Pair]:
    yield from paired(workshop, grid_bundle)


# The same answers.


@pytest.mark.parametrize("name", ["penguins_pair", "crew_pair", "flowers_pair", "grid_pair"])
def test_every_golden_case(name: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(name)
    statuses = []
    for asked, recorded in golden(pair.ours.bundle):
        statuses.append(pair.agree("/v2/models/{}/infer", asked))
        assert (statuses[-1] == 400) == ("error" in recorded)
        assert pair.agree("/v2/models/{}/versions/1.0.0/infer", asked) == statuses[-1]
    assert 200 in statuses


@pytest.mark.parametrize("name", ["penguins_pair", "crew_pair", "flowers_pair", "grid_pair"])
def test_metadata_is_the_same(name: str, request: pytest.FixtureRequest) -> None:
    pair: Pair = request.getfixturevalue(name)
    for path in ("/v2/models/{}", "/v2/models/{}/versions/1.0.0", "/v2/models/{}/ready", "/v1/models/{}", "/version"):
        ours, theirs = pair.ours.get(path.format(NAME)), pair.theirs.get(path.format(pair.theirs.name))
        assert ours.status == 200 and ours.json == {**theirs.json, "name": NAME}
    for path in ("/v2/health/live", "/v2/health/ready", "/livez", "/readyz", "/ping", "/health"):
        ours, theirs = pair.ours.get(path), pair.theirs.get(path)
        assert (ours.status, ours.body) == (theirs.status, theirs.body) == (200, theirs.body)


ROWS = [list(ROW.values()), list(OTHER.values())]


def test_rows_in_every_form(penguins_pair: Pair) -> None:
    names = list(ROW)
    assert penguins_pair.agree("/predict", [ROW, OTHER]) == 200
    assert penguins_pair.agree("/predict", ROW) == penguins_pair.agree("/predict", ROWS) == 200
    assert penguins_pair.agree("/predict", []) == 200
    for body in (
        {"dataframe_split": {"index": [0, 1], "columns": names, "data": ROWS}},
        {"dataframe_split": {"columns": names[::-1], "data": [r[::-1] for r in ROWS]}},
        {"dataframe_split": {"columns": list(range(7)), "data": ROWS}},
        {"dataframe_split": {"columns": names, "data": []}},
        {"dataframe_records": [ROW, OTHER]},
        {"instances": [ROW, OTHER], "params": {}},
        {"instances": ROWS, "signature_name": "serving_default"},
        {"inputs": {name: [ROW[name], OTHER[name]] for name in names}},
        [ROW, OTHER],
        ROWS,
        ROW,
        golden(penguins_pair.ours.bundle)[0][0],
    ):
        assert penguins_pair.agree("/invocations", body, Content_Type="application/json") == 200
    assert penguins_pair.agree("/v1/models/{}:predict", {"instances": [ROW], "parameters": {}}) == 200


def test_missing_columns_and_other_models_are_said_in_the_same_bytes(penguins_pair: Pair) -> None:
    some = {"island": "Biscoe", "year": 2008}
    frame = {"dataframe_split": {"columns": ["island", "year"], "data": [["Biscoe", 2008]]}}
    tensor = {"name": "island", "shape": [1, 1], "datatype": "BYTES", "data": ["Biscoe"]}
    for path, body in (
        ("/predict", some),
        ("/predict", [ROW, {k: v for k, v in ROW.items() if k != "sex"}]),
        ("/predict", [{}]),
        ("/v1/models/{}:predict", {"instances": [some]}),
        ("/invocations", {"inputs": {"island": ["Biscoe"]}}),
        ("/v2/models/{}/infer", {"inputs": [tensor]}),
        ("/v2/models/penguin/infer", {}),
        ("/v1/models/penguin:predict", {}),
        ("/v2/models/{}/versions/9/infer", {}),
    ):
        ours, theirs = penguins_pair.both(path, body)
        named = theirs.body.replace(f"'{penguins_pair.theirs.name}'".encode(), b"'model'")
        assert (ours.status, ours.body) == (theirs.status, named) and ours.status in (400, 404)
    for reply in penguins_pair.both("/invocations", frame):
        assert reply.status == 400 and all(f"'{n}'" in reply.json["error"] for n in ROW.keys() - some.keys())
    for path in ("/v2/models/penguin", "/v1/models/penguin"):
        ours, theirs = penguins_pair.ours.get(path), penguins_pair.theirs.get(path)
        assert ours.status == theirs.status == 404 and "the model here is 'model'" in ours.json["error"]
    assert penguins_pair.ours.get("/nowhere").json == {"error": "there is nothing at this path"}


def test_csv(penguins_pair: Pair) -> None:
    lines = [",".join("" if v is None else str(v) for v in row) for row in ROWS]
    head = ",".join(ROW)
    for body, kind in (
        ("\n".join([head, *lines]), "text/csv"),
        ("\r\n".join([head, *lines, "", ""]), "text/csv; charset=utf-8; header=present"),
        ("\ufeff" + "\n".join([head, *lines]), "Text/CSV"),
        ("\n".join(lines), "text/csv; header=absent"),
        (f'"{head.replace(",", chr(34) + "," + chr(34))}"\n"Biscoe",NA, 39.1 ,1.87e1,181,+3750,"2007"', "text/csv"),
        (head, "text/csv"),
    ):
        assert penguins_pair.agree("/invocations", body.encode(), Content_Type=kind) == 200
    good = "\n".join([head, *lines])
    for body in (
        good.replace("39.1", "3_9.1"),
        good.replace("39.1", "0x1p3"),
        good.replace("39.1", "+-1"),
        good.replace("2007", "2007.5"),
        good.replace("2007", "20" * 30),
        good + "\n1,2",
        good.replace("year", "sex"),
        good.replace("year", "yaer"),
        good.replace("year", "year,more"),
        lines[0],
        "",
        '"a',
        '"a"b,c',
    ):
        assert penguins_pair.agree("/invocations", body.encode(), Content_Type="text/csv") == 400
    assert penguins_pair.agree("/invocations", b"\xff\xfe", Content_Type="text/csv") == 400


def test_a_matrix(flowers_pair: Pair) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 3.0, 4.8, 1.8]]
    frame = {"columns": ["a", "b", "c", "d"], "data": rows}
    for body in (
        {"inputs": rows},
        {"instances": rows},
        {"dataframe_split": frame},
        {"dataframe_split": {"data": rows}},
    ):
        assert flowers_pair.agree("/invocations", body) == 200
    for body in (rows, [{"X": row} for row in rows], {"X": rows[0]}):
        assert flowers_pair.agree("/predict", body) == 200
    for text in ("5.1,3.5,1.4,0.2\n6,3,4.8,1.8\n", "a,b,c,d\n5.1,3.5,1.4,0.2\n6,3,4.8,1.8"):
        assert flowers_pair.agree("/invocations", text.encode(), Content_Type="text/csv") == 200
    for bad in (
        [[1, 2, 3]],
        [1],
        [[1, 2, 3, "x"]],
        [{"X": 1}],
        [rows[0], {"X": rows[0]}],
        [{"X": rows[0]}, rows[0]],
        1,
    ):
        assert flowers_pair.agree("/predict", bad) == 400


def _asked(values: Any, **changes: Any) -> dict[str, Any]:
    tensor = {"name": "X", "shape": [1, 4], "datatype": "FP64", "data": values, **changes}
    return {"inputs": [tensor]}


def test_datatypes_shapes_and_numbers(flowers_pair: Pair) -> None:
    one = [5.1, 3.5, 1.4, 0.2]
    infer = "/v2/models/{}/infer"
    for tensor in (
        {"datatype": "FP32"},
        {"datatype": "FP16"},
        {"datatype": "BF16"},
        {"datatype": "BF16", "data": [1 + 2**-8, 3.4e38, 1e39, "NaN"]},
        {"data": [one]},
        {"data": [[v] for v in one], "shape": [4]},
        {"data": [5, 3, 1, 0], "datatype": "INT8"},
        {"data": [5, 3, 1, 255], "datatype": "UINT8"},
        {"data": [5, 3, 1, -1], "datatype": "UINT8"},
        {"data": [5, 3, 1, 2**63], "datatype": "UINT64"},
        {"data": [5, 3, 1, 2**64], "datatype": "UINT64"},
        {"data": [5.0, 3.0, 1.5, 2], "datatype": "INT64"},
        {"data": [5, 3, 1, 2**53 + 1], "datatype": "INT64"},
        {"data": [True, False, True, True], "datatype": "BOOL"},
        {"data": ["a", "b", "c", "d"], "datatype": "BYTES"},
        {"data": ["NaN", "Infinity", "-Infinity", None]},
        {"data": ["nan", 1, 2, 3]},
        {"data": [1e308, 1e38, 65520, 1e-320]},
        {"data": one * 2, "shape": [2, 4]},
        {"data": one, "shape": [1, 4, 1]},
        {"data": one, "shape": [4, 1]},
        {"data": one, "shape": [-1, 4]},
        {"data": one, "shape": [2**53, 4]},
        {"data": one, "shape": [2**62, 2**62, 2**62]},
        {"data": one, "shape": "x"},
        {"data": [], "shape": [0, 4]},
        {"data": [], "shape": [0]},
        {"data": one, "datatype": "FP8"},
        {"data": one, "datatype": 7},
        {"data": "x"},
        {"name": "Y"},
        {"name": 3},
        {"parameters": {"content_type": "np"}},
        {"parameters": 3},
    ):
        flowers_pair.agree(infer, _asked(one, **tensor))
    for more in (
        {"id": 'ä\n\u0001"\\'},
        {"id": 3},
        {"id": None},
        {"outputs": [{"name": "label"}]},
        {"outputs": [{"name": "probabilities"}, {"name": "label"}], "parameters": {"x": 1}},
        {"outputs": [{"name": "nothing"}]},
        {"outputs": [{"name": "label"}] * 2},
        {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
        {"outputs": {}},
        {"outputs": []},
        {"outputs": [1]},
    ):
        flowers_pair.agree(infer, {**_asked(one), **more})
    for body in (
        {},
        [],
        1,
        None,
        {"inputs": []},
        {"inputs": {}},
        {"inputs": [1]},
        {"inputs": _asked(one)["inputs"] * 2},
    ):
        assert flowers_pair.agree(infer, body) == 400


def test_numbers_are_written_as_python_writes_them(flowers_pair: Pair) -> None:
    chance = np.random.default_rng(0)
    rows = np.concatenate([chance.normal(3, 2, (300, 4)), chance.normal(0, 30, (200, 4))])
    assert flowers_pair.agree("/predict", rows.tolist()) == 200
    assert flowers_pair.agree("/v2/models/{}/infer", _asked(rows.ravel().tolist(), shape=[500, 4])) == 200


def test_cells_of_every_kind(crew_pair: Pair) -> None:
    row = {"mood": "😀", HOSTILE: 0.5, "age": 30, "aboard": True}
    assert crew_pair.agree("/predict", [row]) == 200
    cells = [
        None,
        True,
        False,
        0,
        1,
        -1,
        2.5,
        1e300,
        -0.0,
        2**53,
        2**63,
        2**64,
        "",
        "x",
        "NaN",
        "Infinity",
        "日本",
        [],
        {},
        [1],
    ]
    for column in row:
        for cell in cells:
            crew_pair.agree("/predict", [{**row, column: cell}])
            crew_pair.agree("/invocations", {"dataframe_records": [row, {**row, column: cell}]})
        crew_pair.agree("/predict", [{k: v for k, v in row.items() if k != column}])
    for body in ([row, [1]], [row, {}], [{**row, "z": 1}], [[1, 2, 3]], [3], "x", None, [None], [row, None]):
        assert crew_pair.agree("/predict", body) == 400
    for form in ("dataframe_split", "dataframe_records", "instances", "inputs"):
        for value in (
            None,
            1,
            [],
            {},
            [row],
            {"data": [[1]]},
            {"columns": 3, "data": []},
            {"columns": ["age", "age"], "data": []},
        ):
            crew_pair.agree("/invocations", {form: value})
    for names, data, status in (([], [list(row.values())], 400), ([], [], 200), (["a"], [], 200), ([1], [], 400)):
        assert crew_pair.agree("/invocations", {"dataframe_split": {"columns": names, "data": data}}) == status
    odd = {"inputs": [{"name": "a\0b", "shape": [1], "datatype": "BOOL", "data": [True]}]}
    assert "a\0b" in crew_pair.ours.post("/v2/models/model/infer", odd).json["error"]
    assert crew_pair.agree("/invocations", {"instances": [row], "inputs": [row]}) == 400
    assert crew_pair.agree("/invocations", {"instances": [row], "z": 1}) == 400
    assert crew_pair.agree("/invocations", {"instances": [row], "params": {"a": 1}}) == 400
    assert crew_pair.agree("/v1/models/{}:predict", {"rows": [row]}) == 400


def test_tensors_of_several_kinds(grid_pair: Pair) -> None:
    request, _ = golden(grid_pair.ours.bundle)[0]
    for tensor in request["inputs"]:
        for key, values in {
            "datatype": ["FP64", "INT64", "BOOL", "BYTES"],
            "data": [[], [None] * len(tensor["data"]), [300] * len(tensor["data"]), [2**64 - 1] * len(tensor["data"])],
            "shape": [[], [1], [len(tensor["data"])], [0]],
            "name": ["other"],
        }.items():
            for value in values:
                changed = [{**t, key: value} if t is tensor else t for t in request["inputs"]]
                grid_pair.agree("/v2/models/{}/infer", {"inputs": changed})
    assert grid_pair.agree("/v2/models/{}/infer", {"inputs": request["inputs"][1:]}) == 400


NUMBERS = """
-0 -0.0 1e-400 1e400 0e5 01 1. .5 +1 1e 1e+ - 2.5E-3 1e308 0.1e309 1E5 123456789012345678901234567890
18446744073709551615 18446744073709551616 -9223372036854775809 0.30000000000000004 1.7976931348623157e308 4.9e-324
2.2250738585072011e-308 9007199254740993 1_0 0x1 1e-99999999999 1e99999999999 Infinity nan NaN tru nul falsee
""".split()  # noqa: SIM905
NUMBERS += ["1" * 400, "0." + "1" * 400]


def test_json_to_the_letter(flowers_pair: Pair) -> None:
    """Numbers, words, blanks and ends as the other server reads them."""
    for number in NUMBERS:
        flowers_pair.agree("/predict", f"[[5.1, 3.5, {number}, 0.2]]".encode())
    for text in (
        " [ ] ",
        "[]x",
        "[[1,2,3,4],]",
        "[,]",
        "[[1 2,3,4]]",
        "",
        " ",
        "[",
        "[[",
        "]",
        "\t\r\n[]\n",
        "\v[]",
        "[]\0",
        "{}",
        "\ufeff[]",
    ):
        flowers_pair.agree("/predict", text.encode())
    for text in (
        '{"X" [1,2,3,4]}',
        '{"X":}',
        '{"X":[1,2,3,4],}',
        "{X:1}",
        '{"X":[1,2,3,4]',
        "{,}",
        '{"X":[0,0,0,0],"X":[1,2,3,4]}',
    ):
        flowers_pair.agree("/predict", text.encode())


def test_text_in_json_to_the_letter(crew_pair: Pair) -> None:
    escaped = [
        r"\ud83d\ude00",
        r"\uD83D\uDE00",
        r"\ud83d",
        r"\ude00",
        r"\ud83d\ud83d",
        r"\ud83dx",
        r"\u12",
        r"\u12g4",
        r"\u-123",
    ]
    escaped += [
        r"na\u00efve",
        r"\x",
        r"\/",
        "\\",
        '\\"',
        r"\n\t\r\b\f\\\"",
        "\t",
        "\x7f",
        "\x00",
        r"\u0000",
        "日本",
        r"\u65e5\u672C",
    ]
    for text in escaped:
        row = json.dumps({"mood": "?", HOSTILE: 0.5, "age": 30, "aboard": True})
        crew_pair.agree("/predict", row.replace('"?"', f'"{text}"').encode())
        request = json.dumps({**golden(crew_pair.ours.bundle)[0][0], "id": "?"})
        crew_pair.agree("/v2/models/{}/infer", request.replace('"?"', f'"{text}"').encode())
    for raw in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\xf0\x9f\x98\x80", b"\xc3"):
        crew_pair.agree("/v2/models/{}/infer", request.encode().replace(b'"?"', b'"' + raw + b'"'))


def test_malformed_json(crew_pair: Pair) -> None:
    deep = "[" * 5000
    for text in (deep, deep + "]" * 5000, '{"a":' * 3000, "[" * 101 + "]" * 101):
        reply = crew_pair.ours.post("/predict", text.encode())
        assert reply.status == 400 and "too deeply" in reply.json["error"]


def test_a_thousand_broken_requests(crew_pair: Pair) -> None:
    """Parts of a good request replaced, cut off, doubled: no crash, and the server that Python is agrees."""
    chance = random.Random(0)
    good = json.dumps(golden(crew_pair.ours.bundle)[0][0], ensure_ascii=False).encode()
    differ = []
    for i in range(1000):
        body = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(body))
            action = chance.randrange(4)
            if action == 0:
                body[at] = chance.randrange(256)
            elif action == 1:
                del body[at : at + chance.randrange(20)]
            elif action == 2:
                body[at:at] = chance.choice(
                    [b"null", b"[", b"]", b"{}", b"1e999", b'"', b"-", b"\\u0000", b"0", b"true,"]
                )
            else:
                body[at:at] = body[: chance.randrange(60)]
        reply = crew_pair.ours.post("/v2/models/model/infer", bytes(body))
        assert reply.status in (200, 400), (bytes(body), reply.body)
        if i < 500 and reply.status != crew_pair.theirs.post("/v2/models/crew/infer", bytes(body)).status:
            differ.append(bytes(body))
    assert differ == []
    assert crew_pair.ours.get("/livez").status == 200


# HTTP.


def exchanged(server: Served, sent: bytes, seconds: float = 15, ends: bool = True) -> bytes:
    """What comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        said = b""
        try:
            connection.sendall(sent)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                said += part
        except OSError:
            pass
        return said


ONE = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n[[5.1, 3.5, 1.4, 0.2]]".replace(b" 0.2", b"0.2")


def test_bytes_that_are_no_http(flowers_pair: Pair) -> None:
    for broken in broken_requests(300):
        said = exchanged(flowers_pair.ours, broken)
        assert not said or said.split(b" ")[1][:1] in (b"2", b"4"), (broken, said)
    assert exchanged(flowers_pair.ours, b"\x16\x03\x01\x02\x00" + b"\0" * 50).startswith(b"HTTP/1.1 400")
    assert flowers_pair.ours.get("/livez").status == 200


def test_a_head_without_an_end(flowers_pair: Pair) -> None:
    line = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
    for head in (line + b"X: " + b"a" * 200_000, line + b"A: b\r\n" * 30_000, b"GET /" + b"a" * 200_000):
        assert exchanged(flowers_pair.ours, head, ends=False).startswith(b"HTTP/1.1 431")
    assert exchanged(flowers_pair.ours, line + b"X: " + b"a" * 9000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_pieces_pipelines_and_promises(flowers_pair: Pair) -> None:
    server = flowers_pair.ours
    last = ONE.replace(b"Host: x", b"Host: x\r\nConnection: close")
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.sendall(ONE * 20 + last)
        assert b"".join(iter(lambda: connection.recv(65536), b"")).count(b"HTTP/1.1 200") == 21
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        for byte in last:
            connection.sendall(bytes([byte]))
        assert b"".join(iter(lambda: connection.recv(65536), b"")).count(b"HTTP/1.1 200") == 1
    chunked = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\n\r\n"
    assert exchanged(server, chunked).endswith(b"[]")
    promise = b"POST /predict HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=15) as connection:
        connection.sendall(promise)
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(b"[]")
        assert connection.recv(1000).endswith(b"\r\n\r\n[]")
    offer = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    offer += b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQ\r\n"
    assert exchanged(server, b"POST /predict HTTP/1.1\r\n" + offer + b"Content-Length: 2\r\n\r\n[]").startswith(
        b"HTTP/1.1 200"
    )


def test_methods_paths_and_codings(flowers_pair: Pair) -> None:
    ours, theirs = flowers_pair.ours, flowers_pair.theirs
    for method, path in (
        ("GET", "/predict"),
        ("PUT", "/predict"),
        ("POST", "/livez"),
        ("DELETE", "/v2"),
        ("GET", "/nothing"),
    ):
        mine, other = ours.ask(method, path), theirs.ask(method, path)
        assert mine.status == other.status and mine.headers.get("allow") == other.headers.get("allow")
    head = ours.ask("HEAD", "/v2")
    assert head.status == 200 and head.body == b"" and head.headers["content-length"] == str(len(ours.get("/v2").body))
    assert ours.get("/v2?x=1").status == ours.get("/v2/m%6Fdels/model").status == 200
    assert ours.post("/predict", b"\x1f\x8b", Content_Encoding="gzip").status == 415


def test_raw_tensors(grid_pair: Pair) -> None:
    """The binary extension both ways; and what is wrong with it."""
    path, statuses = "/v2/models/{}/infer", set()
    for request, _ in golden(grid_pair.ours.bundle):
        for wanted in (
            {},
            {"outputs": [{"name": "words_out"}, {"name": "grid_out", "parameters": {"binary_data": False}}]},
        ):
            head, raw = _raw(request, binary_data_output=True, **wanted)
            statuses.add(grid_pair.agree(path, head + raw, Inference_Header_Content_Length=str(len(head))))
            for length in ("x", "", str(len(head) + len(raw) + 1), "9" * 30, str(len(head) - 1), "0"):
                assert grid_pair.agree(path, head + raw, Inference_Header_Content_Length=length) == 400
            for more in (raw[:-1], raw + b"x", b"", raw.replace(b"\x01", b"\x02")):
                grid_pair.agree(path, head + more, Inference_Header_Content_Length=str(len(head)))
            assert grid_pair.agree(path, head) == 400
    assert 200 in statuses


def _raw(request: dict[str, Any], binary_data_output: bool, **more: Any) -> tuple[bytes, bytes]:
    """The JSON part and the raw part of a request."""
    inputs, parts = [], []
    for tensor in request["inputs"]:
        array = array_of(tensor)
        dtype = "bfloat16" if tensor["datatype"] == "BF16" else ""
        filled = np.where(array == None, "", array) if array.dtype == object else array  # noqa: E711
        parts.append(bytes_of_array(filled, dtype))
        inputs.append(
            {k: v for k, v in tensor.items() if k != "data"} | {"parameters": {"binary_data_size": len(parts[-1])}}
        )
    parameters = {"binary_data_output": binary_data_output}
    return json.dumps({**request, "inputs": inputs, "parameters": parameters, **more}).encode(), b"".join(parts)


@pytest.mark.parametrize(
    "datatype", ["FP64", "FP32", "FP16", "BF16", "INT64", "INT32", "INT16", "INT8", "UINT64", "UINT32", "UINT16"]
)
def test_raw_numbers_of_every_type(datatype: str, flowers_pair: Pair) -> None:
    chance = np.random.default_rng(0)
    values = (chance.random((50, 4)) * 100 - 30 * datatype.startswith(("F", "I"))).astype(DTYPES[datatype])
    tensor = {"name": "X", "shape": [50, 4], "datatype": datatype, "data": values.tolist()}
    head, raw = _raw({"inputs": [tensor]}, True)
    assert flowers_pair.agree("/v2/models/{}/infer", head + raw, Inference_Header_Content_Length=str(len(head))) == 200


def test_metrics(flowers_pair: Pair) -> None:
    server = flowers_pair.ours
    line = 'mlpack_requests_total{route="predict",status="200"}'
    before, rows = server.metric(line), server.metric("mlpack_rows_total")
    assert server.post("/predict", [[1, 2, 3, 4]] * 3).status == 200
    assert server.metric(line) == before + 1 and server.metric("mlpack_rows_total") == rows + 3
    refused = server.metric('mlpack_refusals_total{reason="not_json"}')
    assert server.post("/predict", b"[").status == 400
    assert server.metric('mlpack_refusals_total{reason="not_json"}') == refused + 1
    assert server.metric("mlpack_requests_in_flight") == 1
    named = [set(re.findall(r"# TYPE (\w+)", s.get("/metrics").body.decode())) for s in (server, flowers_pair.theirs)]
    assert named[0] == named[1]
    identity = open_bundle(server.bundle).identity
    assert server.metric(f'mlpack_model_info{{name="model",version="1.0.0",identity="{identity}"}}') == 1


# Bounds.


@pytest.fixture
def bounded(flowers_pair: Pair) -> Callable[..., Any]:
    return lambda **variables: native(flowers_pair.program, flowers_pair.ours.bundle, "serve", **variables)


def test_bodies_and_batches_have_bounds(bounded: Callable[..., Any]) -> None:
    with bounded(MLPACK_MAX_BODY="1000", MLPACK_MAX_ROWS="3", MLPACK_MAX_BUFFER="900") as server:
        assert server.post("/predict", [[1, 2, 3, 4]] * 3).status == 200
        for body in ([[1, 2, 3, 4]] * 4, b"[" + b" " * 990 + b"]" + b" " * 100):
            assert server.post("/predict", body).status == 413
        frame = {"inputs": [{"name": "X", "shape": [4, 4], "datatype": "FP64", "data": [1] * 16}]}
        assert server.post("/v2/models/model/infer", frame).status == 413
        assert (
            "1000 bytes"
            in json.loads(
                exchanged(server, b"POST /predict HTTP/1.1\r\nContent-Length: 2000\r\n\r\n", 15, False).split(
                    b"\r\n\r\n"
                )[1]
            )["error"]
        )
        chunk = (
            b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"200\r\n"
            + b" " * 512
            + b"\r\n"
        )
        assert b" 503 " in exchanged(server, chunk + b"1a0\r\n" + b" " * 0x1A0 + b"\r\n", 15, False)
        assert server.post("/predict", [[1, 2, 3, 4]]).status == 200


def test_one_request_too_many(bounded: Callable[..., Any]) -> None:
    with bounded(MLPACK_MAX_REQUESTS="1") as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(ONE[:-3])
        _until(lambda: server.metric("mlpack_requests_in_flight") == 2)
        late = server.post("/predict", [[1, 2, 3, 4]])
        assert late.status == 503 and late.headers["retry-after"] == "1"
        assert server.get("/readyz").status == 200
        slow.sendall(ONE[-3:])
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        assert server.post("/predict", [[1, 2, 3, 4]]).status == 200


def test_one_connection_too_many(bounded: Callable[..., Any]) -> None:
    with bounded(MLPACK_MAX_CONNECTIONS="2") as server:
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
        _until(lambda: b" 503 " in exchanged(server, b""))
        assert b"retry-after: 1" in exchanged(server, b"")
        for connection in held:
            connection.close()
        _until(
            lambda: exchanged(server, ONE.replace(b"Host: x", b"Host: x\r\nConnection: close")).startswith(
                b"HTTP/1.1 200"
            )
        )


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize(
    "sent", [b"POST /predict HT", b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[["]
)
def test_a_sender_that_stops(sent: bytes, bounded: Callable[..., Any]) -> None:
    with bounded(MLPACK_REQUEST_SECONDS="1") as server:
        begun = time.monotonic()
        assert exchanged(server, sent, 20, False).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < 15
        assert server.get("/livez").status == 200


def test_many_slow_senders_hold_nobody_up(bounded: Callable[..., Any]) -> None:
    with bounded() as server:
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
        for connection in slow:
            connection.sendall(ONE[:-5])
        assert server.post("/predict", [[1, 2, 3, 4]]).status == 200
        for connection in slow:
            connection.sendall(ONE[-5:])
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
            connection.close()


def test_large_bodies_from_many_at_once(bounded: Callable[..., Any]) -> None:
    """Answered in threads of their own; each gets its own rows."""
    with bounded(MLPACK_WORKERS="2", MLPACK_THREADS="2") as server:
        got: dict[int, Any] = {}

        def ask(count: int) -> None:
            got[count] = server.post("/predict", [[5.1, 3.5, 1.4, 0.2]] * count).json

        threads = [threading.Thread(target=ask, args=(5000 + i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        assert server.get("/livez").status == 200
        for thread in threads:
            thread.join()
        assert {count: len(rows) for count, rows in got.items()} == {5000 + i: 5000 + i for i in range(8)}


def test_sigterm_finishes_what_was_taken(bounded: Callable[..., Any]) -> None:
    with bounded() as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as slow:
        idle = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        slow.sendall(ONE[:-3])
        _until(lambda: server.metric("mlpack_requests_in_flight") == 2)
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(10) == b""
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        slow.sendall(ONE[-3:])
        said = b"".join(iter(lambda: slow.recv(65536), b""))
        assert said.startswith(b"HTTP/1.1 200") and b"connection: close" in said
        slow.close()
        assert server.process.wait(20) == 0


def test_grace_has_an_end(bounded: Callable[..., Any]) -> None:
    with bounded(MLPACK_GRACE_SECONDS="1") as server, socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(ONE[:-3])
        _until(lambda: server.metric("mlpack_requests_in_flight") == 2)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0


# How it is started.


def _run(program: Path, *words: object, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ONNXRUNTIME_LIBRARY": str(cpp._library()), **variables}
    return subprocess.run([program, *map(str, words)], env=environment, capture_output=True, text=True, timeout=60)


def test_wrong_starts(flowers_pair: Pair, tmp_path: Path) -> None:
    program, bundle = flowers_pair.program, flowers_pair.ours.bundle
    shutil.copytree(bundle / "model", tmp_path / "model")
    (tmp_path / "model" / "model.onnx").write_bytes(b"another graph")
    for words, variables, code, said in (
        ([tmp_path], {}, 8, "not as it was built"),
        ([tmp_path / "nothing"], {}, 2, "model.onnx"),
        ([bundle, bundle], {}, 2, "more than one folder"),
        ([bundle], {"MLPACK_MAX_ROWS": "many"}, 2, "MLPACK_MAX_ROWS"),
        ([bundle], {"PORT": "70000"}, 2, "70000"),
        ([bundle], {"MLPACK_GRPC_PORT": "8081"}, 2, "gRPC"),
        ([bundle], {"PORT": str(flowers_pair.ours.port)}, 2, "cannot listen"),
        ([bundle], {"ONNXRUNTIME_LIBRARY": "/no/such/library.so"}, 8, "/no/such/library.so"),
        (["health"], {"PORT": "1"}, 1, ""),
    ):
        done = _run(program, *words, **variables)  # type: ignore[arg-type]
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert _run(program, "health", PORT=str(flowers_pair.ours.port)).returncode == 0
    assert _run(program, "version").stdout == "model 1.0.0\n"


def test_the_platforms_variables(flowers_pair: Pair) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    variables = {"SAGEMAKER_BIND_TO_PORT": str(port), "AIP_HEALTH_ROUTE": "/ok", "AIP_PREDICT_ROUTE": "/ask"}
    with native(flowers_pair.program, flowers_pair.ours.bundle, **variables) as server:
        assert server.port == port and server.get("/ok").status == 200
        reply = server.post("/ask", {"instances": [[1, 2, 3, 4]]})
        assert reply.status == 200 and len(reply.json["predictions"]) == 1


@pytest.mark.parametrize("binary", [True, False])
def test_a_client_that_nobody_here_wrote(binary: bool, crew_pair: Pair) -> None:
    triton = pytest.importorskip("tritonclient.http")
    client = triton.InferenceServerClient(f"127.0.0.1:{crew_pair.ours.port}")
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(NAME, "1.0.0")
    assert client.get_server_metadata()["name"] == "mlpack"
    metadata = client.get_model_metadata(NAME)
    values = {
        "mood": np.array([["😀"], ["日本"]], object),
        HOSTILE: np.array([[0.5], [-2.0]]),
        "age": np.array([[30], [40]]),
        "aboard": np.array([[True], [False]]),
    }
    given = []
    for tensor in metadata["inputs"]:
        array = values[tensor["name"]]
        kind = {"f": "FP64", "i": "INT64", "b": "BOOL", "O": "BYTES"}[array.dtype.kind]
        given.append(triton.InferInput(tensor["name"], array.shape, kind))
        given[-1].set_data_from_numpy(array, binary_data=binary)
    wanted = [triton.InferRequestedOutput(t["name"], binary_data=binary) for t in metadata["outputs"]]
    answer = client.infer(NAME, given, outputs=wanted, request_id="a")
    assert answer.get_response()["id"] == "a"
    labels = {str(v.decode() if isinstance(v, bytes) else v) for v in answer.as_numpy("label")}
    assert answer.as_numpy("probabilities").shape == (2, 2) and labels <= {"<b>aye</b>", 'no "way"'}


# Attacks.


@pytest.mark.parametrize("name", ALL)
def test_every_attack_gets_its_one_answer(flowers_pair: Pair, name: str) -> None:
    """The one that Python's server gives (see `test_hostile`)."""
    status, sent = ALL[name]
    assert statuses(flowers_pair.ours.port, sent, NAME) == [status]


def test_a_request_without_host_behind_another(flowers_pair: Pair) -> None:
    assert statuses(flowers_pair.ours.port, GET * 50 + GET.replace(b"Host", b"Hose"), NAME) == [200] * 50 + [400]


def test_a_list_for_a_cell(crew_pair: Pair) -> None:
    row = {"mood": "", HOSTILE: 0.5, "age": 30, "aboard": True}
    for name in row:
        for body in ([{**row, name: [row[name]]}], [[[v] if n == name else v for n, v in row.items()]]):
            ours, theirs = crew_pair.both("/predict", body)
            assert (ours.status, ours.body) == (theirs.status, theirs.body) == (400, ours.body)
    assert crew_pair.agree("/invocations", {"inputs": {name: [cell] for name, cell in row.items()}}) == 200


@pytest.mark.parametrize("piece", [4 << 20, 1 << 16])
def test_held_bodies_take_what_was_promised(flowers_pair: Pair, piece: int) -> None:
    with native(flowers_pair.program, flowers_pair.ours.bundle, MLPACK_MAX_BUFFER=str(64 << 20)) as server:
        taken, refused = hold(server, 20, piece)
        assert taken < 1.25 * (64 << 20), taken >> 20
        assert refused >= 10
