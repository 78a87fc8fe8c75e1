"""Builds the messages of the Open Inference Protocol's gRPC service from a table of the published proto's fields."""

from __future__ import annotations

from typing import Any

PACKAGE = "inference"
SERVICE = f"{PACKAGE}.GRPCInferenceService"
CALLS = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")
_TENSOR = "name:string=1 datatype:string=2 shape:int64*=3"
_MODEL = "name:string=1 version:string=2"
_CONTENTS = (
    "bool_contents:bool*=1 int_contents:int32*=2 int64_contents:int64*=3 uint_contents:uint32*=4 "
    "uint64_contents:uint64*=5 fp32_contents:float*=6 fp64_contents:double*=7 bytes_contents:bytes*=8"
)
_FIELDS = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live:bool=1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready:bool=1",
    "ModelReadyRequest": _MODEL,
    "ModelReadyResponse": "ready:bool=1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name:string=1 version:string=2 extensions:string*=3",
    "ModelMetadataRequest": _MODEL,
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": (
        "name:string=1 versions:string*=2 platform:string=3 inputs:TensorMetadata*=4 outputs:TensorMetadata*=5"
    ),
    "InferTensorContents": _CONTENTS,
    "InferInputTensor": f"{_TENSOR} contents:InferTensorContents=5",
    "InferRequestedOutputTensor": "name:string=1",
    "ModelInferRequest": (
        "model_name:string=1 model_version:string=2 id:string=3 inputs:InferInputTensor*=5 "
        "outputs:InferRequestedOutputTensor*=6 raw_input_contents:bytes*=7"
    ),
    "InferOutputTensor": f"{_TENSOR} contents:InferTensorContents=5",
    "ModelInferResponse": (
        "model_name:string=1 model_version:string=2 id:string=3 outputs:InferOutputTensor*=5 "
        "raw_output_contents:bytes*=6"
    ),
}
"""`NAME:TYPE=NUMBER`, with `*` for a repeated field. Parameters, which this server ignores, are left out, as a reader
of protocol buffers skips unknown fields. Messages that the proto nests are separate here, which is the same on the
wire."""


def messages() -> dict[str, Any]:
    """The classes of all messages by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]

    file = descriptor_pb2.FileDescriptorProto(name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            _add(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{n}")) for n in _FIELDS}


def _add(message: Any, field: str) -> None:
    name, _, rest = field.partition(":")
    kind, _, number = rest.partition("=")
    added = message.field.add(name=name, number=int(number))
    added.label = added.LABEL_REPEATED if kind.endswith("*") else added.LABEL_OPTIONAL
    kind = kind.removesuffix("*")
    if kind in _FIELDS:
        added.type, added.type_name = added.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        added.type = getattr(added, f"TYPE_{kind.upper()}")
