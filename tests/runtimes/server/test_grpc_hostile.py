"""Attacks on the gRPC service: each ends in a status that names whose fault it is, and harms nobody else."""

from __future__ import annotations

import random
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack_toolkit.runtimes.server.transport.grpc_messages import SERVICE, messages
from tests.runtimes.server.conftest import Served, serving
from tests.runtimes.server.test_grpc import free_port

grpc = pytest.importorskip("grpc")

MADE = messages()
ROW = struct.pack("<4d", 1, 2, 3, 4)


@pytest.fixture(scope="module")
def served(flower_bundle: Path) -> Iterator[tuple[Served, Any]]:
    port = free_port()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
    with (
        serving(flower_bundle, MLPACK_GRPC_PORT=str(port)) as server,
        grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel,
    ):
        grpc.channel_ready_future(channel).result(30)
        yield server, channel


def say(channel: Any, raw: bytes, call: str = "ModelInfer", **more: Any) -> tuple[str, str]:
    """The status and the words of an answer to these bytes."""
    try:
        channel.unary_unary(f"/{SERVICE}/{call}")(raw, **{"timeout": 20, **more})
    except grpc.RpcError as error:
        return error.code().name, error.details() or ""
    return "OK", ""


def infer(shape: Any = (1, 4), raw: Any = (ROW,), datatype: str = "FP64", name: str = "X", **more: Any) -> bytes:
    """A request with one input."""
    tensor = MADE["InferInputTensor"](name=name, datatype=datatype, shape=shape, **more)
    request = MADE["ModelInferRequest"](model_name="flowers", inputs=[tensor], raw_input_contents=raw)
    return bytes(request.SerializeToString())


CONTENTS = MADE["InferTensorContents"]
ATTACKS = {
    "bytes that are no message": b"\xff" * 50,
    "a message that is cut": infer()[:-3],
    "a length beyond the message": b"\x3a\xff\xff\xff\xff\x07x",
    "groups without end": b"\x0b" * 100_000,
    "a name that is no UTF-8": b"\x0a\x02\xff\xfe",
    "no input": MADE["ModelInferRequest"](model_name="flowers").SerializeToString(),
    "a byte less": infer(raw=[ROW[:-1]]),
    "a byte more": infer(raw=[ROW + b"x"]),
    "raw contents for two": infer(raw=[ROW, ROW]),
    "raw contents and others": infer(contents=CONTENTS(fp64_contents=[1])),
    "a negative shape": infer((-1, -4)),
    "a shape that overflows": infer((2**62, 4)),
    "a shape that overflows to 0": infer((2**32, 2**32), [b""]),
    "a shape of no rows, and endless": infer((0, 2**62), [b""]),
    "a shape of 10,000 sizes": infer([1] * 10_000, [ROW[:8]]),
    "texts that overrun": infer(raw=[b"\xff\xff\xff\xffabcd"], datatype="BYTES"),
    "texts that are cut": infer(raw=[b"\1\0\0"], datatype="BYTES"),
    "texts that are no UTF-8": infer((1, 1), (), "BYTES", contents=CONTENTS(bytes_contents=[b"\xff"])),
    "an unknown type": infer(datatype="XX" * 10_000),
    "a huge name of a wrong type": infer(raw=[b""], datatype="XX", name="y" * 100_000),
    "an unknown input": infer(name="y" * 100_000),
    "flags of 2": infer(raw=[b"\2\1\0\1"], datatype="BOOL"),
    "cells that are too few": infer(raw=(), contents=CONTENTS(fp64_contents=[1])),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_the_sender_s_fault(served: tuple[Served, Any], name: str) -> None:
    status, words = say(served[1], ATTACKS[name])
    assert status == "INVALID_ARGUMENT" and 10 < len(words) < 500, (status, words)
    assert say(served[1], infer()) == ("OK", "")


def test_messages_and_metadata_have_bounds(served: tuple[Served, Any]) -> None:
    server, channel = served
    assert say(channel, infer(raw=[bytes(17 << 20)]))[0] == "RESOURCE_EXHAUSTED"
    assert say(channel, infer(), metadata=[("x-a", "a" * 100_000)])[0] in ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
    assert say(channel, infer(), "Nothing")[0] == "UNIMPLEMENTED"
    assert say(channel, infer()) == ("OK", "") and server.post("/predict", [[1, 2, 3, 4]]).status == 200


def test_any_bytes_after_a_good_message(served: tuple[Served, Any]) -> None:
    """Mutations with a seed: refused or answered, never our mistake."""
    chance, found, good = random.Random(12), Counter[str](), infer()
    for _ in range(600):
        content = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        found[say(served[1], bytes(content))[0]] += 1
    assert set(found) <= {"OK", "INVALID_ARGUMENT", "NOT_FOUND"} and found["INVALID_ARGUMENT"] > 50, found
