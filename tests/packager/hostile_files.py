"""Files that attack the readers of examples: by kind, what each is called and its bytes."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

DEEP = 100_000
Files = dict[str, bytes]


def saved(write: Callable[..., Any], *values: Any, **named: Any) -> bytes:
    """The bytes that a function writes to a file."""
    buffer = io.BytesIO()
    write(buffer, *values, **named)
    return buffer.getvalue()


# numpy's files.

NUMBERS = saved(np.save, np.arange(3.0))
PICKLED = saved(np.save, np.array([{"a": 1}], object), allow_pickle=True)
RUNS = b"cos\nsystem\n(S'exit 99'\ntR."
"""A pickle that runs a command when it is loaded."""
DTYPES = ("<M8[ns]", "<m8[s]", "|V8", "<c16", "|S8", "<f2", "<g", "<M8", "|V0", "", "<U1000000000", "|O")


def npy(descr: str = "'<f8'", shape: str = "(3, 2)", order: str = "False", data: bytes = b"\0" * 48) -> bytes:
    """A `.npy` file whose header says this much."""
    return _headed(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".encode(), data)


def _headed(header: bytes, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + data


def npy_files() -> Files:
    """Headers that promise what the file does not hold, pickles, and arrays that are no table."""
    shapes = ("(-3, 2)", "(9223372036854775807, 2)", "(4611686018427387904, 4)", "(1000000000, 10)", "(True, 2)")
    shapes += ("(3.0, 2)", "'ab'", "None", "(" + "1," * 65 + ")", "()")
    found = {f"shape {shape[:30]}": npy(shape=shape) for shape in shapes}
    found |= {f"dtype {dtype}": npy(f"'{dtype}'") for dtype in DTYPES}
    structured = ("[('a', '<f8')]", "[('a', '|O')]", "('<f8', (2,))", "None", "5")
    found |= {f"dtype {descr}": npy(descr) for descr in structured}
    found |= {
        "a pickle in the header's dtype": npy("'|O'", "(3,)", data=RUNS),
        "a pickle": RUNS,
        "an array of objects": PICKLED,
        "order": npy(order="'x'"),
        "a header of brackets": _headed(b"(" * 5000 + b")" * 5000),
        "a header of signs": _headed(b"-" * 9000 + b"1"),
        "a header that calls": _headed(b"__import__('os').system('exit 99')"),
        "a header of 4 GiB": b"\x93NUMPY\2\0" + struct.pack("<I", 2**32 - 1) + b"{}",
        "version 9": b"\x93NUMPY\x09\0" + b"\0" * 50,
        "no bytes": b"",
        "one number": saved(np.save, np.array(3.0)),
        "no rows": saved(np.save, np.empty((0, 3))),
    }
    return found


def npz(*members: tuple[str, bytes]) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def sparse(shape: Any, indices: Any, indptr: Any, form: bytes = b"csr", data: Any = (1.0, 1.0, 1.0)) -> bytes:
    """What `scipy.sparse.save_npz` writes, of any numbers."""
    parts = {"shape": shape, "indices": indices, "indptr": indptr, "data": data}
    return saved(np.savez, format=np.array(form), **{name: np.array(value) for name, value in parts.items()})


def npz_files() -> Files:
    """Archives with odd members, and sparse matrices whose indices leave the matrix."""
    found = {
        "no member": npz(),
        "a pickle": npz(("a.npy", PICKLED)),
        "text for an array": npz(("a.npy", b"hello")),
        "bytes beside arrays": npz(("a", b"hello"), ("b.npy", NUMBERS)),
        "one number": npz(("a.npy", saved(np.save, np.array(3.0)))),
        "columns of two lengths": npz(("a.npy", NUMBERS), ("b.npy", saved(np.save, np.arange(2.0)))),
        "a sparse index before the matrix": sparse([3, 3], [0, 1, -7_000_000], [0, 1, 2, 3]),
        "a sparse index behind the matrix": sparse([3, 3], [0, 1, 99_999_999], [0, 1, 2, 3], b"csc"),
        "sparse rows that end before they begin": sparse([3, 3], [0, 1, 2], [0, 3, -100, 3]),
        "sparse rows beyond the data": sparse([3, 3], [0, 1, 2], [0, 1, 2, 3_000_000]),
        "sparse rows that are not there": sparse([3, 3], [0, 1, 2], [0, 3]),
        "a sparse block behind the matrix": sparse([4, 4], [0, 100_000], [0, 1, 2], b"bsr", np.ones((2, 2, 2))),
        "a huge sparse matrix": sparse([2**40, 2**40], [0], [0, 1], data=[1.0]),
        "a negative sparse matrix": sparse([-3, 3], [0], [0, 1], data=[1.0]),
        "a sparse matrix of one size": sparse([3], [0], [0, 1], data=[1.0]),
        "a sparse matrix of text": sparse(["a", "b"], [0], [0, 1], data=[1.0]),
        "a sparse matrix of no form": sparse([3, 3], [0], [0, 1], b"xyz", [1.0]),
    }
    whole = npz(("a.npy", NUMBERS))
    found["compressed by an unknown method"] = whole.replace(
        b"PK\3\4\x14\0\0\0\0\0", b"PK\3\4\x14\0\0\0\x63\0"
    ).replace(b"PK\1\2\x14\3\x14\0\0\0\0\0", b"PK\1\2\x14\3\x14\0\0\0\x63\0")
    found["of version 255"] = whole.replace(b"PK\1\2\x14\3\x14\0", b"PK\1\2\x14\3\xff\0")
    return found


# JSON, csv, parquet.

TENSOR = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}


def json_files() -> Files:
    """Depth, numbers without end, wrong types at every level."""
    plain: list[Any] = [None, 5, "x", True, {}, [], [{}], [None, 1], [{"a": 1}, 5], [{"a": 1}, None], [{"a": 1}, [1]]]
    plain += [[[1], 5], [[1], [1, 2]], [["a"]], [[True]], [[]], [[[1]]], [[{}]], {"a": [1], "b": [1, 2]}]
    plain += [{"a": [[1]], "b": [{"x": 1}]}, {"a": [1, "x", True]}, {"inputs": "x"}, {"inputs": None}, {"inputs": []}]
    odd = ({"name": ["a"]}, {"name": 5}, {"shape": [-1]}, {"shape": [10**12]}, {"shape": [2**32, 2**32]})
    odd += ({"shape": ["x"]}, {"shape": None}, {"datatype": "XX"}, {"datatype": ["FP64"]}, {"data": {"a": 1}})  # type: ignore[assignment]
    odd += ({"data": [[[[1]]]]}, {"datatype": "INT8", "data": [300]}, {"data": None})  # type: ignore[assignment]
    plain += [{"inputs": [{**TENSOR, **change}]} for change in odd] + [{"inputs": [None]}, {"inputs": [TENSOR, {}]}]
    found = {json.dumps(value)[:60]: json.dumps(value).encode() for value in plain}
    for name, opened, closed in (("lists", b"[", b"]"), ("objects", b'{"a":', b"}")):
        found[f"deep {name}"] = opened * DEEP + b"1" + closed * DEEP
    return found | {
        "a deep cell": b'[{"a":' + b"[" * DEEP + b"]" * DEEP + b"}]",
        "a number of 100,000 digits": b'[{"a":' + b"9" * 100_000 + b"}]",
        "a number of 400 digits": b'[{"a":' + b"9" * 400 + b"}]",
        "a key twice": b'[{"a":1,"a":"x"}]',
        "half a character in a cell": b'[{"a":"\\ud800"}]',
        "half a character in a name": b'[{"\\ud800":1}]',
        "half a character in a document": b'["\\udfff"]',
        "latin-1": b'[{"a":"\xe9"}]',
        "words behind it": b'[{"a":1}] x',
    }


def csv_files() -> Files:
    """Wrong encodings, ragged rows, two columns of one name, an open quote."""
    return {
        "no bytes": b"",
        "no columns": b"\n\n",
        "no rows": b"a,b\n",
        "a ragged row": b"a,b\n1,2,3\n",
        "one name twice": b"a,a\n1,2\n",
        "one name 20,000 times": b",".join([b"c"] * 20_000) + b"\n" + b",".join([b"1"] * 20_000) + b"\n",
        "a name in latin-1": b"a,\xe9\n1,2\n",
        "a name in latin-1, wanted": b"\xe9\n1\n",
        "utf-16": "a,b\n1,2\n".encode("utf-16"),
        "an open quote": b'a,b\n1,"x\n' + b"y" * 100_000,
    }


def parquet_of(table: pa.Table) -> bytes:
    """The table as a file."""
    return saved(lambda file: parquet.write_table(table, file))


def parquet_files() -> Files:
    """Types that are no cell, text that is no UTF-8, pieces of a file."""
    kinds: dict[str, Any] = {"lists": [[1]], "records": [{"x": 1}], "bytes": [b"\xff"]}
    found = {f"a column of {kind}": parquet_of(pa.table({"a": values})) for kind, values in kinds.items()}
    for kind in (pa.time64("us"), pa.duration("us")):
        found[f"a column of {kind}"] = parquet_of(pa.table({"a": pa.array([1], kind)}))
    whole = parquet_of(pa.table({"a": np.arange(10_000.0), "b": ["x"] * 10_000}))
    found |= {f"cut at {end}": whole[:end] for end in (0, 4, 8, 100, len(whole) // 2, len(whole) - 4)}
    deep: Any = pa.array([1])
    for _ in range(200):
        deep = pa.StructArray.from_arrays([deep], ["x"])
    return found | {
        "no columns": parquet_of(pa.table({})),
        "one name twice": parquet_of(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])),
        "text that is no UTF-8": parquet_of(pa.table({"a": pa.array([b"\xff"], pa.binary()).view(pa.string())})),
        "a number beyond 64 bits": parquet_of(pa.table({"a": pa.array([2**64 - 1], pa.uint64())})),
        "deep records": parquet_of(pa.table({"a": deep})),
        "a footer of 2 GiB": whole[:-8] + b"\xff\xff\xff\x7fPAR1",
        "a broken page": whole[:40] + b"\xff" * 400 + whole[440:],
    }


def pandas_words() -> Files:
    """Parquet files that are whole, save for what pandas would have written of their columns."""
    words = [b"{", b"[]", b'"x"', b'{"columns":null}', b'{"columns":[1]}', b"\xff\xfe", b"[" * DEEP]
    words += [b'{"columns":[{"pandas_type":"categorical"}]}', b'{"columns":[{"name":"a","numpy_type":5}]}']
    words += [b'{"columns":[{"name":"a","numpy_type":null}]}', b'{"columns":[{"name":["a"],"numpy_type":"Int64"}]}']
    plain = pa.table({"a": [1.0]})
    return {str(word[:60]): parquet_of(plain.replace_schema_metadata({"pandas": word})) for word in words}


# R's files.

NULL, LIST, TEXT, PAIRS, INTEGERS, DOUBLES = 254, 19, 16, 2, 13, 14
ATTRIBUTES, TAG = 512, 1024


def words(*numbers: int) -> bytes:
    """Numbers of 32 bits as R writes them."""
    return struct.pack(f">{len(numbers)}i", *numbers)


def rds(body: bytes) -> bytes:
    """A file with this one value."""
    return b"X\n" + words(2, 0x40200, 0x20300) + body


def symbol(name: str) -> bytes:
    """A name of R's."""
    return words(1, 9, len(name)) + name.encode()


def texts(*cells: str) -> bytes:
    """A vector of text."""
    return words(TEXT, len(cells)) + b"".join(words(9, len(c.encode())) + c.encode() for c in cells)


def doubles(*numbers: float) -> bytes:
    """A vector of numbers."""
    return words(DOUBLES, len(numbers)) + struct.pack(f">{len(numbers)}d", *numbers)


def attribute(name: str, value: bytes) -> bytes:
    """One attribute; others, or `NULL`, follow."""
    return words(PAIRS | TAG) + symbol(name) + value


def frame(column: bytes, names: bytes = texts("a"), kind: bytes = texts("data.frame")) -> bytes:
    """A data frame of one column."""
    ends = attribute("names", names) + attribute("class", kind) + words(NULL)
    return rds(words(LIST | ATTRIBUTES, 1) + column + ends)


def factor(codes: bytes, levels: bytes = texts("x", "y")) -> bytes:
    """A column of levels; `codes`: a vector without attributes."""
    flags = struct.unpack(">i", codes[:4])[0]
    return words(flags | ATTRIBUTES) + codes[4:] + attribute("levels", levels) + words(NULL)


def short(form: str, state: bytes) -> bytes:
    """A vector in a short form (ALTREP)."""
    info = words(PAIRS) + symbol(form) + words(PAIRS) + symbol("base") + words(PAIRS, INTEGERS, 1, 13, NULL)
    return words(238) + info + state + words(NULL)


def rds_files() -> Files:
    """Depth, lengths beyond the file, sequences without end, factors without levels, and frames that are none."""
    many = doubles(2.0**29, 1, 1)
    found = {
        "deep lists": rds(words(LIST, 1) * DEEP),
        "deep pairs": rds(words(PAIRS) * DEEP),
        "deep code": rds(words(21, 1, NULL, 1, 6) + words(6) * DEEP),
        "2^31 numbers": rds(words(DOUBLES, 2**31 - 1)),
        "2^62 numbers": rds(words(DOUBLES, -1, 2**30, 0)),
        "-5 numbers": rds(words(DOUBLES, -5)),
        "2^52 items": rds(words(LIST, -1, 2**20, 0)),
        "a text of 2 GiB": rds(words(TEXT, 1, 9, 2**31 - 1)),
        "a sequence of 2^50": rds(short("compact_intseq", doubles(2.0**50, 1, 1))),
        "a sequence of NaN": rds(short("compact_intseq", doubles(float("nan"), 1, 1))),
        "60 long sequences": rds(words(LIST, 60) + short("compact_realseq", many) * 60),
        "the texts of a long sequence": rds(
            short("deferred_string", words(PAIRS) + short("compact_intseq", many) + words(NULL))
        ),
        "a short form without state": rds(short("compact_intseq", words(NULL))),
        "an unknown short form": rds(short("mmap_real", words(NULL))),
        "a reference to nothing": rds(words(255, -1)),
        "an environment inside itself": rds(words(4, 0) + words(255 | 1 << 8) * 4),
        "cut compression": gzip.compress(rds(words(NULL)))[:-9],
        "numbers of no columns": rds(
            words(DOUBLES | ATTRIBUTES, 1) + bytes(8) + attribute("class", texts("data.frame")) + words(NULL)
        ),
        "an object for a list": rds(words(25 | ATTRIBUTES) + attribute("class", texts("data.frame")) + words(NULL)),
    }
    columns = {
        "code 0": factor(words(INTEGERS, 1, 0)), "code -1": factor(words(INTEGERS, 1, -1)),
        "code 7": factor(words(INTEGERS, 1, 7)), "fractions": factor(doubles(1.5)),
        "a list": factor(words(LIST, 1) + doubles(1)), "text": factor(texts("q")),
        "levels in levels": factor(words(INTEGERS, 1, 1), words(TEXT, 1) + texts("x")),
        "text in text": words(TEXT, 1) + texts("x"), "lists": words(LIST, 1) + doubles(1), "nothing": words(NULL),
        "complex numbers": words(15, 1) + bytes(16), "bytes": words(24, 1, 0),
    }  # fmt: skip
    found |= {f"a frame with {name}": frame(column) for name, column in columns.items()}
    found["a frame whose names are numbers"] = frame(doubles(1), doubles(1))
    found["a frame whose names are vectors"] = frame(doubles(1), words(TEXT, 1) + doubles(1, 2))
    found["a frame with too few names"] = frame(doubles(1), texts())
    found["a frame whose class is a vector"] = frame(doubles(1), kind=words(TEXT, 1) + doubles(1, 2))
    return found


def bomb(mebibytes: int) -> bytes:
    """A gzip that unpacks to so much."""
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(rds(words(DOUBLES, mebibytes << 17)))]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(mebibytes)]
    return b"".join([*parts, packer.flush()])


ALL: dict[str, Callable[[], Files]] = {
    "npy": npy_files, "npz": npz_files, "json": json_files, "csv": csv_files, "parquet": parquet_files,
    "rds": rds_files,
}  # fmt: skip
