"""A client that nobody here wrote, from MLServer: its types read our metadata, its codecs ask and read answers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack_toolkit.packager.environments.python.uv import uv
from tests.packager.environments.made import environment
from tests.runtimes.server.conftest import Served, golden

pytestmark = pytest.mark.slow
CLIENT = "mlserver==1.7.1"
CODE = """
import json, sys, urllib.error, urllib.request
import numpy as np
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, StringCodec
from mlserver.types import InferenceErrorResponse, InferenceRequest, InferenceResponse, MetadataModelResponse
from mlserver.types import MetadataServerResponse

DTYPES = {"FP64": float, "FP32": np.float32, "INT64": int, "BOOL": bool}

class Client:
    def __init__(self, url, name):
        self.url, self.name = url, name
        MetadataServerResponse.model_validate_json(self.asked("/v2"))
        self.model = MetadataModelResponse.model_validate_json(self.asked(f"/v2/models/{name}"))
        tensors = [*self.model.inputs, *self.model.outputs]
        self.codecs = {t.name: StringCodec if t.datatype == "BYTES" else NumpyCodec for t in tensors}

    def asked(self, path, request=None):
        data = None if request is None else request.model_dump_json(exclude_none=True).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, data)) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            return error.read()

    def answers(self, request):
        reply = self.asked(f"/v2/models/{self.name}/infer", request)
        if b'"error"' in reply:
            return {"error": InferenceErrorResponse.model_validate_json(reply).error}
        response = InferenceResponse.model_validate_json(reply)
        assert response.model_name == self.name and response.id == request.id
        return {t.name: np.asarray(self.codecs[t.name].decode_output(t)).tolist() for t in response.outputs}

    def said(self, given):
        cells = {t.name: given[t.name] for t in self.model.inputs}
        for t in self.model.inputs:
            if t.datatype != "BYTES":
                cells[t.name] = np.array(cells[t.name], DTYPES[t.datatype])
        tensors = [self.codecs[name].encode_input(name, cell) for name, cell in cells.items()]
        lacking = InferenceRequest(inputs=tensors[:-1])
        if len(tensors) == 1:  # this codec names the only input by itself, otherwise than the model does
            (alone,) = cells.values()
            lacking = NumpyRequestCodec.encode_request(alone)
        request = InferenceRequest(id="given", inputs=tensors)
        return {"inputs": list(cells), "answers": self.answers(request), "lacking": self.answers(lacking)}

print(json.dumps([Client(url, name).said(given) for url, name, given in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with MLServer."""
    made = environment(tmp_path_factory.mktemp("mlserver") / "environment")
    done = uv("pip", "install", "--quiet", "--python", made, CLIENT)
    if done.returncode:
        pytest.skip(f"NOT TESTED: {CLIENT} cannot be installed: {done.stderr[-500:]}")
    return made


def plain_case(server: Served) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first golden case of some rows without a missing cell, which MLServer's codecs cannot say."""
    for request, want in golden(server.bundle):
        rows = request["inputs"][0]["shape"][0]
        whole = all(cell not in (None, "NaN") for t in request["inputs"] for cell in t["data"])
        if "error" not in want and rows > 2 and whole:
            return request, want
    raise AssertionError("there is no such golden case")


def test_the_client_is_answered_rightly(
    python: Path, flower_server: Served, penguin_server: Served, crew_server: Served
) -> None:
    servers = (flower_server, penguin_server, crew_server)
    cases = [plain_case(server) for server in servers]
    asked = [
        (f"http://127.0.0.1:{server.port}", server.name, {t["name"]: cells(t) for t in case["inputs"]})
        for server, (case, _) in zip(servers, cases, strict=True)
    ]
    done = subprocess.run([python, "-c", CODE], input=json.dumps(asked), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for said, (case, want) in zip(json.loads(done.stdout), cases, strict=True):
        assert set(said["inputs"]) == {t["name"] for t in case["inputs"]}
        assert "is missing; there are:" in said["lacking"]["error"]
        assert said["answers"].keys() == {t["name"] for t in want["outputs"]}
        for tensor in want["outputs"]:
            got = np.ravel(said["answers"][tensor["name"]])
            if tensor["datatype"].startswith("FP"):
                np.testing.assert_allclose(got, tensor["data"], 1e-5, 1e-6)
            else:
                assert got.tolist() == tensor["data"]


def cells(tensor: dict[str, Any]) -> list[Any]:
    """Text in one row, as MLServer's codec for it wants it; the rest in the tensor's shape."""
    if tensor["datatype"] == "BYTES":
        return list(tensor["data"])
    nested: list[Any] = np.array(tensor["data"]).reshape(tensor["shape"]).tolist()
    return nested
