"""A graph that runs for too long is stopped, wherever it runs, and leaves its thread to others."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from types import SimpleNamespace

import pytest

from mlpack_toolkit.converters.spec import Signature, TensorSpec
from mlpack_toolkit.runtimes.server.bundle_info import describe
from mlpack_toolkit.runtimes.server.model import Model
from mlpack_toolkit.runtimes.server.protocol.routes import routes_of
from mlpack_toolkit.runtimes.server.settings import Settings
from mlpack_toolkit.runtimes.server.transport import app as app_module
from mlpack_toolkit.runtimes.server.transport.deadline import Watch
from mlpack_toolkit.runtimes.server.transport.metrics import Board
from tests.runtimes.server.test_http import House, post

FOREVER = 1e12
PATH = "/v2/models/loop/infer"


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model that doubles nothing, as many times as its largest cell says."""
    import onnx
    from onnx import TensorProto, helper

    kinds = {"i": TensorProto.INT64, "c": TensorProto.BOOL, "x": TensorProto.FLOAT}
    once = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Abs", ["x"], ["x2"])],
        "once",
        [helper.make_tensor_value_info(n, kinds[n], None if n == "x" else []) for n in "icx"],
        [helper.make_tensor_value_info(f"{n}2", kinds[n], None if n == "x" else []) for n in "cx"],
    )
    nodes = [
        helper.make_node("ReduceMax", ["X"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["times"], to=TensorProto.INT64),
        helper.make_node("Loop", ["times", "true", "X"], ["prediction"], body=once),
    ]
    shape = ["N", 1]
    graph = helper.make_graph(
        nodes,
        "loop",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, shape)],
        [helper.make_tensor("true", TensorProto.BOOL, [], [True])],
    )
    folder = tmp_path_factory.mktemp("loop")
    (folder / "model").mkdir()
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model/model.onnx"
    )
    signature = Signature(
        "regressor", (TensorSpec("X", "float32", ("N", 1)),), (TensorSpec("prediction", "float32", ("N", 1)),)
    )
    path = "model/model.onnx"
    raw = (folder / path).read_bytes()
    files = {path: {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}}
    manifest = {"format": 1, "name": "loop", "version": "1", "signature": signature.to_json(), "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return Model(describe(folder))


def asking(times: float) -> bytes:
    return post({"inputs": [{"name": "X", "shape": [1, 1], "datatype": "FP32", "data": [times]}]}, path=PATH)


@pytest.mark.parametrize("inline", [True, False])
def test_a_graph_that_runs_too_long(
    loop: Model, inline: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bounds = Settings(seconds=1)
    if not inline:
        monkeypatch.setattr(app_module, "INLINE_BYTES", -1)

    async def asked() -> None:
        house = House(routes_of(loop, bounds, Board(1)), bounds)
        house.app.watch.start()
        assert b"HTTP/1.1 200" in await house.says([asking(3)])
        begun = time.monotonic()
        late = await house.says([asking(FOREVER)])
        assert late.startswith(b"HTTP/1.1 503") and b"no answer within 1 s" in late
        while house.app._threads:
            await asyncio.sleep(0.01)
        assert time.monotonic() - begun < 20
        assert b"HTTP/1.1 200" in await house.says([asking(3)])
        assert house.metric('mlpack_refusals_total{reason="time"}') == 1

    asyncio.run(asked())
    assert capfd.readouterr().err == ""


def test_nothing_is_stopped_in_place_of_another(loop: Model) -> None:
    house = House({})
    watch = house.app.watch
    first = watch.begin(0.0)
    second = watch.begin(50.0)
    watch.look(61.0)
    assert first.terminate and not second.terminate
    watch.end(first)
    watch.end(second)
    watch.look(1000.0)
    assert not second.terminate


def test_over_grpc_too(loop: Model) -> None:
    grpc = pytest.importorskip("grpc", reason="NOT TESTED: grpcio is not installed")
    from mlpack_toolkit.runtimes.server.transport.grpc_service import Service, _handler

    watch, service, said = Watch(1), Service(loop, Settings()), []
    watch.start()
    request = service.made["ModelInferRequest"](model_name="loop")
    request.inputs.add(name="X", datatype="FP32", shape=[1, 1]).contents.fp32_contents.append(FOREVER)

    def abort(code: object, words: str) -> None:
        said.append((code, words))
        raise ConnectionAbortedError(words)

    handle = _handler(service, "ModelInfer", Board(1), threading.Lock(), watch)
    with pytest.raises(ConnectionAbortedError):
        handle(request.SerializeToString(), SimpleNamespace(abort=abort))
    assert said == [(grpc.StatusCode.UNAVAILABLE, "no answer in time: send fewer rows")]
