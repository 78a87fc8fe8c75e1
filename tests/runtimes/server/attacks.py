"""Requests that attack a server, as bytes on a socket, with the status that both servers give them (0: none at all)."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress

ROW = b"[[1,2,3,4]]"
GET = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"a" * 100_000
CHUNK = b"b\r\n" + ROW + b"\r\n0\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NAME = b"{name}"
"""Stands for the model's name in a path."""
Attacks = dict[str, tuple[int, bytes]]


def post(
    head: bytes = b"", body: bytes = ROW, host: bytes = b"Host: x\r\n", length: bytes | None = None,
    path: bytes = b"/predict",
) -> bytes:  # fmt: skip
    """A request with these lines in its head."""
    length = b"Content-Length: %d\r\n" % len(body) if length is None else length
    return b"POST " + path + b" HTTP/1.1\r\n" + host + head + length + b"\r\n" + body


def chunked(body: bytes = CHUNK, coding: bytes = CHUNKED, more: bytes = b"") -> bytes:
    """A request whose body comes in chunks, or so it says."""
    return post(more + coding, body, length=b"")


HEADS: Attacks = {
    "nothing odd": (200, post()),
    "a head of 60 kB": (200, post(b"X: " + LONG[:60_000] + b"\r\n")),
    "one header of 100 kB": (431, post(b"X: " + LONG + b"\r\n")),
    "a thousand headers of 100 B": (431, post(b"".join(b"X-%d: %s\r\n" % (i, LONG[:90]) for i in range(1000)))),
    "a target of 100 kB": (431, b"GET /" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a head of 100 kB without a body": (431, GET[:-2] + b"X: " + LONG + b"\r\n\r\n"),
    "no host": (400, post(host=b"")),
    "no host, without a body": (400, b"GET /v2/health/live HTTP/1.1\r\n\r\n"),
    "no host in HTTP/1.0": (200, b"GET /v2/health/live HTTP/1.0\r\n\r\n"),
    "two hosts": (400, post(host=b"Host: x\r\nHost: y\r\n")),
    "one host twice": (400, post(host=b"Host: x\r\nhost: x\r\n")),
    "two hosts in HTTP/1.0": (400, b"GET /v2/health/live HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/2.0": (400, b"GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
    "HTTP/2 at once": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(50)),
}
"""Bounds and hosts, each arriving in one piece."""
FRAMES: Attacks = {
    "chunks": (200, chunked()),
    "chunks in capitals": (200, chunked(coding=b"Transfer-Encoding: CHUNKED\r\n")),
    "a chunk with a word": (200, chunked(b"b;a=b\r\n" + CHUNK[3:])),
    "a length with zeros before": (200, post(length=b"Content-Length: 00000011\r\n")),
    "a length and chunks": (400, chunked(more=b"Content-Length: 11\r\n")),
    "a request inside a length and chunks": (400, post(CHUNKED, b"0\r\n\r\n" + GET)),
    "two lengths": (400, post(length=b"Content-Length: 11\r\nContent-Length: 5\r\n")),
    "one length twice": (400, post(length=b"Content-Length: 11\r\nContent-Length: 11\r\n")),
    "a list of lengths": (400, post(length=b"Content-Length: 11, 11\r\n")),
    "chunks of an unknown kind": (400, chunked(coding=b"Transfer-Encoding: xchunked\r\n")),
    "chunks of chunks": (400, chunked(coding=b"Transfer-Encoding: chunked, chunked\r\n")),
    "chunks, then another coding": (400, chunked(coding=b"Transfer-Encoding: chunked, identity\r\n")),
    "another coding, then chunks": (400, chunked(coding=b"Transfer-Encoding: gzip, chunked\r\n")),
    "no coding": (400, chunked(coding=b"Transfer-Encoding: identity\r\n")),
    "an empty coding": (400, chunked(coding=b"Transfer-Encoding: \r\n")),
    "two codings": (400, chunked(coding=CHUNKED + b"Transfer-Encoding: identity\r\n")),
    "a coding behind a vertical tab": (400, chunked(coding=b"Transfer-Encoding: \x0bchunked\r\n")),
    "a space before the colon": (400, chunked(coding=b"Transfer-Encoding : chunked\r\n")),
    "a space before the length's colon": (400, post(length=b"Content-Length : 11\r\n")),
    "a NUL in a value": (400, post(b"X: a\0b\r\n")),
    "a NUL in a name": (400, post(b"X\0: ab\r\n")),
    "a header without a name": (400, post(b": b\r\n")),
    "a line without a colon": (400, post(b"Xabc\r\n")),
    "a lone carriage return": (400, post(b"X: y\rZ: w\r\n")),
    **{f"a length of {n.decode()}": (400, post(length=b"Content-Length: " + n + b"\r\n"))
       for n in (b"+11", b"-1", b"0xb", b"", b"1 1", b"9" * 23, b"18446744073709551616")},
    **{f"a chunk of {n.decode()!r}": (400, chunked(n + b"\r\n" + CHUNK[3:])) for n in (b"-b", b"0xb", b"f" * 18, b"")},
    "a chunk that is longer": (400, chunked(b"5\r\n" + CHUNK[3:])),
    "a chunk without an end": (400, chunked(b"b\r\n" + ROW + b"0\r\n\r\n")),
    "a target with its host": (200, post(path=b"http://127.0.0.1/predict")),
    "a target that climbs": (404, post(path=b"/../predict")),
    "a target that climbs in code": (404, post(path=b"/%2e%2e/predict")),
    "a NUL in the target": (404, post(path=b"/predict%00")),
    "bytes for a target": (404, post(path=b"/%ff")),
}  # fmt: skip
"""Where a body ends: nothing in it may be taken for a request (each of these gets one answer, or none)."""
BODIES: Attacks = {
    name: (status, post(body=body))
    for name, status, body in (
        ("100,000 lists", 400, b"[" * 100_000 + b"]" * 100_000),
        ("100,000 objects", 400, b'{"a":' * 100_000),
        ("1e999", 400, b"[[1e999,2,3,4]]"),
        ("-1e999", 400, b"[[-1e999,2,3,4]]"),
        ("1e-999", 200, b"[[1e-999,2,3,4]]"),
        ("100,000 digits", 400, b"[[" + b"9" * 100_000 + b",2,3,4]]"),
        ("100,000 digits behind the point", 200, b"[[0." + b"9" * 100_000 + b",2,3,4]]"),
        ("100,000 digits of an exponent", 400, b"[[1e" + b"9" * 100_000 + b",2,3,4]]"),
        ("NaN", 400, b"[[NaN,2,3,4]]"),
        ("one key twice", 200, b'{"X":[9,9,9,9],"X":[1,2,3,4]}'),
        ("half a character", 400, b'[["\\ud800",2,3,4]]'),
        ("half a character as a key", 400, b'{"\\ud800":1}'),
        ("bytes that are no UTF-8", 400, b'[["\xff",2,3,4]]'),
        ("UTF-8 that is too long", 400, b'[["\xc0\x80",2,3,4]]'),
        ("UTF-8 of half a character", 400, b'[["\xed\xa0\x80",2,3,4]]'),
        ("a mark of bytes' order", 400, b"\xef\xbb\xbf[[1,2,3,4]]"),
        ("UTF-16", 400, "[[1,2,3,4]]".encode("utf-16")),
        ("words behind", 400, b"[[1,2,3,4]] x"),
        ("a comma behind", 400, b"[[1,2,3,4],]"),
        ("a plus", 400, b"[[+1,2,3,4]]"),
        ("a zero before", 400, b"[[01,2,3,4]]"),
        ("nothing", 400, b""),
        ("null", 400, b"null"),
        ("a list in a cell", 400, b"[[[1],2,3,4]]"),
        ("an object in a cell", 400, b"[[{},2,3,4]]"),
    )
}


def binary(shape: object, size: object, raw: bytes, datatype: object = "FP64", **more: object) -> bytes:
    """A request with a raw tensor."""
    tensor = {"name": "X", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}, **more}
    head = json.dumps({"inputs": [tensor]}).encode()
    return post(LENGTH % len(head), head + raw, path=INFER)


INFER = b"/v2/models/" + NAME + b"/infer"
LENGTH = b"Inference-Header-Content-Length: %d\r\n"
ZEROS = bytes(32)
BINARY: Attacks = {
    "the right bytes": (200, binary([1, 4], 32, ZEROS)),
    "a byte less": (400, binary([1, 4], 32, ZEROS[:31])),
    "a byte more": (400, binary([1, 4], 32, ZEROS + b"x")),
    **{f"a size of {n!r}": (400, binary([1, 4], n, ZEROS)) for n in (-1, 2**63, 2**64, 32.0, True, "32")},
    **{f"a shape of {shape}": (400, binary(shape, size, ZEROS[:size]))
       for shape, size in (([-1, -4], 32), ([2**62, 4], 32), ([2**32, 2**32], 0), ([2**61, 8], 0), ([0, 2**62], 0),
                           ([0, 2**52, 2**52], 0),
                           ([1.0, 4], 32), ([], 8), ([1] * 40, 8), ("x", 8))},
    "texts that overrun": (400, binary([1, 4], 12, b"\xff\xff\xff\xffabcdefgh", "BYTES")),
    "texts that are cut": (400, binary([1, 4], 3, b"\1\0\0", "BYTES")),
    "an unknown type": (400, binary([1, 4], 32, ZEROS, "XX")),
    "a type that is a list": (400, binary([1, 4], 32, ZEROS, ["FP64"])),
    "bytes and data": (400, binary([1, 4], 32, ZEROS, data=[1])),
    "flags of 2": (400, binary([1, 4], 4, b"\2\1\0\1", "BOOL")),
    **{f"a JSON part of {n}": (400, post(b"Inference-Header-Content-Length: %s\r\n" % n.encode(), path=INFER))
       for n in ("99999", "-1", "18446744073709551617", "0", "1_1", "", "\xb2")},
}  # fmt: skip
ALL: Attacks = {**HEADS, **FRAMES, **BODIES, **BINARY}


def statuses(port: int, sent: bytes, name: str, seconds: float = 5) -> list[int]:
    """The statuses of all answers on one connection, which is half closed behind the request; none: it is closed."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection, suppress(OSError):
        connection.sendall(sent.replace(NAME, name.encode(), 1))
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            said += part
    return [int(status) for status in re.findall(rb"(?:^|\}|\])HTTP/1\.1 (\d{3}) ", said)]
