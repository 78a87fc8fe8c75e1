"""The protocol over gRPC: its table of fields against a published one, and golden cases through its client."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mlpack_toolkit.packager.bundle.golden import Tolerance
from mlpack_toolkit.runtimes.engine.tensors import array_of
from mlpack_toolkit.runtimes.server.transport.grpc_messages import messages
from tests.runtimes.server.conftest import Served, golden, serving

triton = pytest.importorskip("tritonclient.grpc")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", params=["crew_bundle", "typed_bundle"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[Served, Any]]:
    bundle: Path = request.getfixturevalue(request.param)
    port = free_port()
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    with serving(bundle, "--workers", 2, MLPACK_GRPC_PORT=str(port)) as server, client:
        yield server, client


def _shape_of(descriptor: Any) -> dict[int, tuple[str, int]]:
    """Name and wire type by number."""
    return {f.number: (f.name, f.type) for f in descriptor.fields}


def test_the_fields_are_those_of_the_published_proto() -> None:
    own = messages()
    others = vars(triton.service_pb2)
    nested = {"TensorMetadata": "ModelMetadataResponse", "InferOutputTensor": "ModelInferResponse"}
    nested |= {"InferInputTensor": "ModelInferRequest", "InferRequestedOutputTensor": "ModelInferRequest"}
    for name, message in own.items():
        other = getattr(others[nested[name]], name) if name in nested else others[name]
        theirs = _shape_of(other.DESCRIPTOR)
        assert _shape_of(message.DESCRIPTOR).items() <= theirs.items(), name
        left = {theirs[n][0] for n in theirs.keys() - _shape_of(message.DESCRIPTOR).keys()}
        assert left <= {"parameters"}, name


def test_health_and_metadata(served: tuple[Served, Any]) -> None:
    server, client = served
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(server.name) and client.is_model_ready(server.name, "1.0.0")
    told = client.get_model_metadata(server.name, as_json=True)
    want = server.get(f"/v2/models/{server.name}").json
    assert [(t["name"], t["datatype"], list(map(int, t["shape"]))) for t in told["inputs"]] == [
        (t["name"], t["datatype"], t["shape"]) for t in want["inputs"]
    ]
    with pytest.raises(triton.InferenceServerException, match="no model"):
        client.get_model_metadata("other")


def _input(tensor: dict[str, Any]) -> Any:
    values = array_of(tensor)
    found = triton.InferInput(tensor["name"], list(values.shape), tensor["datatype"])
    if values.dtype.kind == "O":
        values = np.array([c.encode() for c in values.ravel()], object).reshape(values.shape)
    found.set_data_from_numpy(values.astype(ml_dtypes.bfloat16) if tensor["datatype"] == "BF16" else values)
    return found


def test_golden_cases(served: tuple[Served, Any]) -> None:
    server, client = served
    answered = 0
    for request, want in golden(server.bundle):
        if any(None in tensor["data"] for tensor in request["inputs"]):
            continue
        inputs = [_input(tensor) for tensor in request["inputs"]]
        if "error" in want:
            with pytest.raises(triton.InferenceServerException) as caught:
                client.infer(server.name, inputs)
            assert "INVALID_ARGUMENT" in caught.value.status()
            continue
        answer = client.infer(server.name, inputs, request_id="seven")
        assert answer.get_response().id == "seven"
        for tensor in want["outputs"]:
            _same(answer.as_numpy(tensor["name"]), tensor)
        answered += 1
    assert answered > 2
    assert server.metric('mlpack_requests_total{route="grpc",status="200"}') >= answered


def _same(values: Any, tensor: dict[str, Any]) -> None:
    expected = array_of(tensor)
    if expected.dtype.kind == "f":
        allowed = Tolerance(**tensor.get("parameters", {"atol": 0.0, "rtol": 0.0}))
        np.testing.assert_allclose(
            np.asarray(values, expected.dtype), expected, allowed.rtol, allowed.atol, equal_nan=True
        )
        return
    cells = [c.decode() if isinstance(c, bytes) else c for c in values.ravel().tolist()]
    assert cells == expected.ravel().tolist() and list(values.shape) == list(expected.shape)


def _typed(server: Served, client: Any, request: dict[str, Any]) -> Any:
    """The answer to a request whose tensors are typed contents, not bytes."""
    fields = {"FP64": "fp64_contents", "INT64": "int64_contents", "BOOL": "bool_contents", "BYTES": "bytes_contents"}
    made = triton.service_pb2.ModelInferRequest(model_name=server.name)
    for tensor in request["inputs"]:
        added = made.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=tensor["shape"])
        cells = [c.encode() if isinstance(c, str) else c for c in tensor["data"]]
        getattr(added.contents, fields[tensor["datatype"]]).extend(cells)
    return client._client_stub.ModelInfer(made)


def test_contents_of_a_type_of_their_own(crew_bundle: Path) -> None:
    port = free_port()
    with serving(crew_bundle, MLPACK_GRPC_PORT=str(port)) as server:
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
            request, want = golden(crew_bundle)[0]
            reply = _typed(server, client, request)
            assert not reply.raw_output_contents
            label = [cell.decode() for cell in reply.outputs[0].contents.bytes_contents]
            assert label == want["outputs"][0]["data"]
            request["inputs"][0]["shape"] = [-1]
            with pytest.raises(Exception, match="shape"):
                _typed(server, client, request)
            request["inputs"] = request["inputs"][1:]
            with pytest.raises(Exception, match="is missing"):
                _typed(server, client, request)
        server.process.terminate()
        assert server.process.wait(20) == 0
