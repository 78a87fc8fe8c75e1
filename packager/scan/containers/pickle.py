"""Pickles, plain or as joblib writes them: compressed, or with raw arrays between the instructions."""

from __future__ import annotations

from pathlib import Path

from ..allowlist import Trust
from ..machine import Machine, Trace
from ..opcodes import run
from ..reader import Reader, reader_of
from ..result import Scan
from ..scanner import Scanner
from ..values import Fault, Final
from ._traced import class_of, traced

JOBLIB = "joblib"
"""The kind of a file that only joblib can load."""
_LZ4 = b"\x04\x22\x4d\x18"
_PROTO = b"\x80"


def scan(path: Path, trust: Trust) -> Scan | None:
    """The names that the file looks up; None where it is no pickle."""
    with path.open("rb") as file:
        head = file.read(len(_LZ4))
        file.seek(0)
        if head == _LZ4:
            raise Fault("it is compressed with lz4, which is not supported; use zlib, gzip, bz2 or xz")
        if head.startswith(b"ZF"):
            raise Fault("it was written by a joblib older than 0.10; load it there and save it with a newer one")
        trace = Trace(trust)
        compressed, certain, root = False, False, ""
        try:
            reader, compressed = reader_of(file)
            certain = reader.peek(1) == _PROTO
            root = _run_all(reader, trace)
        except Final:
            raise
        except Fault:
            if not trace.names and not certain:
                return None
            if not trace.unresolved and not trust.refused(trace.names, trace.called):
                raise
    return traced(JOBLIB if compressed or trace.wrappers else "pickle", trace, root)


def _run_all(reader: Reader, trace: Trace) -> str:
    """The class of the first pickle's value. All pickles in the file are scanned, though a loader reads only one."""
    root = class_of(run(Machine(reader, trace)))
    while not reader.at_end():
        try:
            run(Machine(reader, trace))
        except Fault as fault:
            raise Fault(f"there is something behind its end ({fault})") from fault
    return root


SCANNER = Scanner(
    name="pickle",
    title="pickles (also joblib's)",
    sniff=lambda path, head: True,
    scan=scan,
    last=True,
)
