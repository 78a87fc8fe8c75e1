"""The bodies and variables of SageMaker, Vertex AI, MLflow and KServe v1; rows by name; csv."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.data.arrow import MISSING_IN_CSV
from mlpack_toolkit.runtimes.engine.errors import NoModel
from mlpack_toolkit.runtimes.server.protocol.csv_rows import MISSING
from mlpack_toolkit.runtimes.server.settings import from_environment
from tests.conftest import Run
from tests.runtimes.server.conftest import HOSTILE, OTHER, ROW, Served, serving


@pytest.fixture(scope="module")
def answers(penguin_server: Served) -> list[Any]:
    reply = penguin_server.post("/predict", [ROW, OTHER])
    assert reply.status == 200, reply.body
    found: list[Any] = reply.json
    return found


def test_the_answers_are_those_of_mlpack_predict(
    penguin_server: Served, answers: list[Any], mlpack: Run, tmp_path: Path
) -> None:
    (tmp_path / "rows.json").write_text(json.dumps([ROW, OTHER]))
    assert mlpack("predict", penguin_server.bundle, "rows.json", "-o", "out.json")[0] == 0
    assert answers == json.loads((tmp_path / "out.json").read_text())
    assert penguin_server.post("/predict", ROW).json == answers[:1]
    assert penguin_server.post("/predict", []).json == []


def test_rows_in_the_order_of_the_columns(penguin_server: Served, answers: list[Any]) -> None:
    rows = [list(ROW.values()), list(OTHER.values())]
    assert penguin_server.post("/predict", rows).json == answers


def test_mlflows_four_forms(penguin_server: Served, answers: list[Any]) -> None:
    names, want = list(ROW), {"predictions": answers}
    rows = [list(ROW.values()), list(OTHER.values())]
    turned = names[::-1]
    for body in (
        {"dataframe_split": {"index": [0, 1], "columns": names, "data": rows}},
        {"dataframe_split": {"columns": turned, "data": [r[::-1] for r in rows]}},
        {"dataframe_records": [ROW, OTHER]},
        {"instances": [ROW, OTHER], "params": {}},
        {"inputs": {name: [ROW[name], OTHER[name]] for name in names}},
        [ROW, OTHER],
    ):
        reply = penguin_server.post("/invocations", body, Content_Type="application/json")
        assert reply.status == 200 and reply.json == want, reply.body
    request = {"inputs": [{"name": "island", "shape": [1, 1], "datatype": "BYTES", "data": ["Biscoe"]}]}
    assert "are missing" in penguin_server.post("/invocations", request).json["error"]


def test_vertex_and_v1(penguin_server: Served, answers: list[Any]) -> None:
    place = "/v1/models/penguins"
    body = {"instances": [ROW, OTHER], "parameters": {}}
    assert penguin_server.post(f"{place}:predict", body).json == {"predictions": answers}
    assert penguin_server.get(place).json == {"name": "penguins", "ready": True}
    assert penguin_server.get("/v1/models").json == {"models": ["penguins"]}
    assert penguin_server.post(f"{place}:predict", {**body, "parameters": {"top": 1}}).status == 400
    assert penguin_server.post(f"{place}:predict", {"rows": []}).status == 400


def csv_of(*rows: dict[str, Any], head: bool = True) -> bytes:
    import csv

    text = io.StringIO()
    lines = [list(ROW)] if head else []
    csv.writer(text).writerows([*lines, *([("" if v is None else v) for v in row.values()] for row in rows)])
    return text.getvalue().encode()


def test_csv(penguin_server: Served, answers: list[Any]) -> None:
    for body, kind in (
        (csv_of(ROW, OTHER), "text/csv"),
        (csv_of(ROW, OTHER), "text/csv; charset=utf-8; header=present"),
        (b"\xef\xbb\xbf" + csv_of(ROW, OTHER), "text/csv"),
        (csv_of(ROW, OTHER, head=False), "text/csv; header=absent"),
    ):
        reply = penguin_server.post("/invocations", body, Content_Type=kind)
        assert reply.status == 200 and reply.json == {"predictions": answers}, reply.body


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (csv_of(ROW, head=False), "header=absent"),
        (csv_of(ROW).replace(b"39.1", b"3_9.1"), "row 0, column 'bill_length_mm'"),
        (csv_of(ROW, ROW).replace(b",2007\r\nBiscoe", b",x\r\nBiscoe"), "row 0, column 'year'"),
        (csv_of(ROW).replace(b"2007", b"2007.5"), "row 0, column 'year'"),
        (csv_of(ROW) + b"1,2\n", "row 1"),
        (csv_of(ROW).replace(b"year", b"sex"), "twice"),
        (b"", "empty"),
        (b"\xff\xfe", "UTF-8"),
        (b'"a', "cannot be read"),
    ],
)
def test_faults_in_csv(penguin_server: Served, body: bytes, said: str) -> None:
    reply = penguin_server.post("/invocations", body, Content_Type="text/csv")
    assert reply.status == 400 and said in reply.json["error"], reply.body


def test_missing_cells_are_those_of_mlpack_predict() -> None:
    assert set(MISSING_IN_CSV) == MISSING


def test_a_matrix(flower_server: Served) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 3.0, 4.8, 1.8]]
    want = flower_server.post("/predict", rows).json
    assert [r["label"] for r in want] == [0, 2]
    assert flower_server.post("/predict", [{"X": row} for row in rows]).json == want
    frame = {"columns": ["a", "b", "c", "d"], "data": rows}
    for body in (
        {"inputs": rows},
        {"instances": rows},
        {"dataframe_split": frame},
        {"dataframe_split": {"data": rows}},
    ):
        assert flower_server.post("/invocations", body).json == {"predictions": want}
    for text in ("5.1,3.5,1.4,0.2\n6,3,4.8,1.8\n", "a,b,c,d\n5.1,3.5,1.4,0.2\n6,3,4.8,1.8"):
        assert flower_server.post("/invocations", text.encode(), Content_Type="text/csv").json == {"predictions": want}
    for bad in (
        [[1, 2, 3]],
        [1],
        [[1, 2, 3, "x"]],
        [{"X": 1}],
        [[1, 2, 3, 4], {"X": [1, 2, 3, 4]}],
        [{"X": rows[0]}, rows[0]],
    ):
        assert flower_server.post("/predict", bad).status == 400


def test_a_hostile_column(crew_server: Served) -> None:
    row = {"mood": "日本", HOSTILE: 0.5, "age": 30, "aboard": True}
    said = crew_server.post("/predict", row).json[0]
    assert said["label"] in ("<b>aye</b>", 'no "way"')
    for changes, word in (
        ({"mood": "unheard of"}, "does not know"),
        ({"aboard": 1}, "true or false"),
        ({"aboard": None}, "missing"),
        ({"age": "30"}, "the text '30'"),
        ({"mood": 3}, "text"),
        ({"stranger": 3}, "no column 'stranger'"),
    ):
        reply = crew_server.post("/predict", [row, {**row, **changes}])
        assert reply.status == 400 and reply.json["error"].startswith("row 1") and word in reply.json["error"], (
            reply.body
        )
    page = crew_server.get("/")
    assert page.headers["content-type"].startswith("text/html") and b"<script>alert" not in page.body
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_the_typed_model_has_no_rows_where_dimensions_are_free(typed_server: Served) -> None:
    row = {"half": [1, 2], "byte": 3, "flag": True, "words": ["a", None], "grid": [[1, 2, 3]], "wide": 2**64 - 1}
    row["brain"] = [1, 0.1]
    reply = typed_server.post("/predict", {**row, "words": ["a", "b"]})
    assert reply.status == 200 and reply.json[0]["wide_out"] == 2**64 - 1 and reply.json[0]["grid_out.2"] == 3.0
    assert [reply.json[0][f"brain_out.{i}"] for i in (0, 1)] == [1, 0.10009765625], "the nearest bfloat16"
    assert typed_server.post("/predict", row).status == 400
    assert typed_server.post("/predict", {**row, "grid": [[1, 2]]}).status == 400


@pytest.fixture(scope="module")
def vertex(flower_bundle: Path) -> Iterator[Served]:
    with serving(flower_bundle, AIP_HEALTH_ROUTE="/well", AIP_PREDICT_ROUTE="/predict") as server:
        yield server


def test_the_routes_that_vertex_names(vertex: Served) -> None:
    assert vertex.get("/well").status == 200
    reply = vertex.post("/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]], "parameters": None})
    assert reply.json["predictions"][0]["label"] == 0


def test_the_variables_of_platforms() -> None:
    assert from_environment({}).port == 8080
    assert from_environment({"PORT": "1", "AIP_HTTP_PORT": "2"}).port == 2
    assert from_environment({"PORT": "1", "SAGEMAKER_BIND_TO_PORT": "3", "AIP_HTTP_PORT": "2"}).port == 3
    assert from_environment({"PORT": "1"}, port=4, host=None).port == 4
    on = from_environment({"MLPACK_PROVIDER": "CUDAExecutionProvider:use_tf32=0,cudnn_conv_algo_search=HEURISTIC"})
    assert on.provider == "CUDAExecutionProvider"
    assert on.provider_options == (("use_tf32", "0"), ("cudnn_conv_algo_search", "HEURISTIC"))
    assert from_environment({}).provider == "CPUExecutionProvider"
    assert from_environment({"MLPACK_MAX_ROWS": "7", "MLPACK_HOST": "::"}).rows == 7
    for wrong in ("0", "-1", "x", "1" * 20):
        with pytest.raises(NoModel, match="MLPACK_MAX_BODY"):
            from_environment({"MLPACK_MAX_BODY": wrong})


def test_pandas_writes_what_the_server_reads(
    penguin_server: Served, penguins: Path, mlpack: Run, tmp_path: Path
) -> None:
    """The four ways in which MLflow's documentation makes a body of a data frame."""
    import pandas as pd

    frame = pd.read_parquet(penguins / "penguins.parquet").head(30)
    frame = frame[list(ROW)]
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert mlpack("predict", penguin_server.bundle, "rows.csv", "-o", "out.json")[0] == 0
    want = {"predictions": json.loads((tmp_path / "out.json").read_text())}
    split = f'{{"dataframe_split": {frame.to_json(orient="split")}}}'
    records = f'{{"dataframe_records": {frame.to_json(orient="records")}}}'
    lists = json.dumps({"inputs": {n: json.loads(frame[n].to_json(orient="values")) for n in frame}})
    for body in (split, records, lists):
        assert penguin_server.post("/invocations", body.encode(), Content_Type="application/json").json == want
    text = frame.to_csv(index=False).encode()
    assert penguin_server.post("/invocations", text, Content_Type="text/csv").json == want
    assert np.isfinite([p["probability.Adelie"] for p in want["predictions"]]).all()


def test_a_wrong_call_of_the_server_itself(tmp_path: Path) -> None:
    for arguments, code in (([tmp_path], 2), ([tmp_path, "b"], 2), ([], 2)):
        command = [sys.executable, "-m", "mlpack_toolkit.runtimes.server", *map(str, arguments)]
        assert subprocess.run(command, capture_output=True, timeout=30).returncode == code
