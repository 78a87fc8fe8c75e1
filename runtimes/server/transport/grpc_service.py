"""Serves the Open Inference Protocol over gRPC beside a worker's HTTP, with the same model, rules and answers."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

from mlpack_toolkit.converters.spec import BFLOAT16

from ...engine.binary import array_of_bytes, bytes_of_array
from ...engine.errors import Damaged, Refusal
from ...engine.tensors import Array, array_of, datatype_of, shape_of
from ..model import Model
from ..settings import Settings
from .deadline import Watch
from .grpc_messages import CALLS, SERVICE, messages
from .metrics import Board

THREADS = 2
RAW_ONLY = ("float16", BFLOAT16)
"""Element types that the protocol has no typed contents for."""
_CONTENTS = {"BOOL": "bool_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents"}
_CONTENTS |= dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents") | {"INT64": "int64_contents"}
_CONTENTS |= dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents") | {"UINT64": "uint64_contents"}
_STATUS = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 413: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}


class Service:
    """The handlers of the calls, by name."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self._model = model
        self._most = settings.rows
        self.made = messages()
        self._known = {"ServerLive": {"live": True}, "ServerReady": {"ready": True}}

    def read(self, call: str, raw: bytes) -> Any:
        """Parses a request; raises `Refusal`."""
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

        try:
            return self.made[f"{call}Request"].FromString(raw)
        except DecodeError:
            raise Refusal(f"the message cannot be read as a {call}Request") from None

    def answer(self, call: str, request: Any) -> tuple[Any, int]:
        """The response to a request and its number of rows; raises `Refusal`."""
        made = self.made[f"{call}Response"]
        if call in self._known:
            return made(**self._known[call]), 0
        if call == "ServerMetadata":
            return made(name="mlpack", version="1"), 0
        if call == "ModelInfer":
            self._named(request.model_name, request.model_version)
            return self._infer(request, made)
        self._named(request.name, request.version)
        return made(**({"ready": True} if call == "ModelReady" else self._model.metadata())), 0

    def _named(self, name: str, version: str) -> None:
        if name != self._model.name or version not in ("", self._model.version):
            raise Refusal(f"there is no model {name[:80]!r} {version[:80]}", 404, "route")

    def _infer(self, request: Any, made: Any) -> tuple[Any, int]:
        raw = list(request.raw_input_contents)
        names = [tensor.name for tensor in request.outputs]
        if len(set(names)) != len(names):
            raise Refusal("an output is requested twice")
        answers = self._model.ask(_table(request.inputs, raw), names, self._most)
        model = self._model
        found = made(model_name=model.name, model_version=model.version, id=request.id)
        as_bytes = bool(raw) or any(model.types[name] in RAW_ONLY for name in answers)
        for name in names or answers:
            values = answers[name]
            added = found.outputs.add(name=name, datatype=datatype_of(values, model.types[name]), shape=values.shape)
            if as_bytes:
                found.raw_output_contents.append(bytes_of_array(values, model.types[name]))
            else:
                getattr(added.contents, _CONTENTS[added.datatype]).extend(_cells(values))
        return found, model.rows_of(answers)


def _cells(values: Array) -> list[Any]:
    cells: list[Any] = values.ravel().tolist()
    return [cell.encode() for cell in cells] if values.dtype.kind == "O" else cells


def _table(inputs: Any, raw: list[bytes]) -> dict[str, Array]:
    if raw and len(raw) != len(inputs):
        raise Refusal(f"there are {len(raw)} raw contents for {len(inputs)} inputs")
    table: dict[str, Array] = {}
    for i, tensor in enumerate(inputs):
        if tensor.name in table:
            raise Refusal(f"the input {tensor.name[:80]!r} is given twice")
        table[tensor.name] = _array(tensor, raw[i] if raw else None)
    return table


def _array(tensor: Any, raw: bytes | None) -> Array:
    shape = shape_of({"name": tensor.name, "shape": list(tensor.shape)})
    if raw is not None:
        if tensor.HasField("contents"):
            raise Refusal(f"input {tensor.name[:80]!r}: contents and raw contents exclude each other")
        return array_of_bytes(tensor.name, tensor.datatype, shape, raw)
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        raise Refusal(f"input {tensor.name[:80]!r}: the datatype {tensor.datatype[:20]!r} needs raw contents")
    data = list(getattr(tensor.contents, field))
    if field == "bytes_contents":
        try:
            data = [cell.decode() for cell in data]
        except UnicodeDecodeError:
            raise Refusal(f"input {tensor.name[:80]!r}: an element is not UTF-8") from None
    return array_of({"name": tensor.name, "datatype": tensor.datatype, "shape": shape, "data": data})


def start(model: Model, settings: Settings, board: Board, watch: Watch) -> Callable[[float], Any]:
    """Serves on its own threads; returns the function that stops it within so many seconds. Raises `Damaged`."""
    import grpc

    options = [("grpc.max_receive_message_length", settings.body), ("grpc.so_reuseport", 1)]
    server = grpc.server(
        ThreadPoolExecutor(THREADS, "grpc"), options=options, maximum_concurrent_rpcs=settings.requests
    )
    service, lock = Service(model, settings), threading.Lock()
    handlers = {}
    for call in CALLS:
        handlers[call] = grpc.unary_unary_rpc_method_handler(
            _handler(service, call, board, lock, watch),
            response_serializer=_serialised,
        )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except RuntimeError as error:
        raise Damaged(f"cannot listen on {host} port {settings.grpc_port} for gRPC") from error
    server.start()
    return lambda grace: server.stop(grace).wait(grace)


def _serialised(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _handler(
    service: Service, call: str, board: Board, lock: threading.Lock, watch: Watch
) -> Callable[[Any, Any], Any]:
    def handle(request: bytes, context: Any) -> Any:
        import grpc

        begun, status, rows = perf_counter(), 500, 0
        options = watch.begin(begun)
        with lock:
            board.enter()
        try:
            reply, rows = service.answer(call, service.read(call, request))
            status = 200
            return reply
        except Refusal as raised:
            refusal = Refusal("no answer in time: send fewer rows", 503, "time") if options.terminate else raised
            status = refusal.status
            with lock:
                board.refuse(refusal.reason)
            context.abort(getattr(grpc.StatusCode, _STATUS[status]), str(refusal))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            context.abort(grpc.StatusCode.INTERNAL, "internal server error: the server's log has the details")
        finally:
            watch.end(options)
            with lock:
                board.leave("grpc", status, perf_counter() - begun, rows)

    return handle
