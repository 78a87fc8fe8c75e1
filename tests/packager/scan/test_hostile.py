"""Broken and hostile files: a clear error in bounded time and memory, and never fewer names than a loader looks up."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import pickle
import tempfile
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib.numpy_pickle import NumpyUnpickler

from mlpack_toolkit.packager.errors import MlpackError, ModelError, UntrustedError
from mlpack_toolkit.packager.scan import Scan, scan

from .recorder import modern, record_stubbed, stub_class


def scanned(data: bytes, suffix: str = ".bin", allow: tuple[str, ...] = ()) -> Scan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"m{suffix}"
        path.write_bytes(data)
        return scan(path, allow)


def broken(data: bytes, match: str = "", suffix: str = ".bin") -> None:
    with pytest.raises(ModelError, match=match) as caught:
        scanned(data, suffix)
    assert not isinstance(caught.value, UntrustedError)
    assert "m" + suffix in str(caught.value)


def joblib_bytes(model: Any, **how: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, **how)
    return buffer.getvalue()


SAMPLE = pickle.dumps({"a": [1, 2.5, "x", b"y", None], "b": {1, 2}, "c": np.arange(3)})


@pytest.mark.parametrize("end", range(1, len(SAMPLE)))
def test_a_truncated_pickle_is_a_model_error(end: int) -> None:
    broken(SAMPLE[:end])


def test_a_truncated_joblib_file_is_a_model_error() -> None:
    data = joblib_bytes([np.arange(300.0), np.array([{}], object)])
    for end in range(2, len(data), 7):
        broken(data[:end])


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_damaged_compression_is_a_model_error(pack: Any) -> None:
    data = pack(joblib_bytes([np.random.default_rng(0).normal(size=90_000)]))
    assert scanned(data).kind == "joblib"
    broken(data[: len(data) // 2], "too early|damaged")
    broken(data + b"more", "behind")
    broken(data[:-20] + bytes(12) + data[-8:])


@pytest.mark.parametrize(
    "data, match",
    [
        (b"", "empty"),
        (b"\x04\x22\x4d\x18rest", "lz4"),
        (b"ZF0x10", "older than 0.10"),
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x04.", "empty stack"),
        (b"\x80\x04\xff.", "no pickle instruction"),
        (b"\x80\x04N.junk", "behind its end"),
        (b"\x80\x04N." + bytes(9), "behind its end"),
        (b"\x80\x04h\x07.", "value 7"),
        (b"\x80\x04Nr\xff\xff\xff\xff0j\xfe\xff\xff\xff.", "value 4294967294"),
        (b"\x80\x04Np-1\n.", "memo index"),
        (b"\x80\x04t.", "empty stack"),
        (b"\x80\x04(K\x01d.", "without a value"),
        (b"\x80\x04B\xff\xff\xff\xffabc", "too early"),
        (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f" + b"abc", "too early"),
        (b"\x80\x04\x8d" + b"\xff" * 8 + b"abc", "too early"),
        (b"\x80\x05\x96" + (10 << 30).to_bytes(8, "little") + b"abc", "too early"),
        (b"\x80\x04\x95" + (10 << 30).to_bytes(8, "little") + b"N", "too early"),
        (b"\x80\x04\x95\x08\0\0\0\0\0\0\0N.", "too early|frame"),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0\x95\x01\0\0\0\0\0\0\0N.", "frame"),
        (b"\x80\x04\x95\x02\0\0\0\0\0\0\0K", "frame|too early"),
        (b"\x80\x05\x97.", "out-of-band"),
        (b"\x80\x02Pid\n.", "persistent"),
        (b"\x80\x02NQ.", "persistent"),
        (b"\x80\x02c\xff\nx\n.", "encoded"),
        (b"\x80\x04(" + b"(" * 200_000, "nests deeper"),
        (b"PK\x03\x04 not a zip", "zip"),
    ],
)
def test_nonsense_is_a_model_error(data: bytes, match: str) -> None:
    broken(data, match)


@pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".skops"])
@pytest.mark.parametrize("data", [b"tree\nversion=v4\n", b"{}", b"\x08\x08\x12", b"xyz", b"\x89HDF\r\n"])
def test_a_format_that_no_scanner_knows_is_refused_whatever_it_is_called(data: bytes, suffix: str) -> None:
    broken(data, "of no known kind of model")
    broken(data, "of no known kind of model", suffix)


def test_the_kind_goes_by_content_not_by_suffix() -> None:
    assert scanned(SAMPLE, ".onnx").kind == "pickle"
    assert scanned(joblib_bytes(np.arange(3)), ".pkl").kind == "joblib"
    assert scanned(gzip.compress(SAMPLE), ".pkl").kind == "joblib"
    assert scanned(gzip.compress(b"X\n\0\0\0\x03\0\x04"), ".pkl").kind == "rds"
    assert scanned(b"CBM1\0\0", ".pkl") == Scan("cbm")


def test_a_missing_file_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Check the path"):
        scan(tmp_path / "none.pkl")
    with pytest.raises(ModelError):
        scan(tmp_path)


BOMBS = {
    "dicts": b"\x80\x04(" + b"}" * 3_000_000,
    "tuples": b"\x80\x04N" + b"\x85" * 3_000_000,
    "memo": b"\x80\x04(" + b"N\x94" * 1_500_000,
    "marks": b"\x80\x04" + b"(" * 3_000_000,
    "texts": b"\x80\x04(" + (b"\x8c\xff" + b"a" * 255) * 300_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_of_instructions_stops_at_its_bound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.scan.opcodes.OPCODE_LIMIT", 2_000_000)
    monkeypatch.setattr("mlpack_toolkit.packager.scan.machine.MEMO_LIMIT", 600_000)
    monkeypatch.setattr("mlpack_toolkit.packager.scan.machine.TEXT_LIMIT", 50 << 20)
    data = zlib.compress(BOMBS[name], 1)
    start = time.process_time()
    broken(data, "more than|deeper than")
    assert time.process_time() - start < 20


def test_containers_beyond_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that is not followed could be the target of any instruction."""
    monkeypatch.setattr("mlpack_toolkit.packager.scan.machine.CONTAINER_LIMIT", 10)
    broken(b"\x80\x02]" + b"}a" * 20 + b".", "more than 10 containers")


def test_a_decompression_bomb_stops_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack_toolkit.packager.scan.reader.EXPANDED_LIMIT", 64 << 20)
    body = b"\x80\x04C\x01a\x8e" + (100 << 20).to_bytes(8, "little") + bytes(100 << 20) + b"."
    for pack in (functools.partial(zlib.compress, level=1), bz2.compress, functools.partial(lzma.compress, preset=0)):
        tracemalloc.start()
        packed = pack(body)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        broken(packed, "more than")
        assert tracemalloc.get_traced_memory()[1] - before < 8 << 20
        tracemalloc.stop()


WRAPPED = joblib_bytes([np.arange(4, dtype="u1")], protocol=2)
GADGET = b"cos\nsystem\n."


def edited(*swaps: tuple[bytes, bytes]) -> bytes:
    data = WRAPPED
    for old, new in swaps:
        assert data.count(old) == 1, old
        data = data.replace(old, new)
    return data


DTYPE_STATE = b"(K\x03X\x01\x00\x00\x00|q\x10NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x11b"


def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


HIDDEN = {
    "a shape that is not static": (b"K\x04\x85", b"c_codecs\nencode\nU\x014U\x06latin1\x86R\x85"),
    "a shape of one boolean": (b"K\x04\x85", b"\x88\x85"),
    "a negative shape": (b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
    "a shape that overflows": (b"K\x04\x85", b"\x8a\x05\0\0\0\0\x01\x8a\x05\0\0\0\0\x01\x86"),
    "a shape in a list": (b"K\x04\x85", b"]K\x04a"),
    "an unknown alignment": (b"K\x10u", b"c_codecs\nencode\nU\x014U\x06latin1\x86Ru"),
    "a negative alignment": (b"K\x10u", b"J\xff\xff\xff\xffu"),
    "an unknown subclass": (b"cnumpy\nndarray\n", b"csklearn.tree._classes\nDecisionTreeClassifier\n"),
    "a setstate in the state": (b"K\x10u", b"K\x10" + text("__setstate__") + b"cnumpy\ndtype\nu"),
    "a key that is not static": (
        b"K\x10u",
        b"K\x10c_codecs\nencode\n" + text("shape") + text("latin1") + b"\x86RK\x02\x85u",
    ),
    "a size in words": (text("u1"), text("u1,u8")),
    "a dtype of another kind": (text("u1"), text("float")),
    "a text dtype whose state has another size": (text("u1"), text("S4")),
    "no fields": (text("shape"), text("shapf")),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_an_array_whose_extent_is_not_static_is_refused(name: str) -> None:
    old, new = HIDDEN[name]
    broken(edited((old, new)), "array|dtype")


def wrapper(head: bytes = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x01)\x81q\x02") -> bytes:
    return head


STATE = (
    b"}("
    + text("subclass")
    + b"cnumpy\nndarray\n"
    + text("shape")
    + b"K\x04\x85"
    + text("order")
    + text("C")
    + text("dtype")
    + b"cnumpy\ndtype\n"
    + text("u1")
    + b"\x89\x88\x87R"
    + text("allow_mmap")
    + b"\x89"
)
CLASS = b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n"
ODD_WRAPPERS = {
    "called": CLASS + b")R" + STATE + b"ub1234.",
    "called with arguments": CLASS + b"(NNNNtR.",
    "by OBJ": b"(" + CLASS + b"o" + STATE + b"ub1234.",
    "by INST": b"(ijoblib.numpy_pickle\nNumpyArrayWrapper\n" + STATE + b"ub1234.",
    "by NEWOBJ_EX": CLASS + b")}\x92" + STATE + b"ub1234.",
    "by a constructor": b"csklearn.neighbors._kd_tree\nnewObj\n" + CLASS + b"\x85R" + STATE + b"ub1234.",
    "by partial": b"cfunctools\npartial\n" + CLASS + b"\x85R.",
    "by pyx": b"cnumpy.random.bit_generator\n__pyx_unpickle_SeedSequence\n" + CLASS + b"K\x01N\x87R.",
    "by reconstructor with another base": b"ccopyreg\n_reconstructor\n" + CLASS + b"cbuiltins\nlist\nN\x87R.",
    "in a list": b"]" + CLASS + b"a.",
    "as a factory": b"ccollections\ndefaultdict\n" + CLASS + b"\x85R.",
    "set upon": CLASS + b"N}" + text("read") + b"cbuiltins\nlist\ns\x86b.",
    "recalled": CLASS + b")\x81q\x070h\x07" + STATE + b"ub1234.",
    "doubled": CLASS + b")\x812" + STATE + b"ub1234.",
    "never given a state": b"(" + CLASS + b")\x81t.",
    "as the value": CLASS + b")\x81.",
    "state filled twice": b"}q\x050" + CLASS + b")\x81h\x05" + STATE[1:] + b"ub1234.",
    "state with slots": CLASS + b")\x81" + STATE + b"u}\x86b1234.",
    "state recalled": CLASS
    + b")\x81"
    + STATE[:1]
    + b"q\x05"
    + STATE[1:]
    + b"ub1234h\x05("
    + text("shape")
    + b"K\x08\x85u.",
    "old wrapper": b"cjoblib.numpy_pickle_compat\nNDArrayWrapper\n)\x81}b.",
    "old zipped wrapper": b"cjoblib.numpy_pickle\nZNDArrayWrapper\n)\x81}b.",
}


def test_the_plain_wrapper_of_these_tests_is_read() -> None:
    found = scanned(b"\x80\x02" + CLASS + b")\x81" + STATE + b"ub1234.")
    assert (found.kind, found.root, found.refused) == ("joblib", "numpy.ndarray", ())


@pytest.mark.parametrize("name", ODD_WRAPPERS)
def test_an_array_wrapper_made_or_used_in_another_way_is_refused(name: str) -> None:
    broken(b"\x80\x02" + ODD_WRAPPERS[name])


def test_a_payload_inside_of_a_frame_is_refused() -> None:
    """joblib reads it from behind the frame, and goes on in the frame."""
    body = CLASS + b")\x81" + STATE + b"ub1234" + GADGET
    broken(b"\x80\x04\x95" + len(body).to_bytes(8, "little") + body)


def test_a_nested_pickle_may_not_hold_a_wrapper_of_its_own() -> None:
    inner = b"\x80\x02" + CLASS + b")\x81" + STATE + b"ub1234."
    broken(b"\x80\x02" + CLASS + b")\x81" + STATE.replace(text("u1"), text("O8")) + b"ub" + inner + b".")


def test_bytes_of_an_array_that_look_like_instructions_are_not_read() -> None:
    data = b"\x80\x02" + CLASS + b")\x81" + STATE.replace(b"K\x04\x85", b"K\x0c\x85") + b"ub" + GADGET + b"."
    assert len(GADGET) == 12
    assert scanned(data).refused == ()
    short = b"\x80\x02" + CLASS + b")\x81" + STATE + b"ub1234" + b"0" + GADGET
    assert scanned(short).refused == ("os.system",)


def dtype(code: str, state: bytes) -> bytes:
    return b"\x80\x02cnumpy\ndtype\n" + text(code) + b"\x89\x88\x87R" + state


HOSTILE_DTYPES = {
    "hides its objects": dtype("O8", b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb."),
    "grows": dtype("S4", b"(K\x03" + text("|") + b"NNNK\x40K\x01K\0tb."),
    "fields hide objects": dtype(
        "V8",
        b"(K\x03"
        + text("|")
        + b"N"
        + text("a")
        + b"\x85}"
        + text("a")
        + b"cnumpy\ndtype\n"
        + text("O8")
        + b"\x89\x88\x87RK\0\x86sK\x08K\x01K\0tb.",
    ),
    "field lies outside": dtype(
        "V8",
        b"(K\x03"
        + text("|")
        + b"N"
        + text("a")
        + b"\x85}"
        + text("a")
        + b"cnumpy\ndtype\n"
        + text("i8")
        + b"\x89\x88\x87RK\x04\x86sK\x08K\x01K\0tb.",
    ),
    "made otherwise": b"\x80\x02cnumpy\ndtype\n" + text("i4,O") + b"\x85R(K\x03" + text("|") + b"NNNK\x08K\x01K\0tb.",
    "built twice": dtype("i8", 2 * (b"(K\x03" + text("<") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb") + b"."),
    "by reconstructor": b"\x80\x02ccopyreg\n_reconstructor\n(cnumpy\ndtype\ncbuiltins\nobject\nNtR(K\x03tb.",
}


@pytest.mark.parametrize("name", HOSTILE_DTYPES)
def test_a_dtype_that_lies_about_its_objects_or_size_is_refused(name: str) -> None:
    broken(HOSTILE_DTYPES[name], "dtype|field")


def test_attributes_are_not_set_on_classes() -> None:
    broken(
        b"\x80\x02csklearn.tree._classes\nDecisionTreeClassifier\nN}" + text("fit") + b"cnumpy\nsum\ns\x86b.",
        "sets attributes",
    )


CODES = [
    bytes([code])
    for code in b"()012FGIKLMNPQRSTUVXabcdeghijlopqrstu.]}{"
    b"\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94"
]
TEXTS = ["os", "system", "numpy", "dtype", "builtins", "eval", "__builtin__", "copy_reg", "_reconstructor", "a.b"]
TRUSTED = (*TEXTS, "copyreg", "joblib.numpy_pickle", "posix")
SNIPPETS = (
    [
        b"\x80\x02",
        b"\x80\x03",
        b"\x80\x04",
        b"cos\nsystem\n",
        b"ibuiltins\neval\n",
        b"c__builtin__\nobject\n",
        b")R",
        b")\x81",
    ]
    + [b"\x8c" + bytes([len(t)]) + t.encode() for t in TEXTS]
    + [text(t) for t in TEXTS]
    + [b"U" + bytes([len(t)]) + t.encode() for t in TEXTS]
    + [
        b"\x94",
        b"h\0",
        b"h\x01",
        b"h\x02",
        b"q\0",
        b"q\x01",
        b"p2\n",
        b"g2\n",
        b"\x93",
        b"2",
        b"0",
        b"}b",
        b"(t",
        b"K\x03",
    ]
    + [CLASS, b")\x81", STATE + b"ub", b"1234"]
)


def superset(data: bytes, record: Callable[[bytes], set[str]]) -> None:
    """What the scan lets pass is then really read: numpy crashes on some of what the scan refuses."""
    try:
        found = scanned(data, allow=TRUSTED)
    except MlpackError:
        return
    assert found.kind not in ("pickle", "joblib", "skops") or found.refused or record(data) <= set(found.names)


class StubbedJoblib(NumpyUnpickler):
    """joblib's own unpickler, which really reads its arrays, with stand-ins for all names but those of arrays."""

    def __init__(self, data: bytes) -> None:
        super().__init__("", io.BytesIO(data), True)
        self.names: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        self.names.add(modern(self, module, name))
        if (module, name) in {("joblib.numpy_pickle", "NumpyArrayWrapper"), ("numpy", "dtype"), ("numpy", "ndarray")}:
            return super().find_class(module, name)
        return stub_class()


def record_joblib_stubbed(data: bytes) -> set[str]:
    loader = StubbedJoblib(data)
    try:
        loader.load()
    except Exception:
        return loader.names
    return loader.names


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(SNIPPETS + CODES), max_size=25))
def test_no_soup_of_instructions_hides_a_name(pieces: list[bytes]) -> None:
    data = b"".join(pieces) + b"."
    superset(data, record_stubbed)
    superset(data, record_joblib_stubbed)


MUTABLE = [
    SAMPLE,
    pickle.dumps({"a": np.array([1, "a"], object), "t": (1, 2)}, 2),
    pickle.dumps([np.float64(1), np.zeros(2, [("a", "i4")])], 0),
    joblib_bytes([np.arange(5.0), {"x": np.array(["a", None], object)}, "end"]),
    joblib_bytes([np.zeros(2, [("a", "i4"), ("b", "O")]), np.arange(3)], protocol=2),
]


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 4), st.lists(st.tuples(st.integers(0, 10_000), st.binary(max_size=3), st.integers(0, 3)), max_size=4)
)
def test_no_mutation_of_a_real_file_hides_a_name(which: int, edits: list[tuple[int, bytes, int]]) -> None:
    data = MUTABLE[which]
    for at, new, cut in edits:
        at %= len(data)
        data = data[:at] + new + data[at + cut :]
    superset(data, record_joblib_stubbed)


def test_a_number_that_a_call_makes_is_no_flag_of_a_dtype() -> None:
    data = b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\ncbuiltins\nint\n(tRtb."
    with pytest.raises(ModelError, match="a numpy dtype with an unknown state"):
        scanned(data, allow=("builtins.int",))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_scan(data: bytes) -> None:
    for candidate in (data, b"\x80\x04" + data, b"PK\x03\x04" + data, b"\x1f\x8b" + data, zlib.compress(data)):
        superset(candidate, record_stubbed)
