"""The Open Inference Protocol: golden cases in JSON, in bytes, and through a client that nobody here wrote."""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.runtimes.engine.binary import array_of_bytes
from mlpack_toolkit.runtimes.engine.tensors import array_of
from tests.runtimes.server.conftest import Answer, Served, golden, raw_of

SERVERS = ("penguin_server", "flower_server", "crew_server", "typed_server")


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> Served:
    found: Served = request.getfixturevalue(request.param)
    return found


def equal(got: Any, want: dict[str, Any]) -> None:
    """The outputs are the golden ones, floats within the tolerance that stands beside them."""
    assert list(got) == [t["name"] for t in want["outputs"]]
    for tensor in want["outputs"]:
        expected, values = array_of(tensor), got[tensor["name"]]
        assert values.shape == expected.shape
        if expected.dtype.kind != "f":
            assert values.tolist() == expected.tolist()
            continue
        allowed = Tolerance(**tensor.get("parameters", {"atol": 0.0, "rtol": 0.0}))
        np.testing.assert_allclose(
            np.asarray(values, expected.dtype), expected, allowed.rtol, allowed.atol, equal_nan=True
        )


def path(server: Served, version: str = "") -> str:
    return f"/v2/models/{server.name}{version}/infer"


def check(reply: Answer, want: dict[str, Any], read: Any) -> None:
    if "error" in want:
        assert reply.status == 400 and reply.json["error"]
    else:
        assert reply.status == 200, reply.body
        equal(read(reply), want)


def from_json(reply: Answer) -> dict[str, Any]:
    return {t["name"]: array_of(t) for t in reply.json["outputs"]}


def from_bytes(reply: Answer) -> dict[str, Any]:
    length = int(reply.headers["inference-header-content-length"])
    head, raw, found = json.loads(reply.body[:length]), reply.body[length:], {}
    for tensor in head["outputs"]:
        size = tensor["parameters"]["binary_data_size"]
        found[tensor["name"]] = array_of_bytes(tensor["name"], tensor["datatype"], tensor["shape"], raw[:size])
        raw = raw[size:]
    assert not raw
    return found


def in_bytes(request: dict[str, Any]) -> tuple[bytes, str]:
    """The request with every tensor as bytes that can be: null is JSON's alone. And the length of its head."""
    parts, inputs = [], []
    for tensor in request["inputs"]:
        if None not in tensor["data"]:
            parts.append(raw_of(tensor))
            tensor = {k: v for k, v in tensor.items() if k != "data"} | {
                "parameters": {"binary_data_size": len(parts[-1])}
            }
        inputs.append(tensor)
    head = json.dumps({**request, "inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return head + b"".join(parts), str(len(head))


def test_golden_cases_in_json(server: Served) -> None:
    cases = golden(server.bundle)
    assert cases
    for request, want in cases:
        reply = server.post(path(server), request)
        check(reply, want, from_json)
        if "error" not in want:
            assert reply.json["id"] == request["id"] and reply.json["model_name"] == server.name
            assert reply.json["model_version"] == "1.0.0"


def test_golden_cases_in_bytes(server: Served) -> None:
    for request, want in golden(server.bundle):
        body, length = in_bytes(request)
        check(
            server.post(path(server, "/versions/1.0.0"), body, Inference_Header_Content_Length=length), want, from_bytes
        )


def test_golden_cases_through_tritons_client(server: Served) -> None:
    client = pytest.importorskip("tritonclient.http")
    from tritonclient.utils import InferenceServerException

    with client.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=20) as triton:
        assert triton.is_server_live() and triton.is_server_ready() and triton.is_model_ready(server.name, "1.0.0")
        assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        told = triton.get_model_metadata(server.name)
        for binary in (True, False):
            for request, want in golden(server.bundle):
                tensors = [_triton_input(client, t, binary) for t in request["inputs"]]
                outputs = [client.InferRequestedOutput(t["name"], binary_data=binary) for t in told["outputs"]]
                if "error" in want:
                    with pytest.raises(InferenceServerException):
                        triton.infer(server.name, tensors, outputs=outputs)
                    continue
                answer = triton.infer(server.name, tensors, outputs=outputs, request_id="seven")
                assert answer.get_response()["id"] == "seven"
                equal({t["name"]: _text(answer.as_numpy(t["name"])) for t in want["outputs"]}, want)


def _triton_input(client: Any, tensor: dict[str, Any], binary: bool) -> Any:
    """What cannot be said in bytes, or by this client in JSON, goes the other way."""
    values = array_of(tensor)
    found = client.InferInput(tensor["name"], list(values.shape), tensor["datatype"])
    if values.dtype.kind == "O":
        values = np.array([b"" if c is None else c.encode() for c in values.ravel()], object).reshape(values.shape)
    if tensor["datatype"] == "BF16":
        values = values.astype(ml_dtypes.bfloat16)
    finite = values.dtype.kind not in "fV" or np.isfinite(values).all()
    found.set_data_from_numpy(values, binary_data=bool(binary or tensor["datatype"] in ("FP16", "BF16") or not finite))
    return found


def _text(values: Any) -> Any:
    if values.dtype.kind != "O":
        return values
    return np.array([c.decode() if isinstance(c, bytes) else c for c in values.ravel()], object).reshape(values.shape)


def test_metadata_and_health(typed_server: Served) -> None:
    told = typed_server.get("/v2/models/typed").json
    assert told["name"] == "typed" and told["versions"] == ["1.0.0"] and told["platform"]
    inputs = {t["name"]: (t["datatype"], t["shape"]) for t in told["inputs"]}
    assert inputs["grid"] == ("FP32", [-1, -1, 3]) and inputs["words"] == ("BYTES", [-1, 2])
    assert inputs["wide"] == ("UINT64", [-1]) and inputs["half"] == ("FP16", [-1, 2])
    assert inputs["brain"] == ("BF16", [-1, 2])
    assert typed_server.get("/v2/models/typed/versions/1.0.0").json == told
    for place in ("/v2/health/live", "/v2/health/ready", "/v2/models/typed/ready", "/livez", "/readyz", "/ping"):
        assert typed_server.get(place).status == 200
    assert typed_server.get("/ping").body == b""
    assert typed_server.get("/v2").json["name"]


def test_what_is_not_there(penguin_server: Served) -> None:
    for place in ("/v2/models/other", "/v2/models/penguins/versions/2/infer", "/nothing", "/v2/"):
        reply = penguin_server.get(place)
        assert reply.status == 404 and "error" in reply.json
    reply = penguin_server.ask("DELETE", "/predict")
    assert reply.status == 405 and reply.headers["allow"] == "POST"


def one_flower(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "X", "shape": [1, 4], "datatype": "FP32", "data": [5.1, 3.5, 1.4, 0.2]}
    return {"inputs": [{**tensor, **changes}]}


def test_nested_data_and_chosen_outputs(flower_server: Served) -> None:
    whole = flower_server.post(path(flower_server), one_flower()).json
    assert "id" not in whole
    assert flower_server.post(path(flower_server), one_flower(data=[[5.1, 3.5, 1.4, 0.2]])).json == whole
    chosen = flower_server.post(path(flower_server), {**one_flower(), "outputs": [{"name": "probabilities"}]}).json
    assert chosen["outputs"] == whole["outputs"][1:]
    turned = {**one_flower(), "outputs": [{"name": "probabilities"}, {"name": "label"}], "id": ""}
    assert flower_server.post(path(flower_server), turned).json["outputs"] == whole["outputs"][::-1]


def test_one_output_in_bytes_and_one_in_json(flower_server: Served) -> None:
    outputs = [{"name": "label"}, {"name": "probabilities", "parameters": {"binary_data": True}}]
    reply = flower_server.post(path(flower_server), {**one_flower(), "outputs": outputs})
    length = int(reply.headers["inference-header-content-length"])
    head = json.loads(reply.body[:length])
    assert head["outputs"][0]["data"] == [0] and "data" not in head["outputs"][1]
    assert len(reply.body) - length == head["outputs"][1]["parameters"]["binary_data_size"]
    assert math.isclose(np.frombuffer(reply.body[length:], "f4").sum(), 1.0, rel_tol=1e-6)


FAULTS = [
    ({"name": "Y"}, "Y"),
    ({"shape": [2, 4]}, "4 cells"),
    ({"shape": [1, 5], "data": [1.0] * 5}, "[-1, 4]"),
    ({"shape": [4]}, "shape"),
    ({"shape": [1, -4]}, "shape"),
    ({"shape": [True, 4]}, "shape"),
    ({"shape": "4"}, "shape"),
    ({"shape": [2**62, 4]}, "shape"),
    ({"datatype": "FP31"}, "FP31"),
    ({"datatype": None}, "datatype"),
    ({"datatype": "BYTES", "data": ["1", "2", "3", "4"]}, "text"),
    ({"datatype": "BOOL", "data": [True] * 4}, "true or false"),
    ({"data": [5.1, 3.5, "x", 0.2]}, "row 0, column 'X': the text 'x'"),
    ({"data": [5.1, 3.5, True, 0.2]}, "row 0, column 'X': true"),
    ({"data": [5.1, 3.5, None, 0.2]}, "row 0, column 'X': a missing value"),
    ({"data": [5.1, 3.5, "NaN", 0.2]}, "row 0, column 'X': a missing value"),
    ({"data": [5.1, 3.5, "Infinity", 0.2]}, "row 0, column 'X': a number beyond"),
    ({"data": [5.1, 3.5, 1e35, 0.2]}, "row 0, column 'X': a number beyond"),
    ({"data": [[5.1, 3.5], [1.4, 0.2]]}, "nesting"),
    ({"data": [[5.1, 3.5, [1.4], 0.2]]}, "a list"),
    ({"data": {}}, "list"),
    ({"data": [5.1, 3.5, {}, 0.2]}, "an object"),
    ({"datatype": "INT8", "data": [1, 2, 3, 300]}, "-128 to 127"),
    ({"datatype": "INT8", "data": [1, 2, 3, 2.5]}, "whole"),
    ({"parameters": []}, "parameters"),
    ({"parameters": {"binary_data_size": 16}}, "binary_data_size"),
]


@pytest.mark.parametrize(("changes", "said"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named(flower_server: Served, changes: dict[str, Any], said: str) -> None:
    reply = flower_server.post(path(flower_server), one_flower(**changes))
    assert reply.status == 400 and said in reply.json["error"]


def test_faults_of_the_request(flower_server: Served) -> None:
    whole: Any
    for whole in ([], None, 7, {}, {"inputs": []}, {"inputs": {}}, {"inputs": [7]}, {**one_flower(), "id": 7}):
        assert flower_server.post(path(flower_server), json.dumps(whole).encode()).status == 400
    for outputs in ("label", [7], [{"name": "nothing"}], [{"name": "label"}] * 2, [{"name": "label", "parameters": 7}]):
        assert flower_server.post(path(flower_server), {**one_flower(), "outputs": outputs}).status == 400
    twice = one_flower()["inputs"] * 2
    assert "twice" in flower_server.post(path(flower_server), {"inputs": twice}).json["error"]


@pytest.mark.parametrize("length", ["x", "-1", "99999", "", "9" * 40, "3"])
def test_a_wrong_length_of_the_head(flower_server: Served, length: str) -> None:
    reply = flower_server.post(path(flower_server), one_flower(), Inference_Header_Content_Length=length)
    assert reply.status == 400


def test_faults_of_raw_bytes(typed_server: Served) -> None:
    body, length = in_bytes(golden(typed_server.bundle)[0][0])
    for wrong in (body[:-1], body + b"\0", body[: int(length)]):
        reply = typed_server.post(path(typed_server), wrong, Inference_Header_Content_Length=length)
        assert reply.status == 400 and reply.json["error"]


def typed(server: Served, **changes: Any) -> Answer:
    request, _ = golden(server.bundle)[0]
    inputs = [{**t, **changes.get(t["name"], {})} for t in request["inputs"]]
    return server.post(path(server), {"inputs": inputs})


def test_faults_of_other_kinds(typed_server: Served) -> None:
    request, _ = golden(typed_server.bundle)[0]
    size = {t["name"]: len(t["data"]) for t in request["inputs"]}
    assert typed(typed_server).status == 200
    for name, data, kind in (
        ("byte", [256], "INT64"),
        ("byte", [-1], "INT64"),
        ("byte", [1.5], "FP64"),
        ("byte", ["NaN"], "FP64"),
        ("wide", [2**64], "FP64"),
        ("flag", [1], "INT64"),
        ("flag", [1], "BOOL"),
        ("words", [1], "INT64"),
        ("half", ["a"], "BYTES"),
    ):
        reply = typed(typed_server, **{name: {"data": data * size[name], "datatype": kind}})
        assert reply.status == 400 and repr(name) in reply.json["error"], (name, reply.body)
    short = next(t for t in request["inputs"] if t["name"] == "flag")
    reply = typed(typed_server, flag={"data": short["data"] + [True], "shape": [len(short["data"]) + 1]})
    assert reply.status == 400 and "dimension" in reply.json["error"]


def test_whole_numbers_at_the_edge(typed_server: Served) -> None:
    request, _ = golden(typed_server.bundle)[0]
    count = next(len(t["data"]) for t in request["inputs"] if t["name"] == "wide")
    reply = typed(typed_server, wide={"data": [2**64 - 1] * count, "datatype": "UINT64"})
    assert from_json(reply)["wide_out"].tolist() == [2**64 - 1] * count
