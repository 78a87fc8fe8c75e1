"""A grammar that writes pickles out of allowed names: every instruction, every kind of value, mostly as models have it.

`odd` is the chance that a place deviates from what a model's pickler writes. One seed always gives the same pickle.
"""

from __future__ import annotations

import importlib
import struct
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from random import Random

from mlpack_toolkit.converters._trust.calls import role_of_class
from mlpack_toolkit.converters._trust.rules import METHOD_KEYS, METHOD_WORDS, MUTATORS, TYPED
from mlpack_toolkit.packager.scan.allowlist import allowed_names, referred_names

FIRE = "canary.fire"
_HOSTILE = """
os.system posix.system subprocess.Popen builtins.eval builtins.exec builtins.getattr builtins.open numpy.load
joblib.load operator.methodcaller importlib.import_module numpy.memmap catboost.core.Pool canary.Canary
sklearn.pipeline.Pipeline.fit sklearn.base.clone pandas.read_pickle copyreg.__newobj__ builtins.type
"""
HOSTILE = _HOSTILE.split()
WORDS = (
    *METHOD_KEYS, *METHOD_WORDS, *MUTATORS, *TYPED, "__setstate__", "__class__", "__dict__", "__getattr__",
    "__sklearn_tags__", "__len__", "__array__", "__del__", "__repr__", "_repr_html_", "_sklearn_output_config",
    "_metadata_request", "_sklearn_version", "transform", "get_params", "set_output", "get_feature_names_out", "func",
    "steps", "estimator", "estimators_", "transformers_", "feature_names_in_", "n_features_in_", "classes_", "coef_",
    "kernel", "metric", "scoring", "save_model", "eval", "tofile", "dump", "importance_getter", "n_jobs", "dtype",
    "shape", "data", "indices", "indptr", "C", "latin1", "", "x", "precomputed", "/tmp/canary",
)  # fmt: skip
CODES = ("i1", "i4", "i8", "u1", "f4", "f8", "b1", "c16", "O8", "S3", "U2", "V8", "V12", "M8", "m8")
_SIZES = {"U2": 8}


@cache
def _classes() -> tuple[str, ...]:
    """Listed classes whose objects are made empty, those of other releases among them as they are."""
    makes = ("object", "bunch", "mapping", "native", "seed", "plain", "tuple")
    return tuple(name for name in sorted(allowed_names()) if role_of_class(name) in makes)


@cache
def _lists() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    methods = files("mlpack_toolkit.packager.scan").joinpath("methods.txt").read_text("utf-8").split()
    return tuple(sorted(allowed_names())), (*sorted(referred_names()), *(400 * (FIRE,))), tuple(methods)


@cache
def parameters(dotted: str) -> tuple[str, ...]:
    """The names of a class's own parameters; none where this release has no such class."""
    module, _, name = dotted.rpartition(".")
    try:
        code = getattr(importlib.import_module(module), name).__init__.__code__
    except (ImportError, AttributeError):
        return ()
    return tuple(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])


class Grammar:
    """Writes one pickle; `loose`: parts of another writer's pickle, whose memo they leave alone."""

    def __init__(self, chance: Random, protocol: int, odd: float, loose: bool = False) -> None:
        self.chance, self.protocol, self.odd, self.loose = chance, protocol, odd, loose
        self.memo: list[int] = []

    def pickle(self) -> bytes:
        """A whole pickle."""
        body = self.value(6) if self.chance.random() < 0.3 else self.model(6)
        if self._strange():
            body += self.value(2) + self._pick(b"0", b"a", b"b", b"s", b"R", b"\x81", b"\x85", b"\x86", b"e")
        head = b"\x80" + bytes([self.protocol]) if self.protocol >= 2 else b""
        if self.protocol >= 4 and self.chance.random() < 0.3:
            head += b"\x95" + struct.pack("<Q", len(body) + 1 + 3 * self._strange())
        return head + body + b"."

    def value(self, depth: int) -> bytes:
        """Instructions that push one value."""
        if depth <= 0 or self.chance.random() < 0.35:
            return self.plain()
        kinds: tuple[Callable[[int], bytes], ...] = (
            *(self.tuple_, self.list_, self.dict_, self.array, self.scalar, self.made, self.model, self.model),
            *(self.set_, self.partial, self.again, self.again, self.function, self.bunch),
        )
        return self._kept(self.chance.choice(kinds)(depth - 1))

    def _strange(self) -> bool:
        return self.chance.random() < self.odd

    def _pick(self, *options: bytes) -> bytes:
        return self.chance.choice(options)

    def _kept(self, code: bytes) -> bytes:
        if self.loose or self.chance.random() < 0.6:
            return code
        key = self.chance.choice(self.memo) if self.memo and self._strange() else len(self.memo)
        self.memo.append(key)
        puts = [b"p%d\n" % key, b"r" + struct.pack("<I", key), b"q%c" % key if key < 256 else b""]
        puts += [b"\x94"] if self.protocol >= 4 and key == len(set(self.memo)) - 1 else []
        return code + self.chance.choice([put for put in puts if put])

    def again(self, depth: int) -> bytes:
        """A value that was made before, under a second name; or twice at once."""
        if not self.memo:
            return self._pick(b"0", b"1").join([self.value(depth), self.value(depth)]) if self._strange() else b"N"
        key = self.chance.choice(self.memo)
        code = self._pick(b"g%d\n" % key, b"j" + struct.pack("<I", key))
        return self.state_on(code, depth) if self._strange() else code

    def plain(self) -> bytes:
        """A value without parts."""
        number = self.chance.choice((0, 1, 2, 3, 5, -1, 255, 2**31 - 1, -(2**31), self.chance.randrange(999)))
        real = self.chance.choice((0.0, 1.5, -2.0, float("nan"), float("inf"), 1e308))
        return self.chance.choice((
            b"N", b"\x88", b"\x89", b"J" + struct.pack("<i", number), b"I%d\n" % number, b"L%dL\n" % number,
            b"G" + struct.pack(">d", real), b")", b"]", b"}", b"K\x02", b"\x8a\x09" + b"\xff" * 8 + b"\x7f",
            self.text(self.word()), self.text(self.word()), self.raw(self.bytes_(self.chance.randrange(20))),
        ))  # fmt: skip

    def word(self) -> str:
        """A text that some class may read as the name of something."""
        return self.chance.choice(WORDS if self.chance.random() < 0.9 else _lists()[2])

    def text(self, word: str) -> bytes:
        raw = word.encode()
        forms = [b"V" + raw + b"\n", b"X" + struct.pack("<I", len(raw)) + raw, b"U%c" % len(raw) + raw]
        return self.chance.choice([*forms, b"\x8c%c" % len(raw) + raw, b"S'" + raw + b"'\n"])

    def bytes_(self, size: int) -> bytes:
        return self.chance.choice((bytes(size), self.chance.randbytes(size), b"\xff" * size, b"\x01" + bytes(size)))

    def raw(self, content: bytes) -> bytes:
        if len(content) > 255:
            return b"B" + struct.pack("<I", len(content)) + content
        return self._pick(b"C", b"C", b"U" if content.isascii() else b"C") + b"%c" % len(content) + content

    def name(self, dotted: str) -> bytes:
        """A name that is looked up."""
        if self._strange() and self._strange():
            dotted = self.chance.choice((*HOSTILE, *_lists()[0]))
        module, _, last = dotted.rpartition(".")
        if self.protocol < 3:
            module = {"copyreg": "copy_reg", "builtins": "__builtin__"}.get(module, module)
        if self.protocol >= 4 and self.chance.random() < 0.7:
            return self.text(module) + self.text(last) + b"\x93"
        return f"c{module}\n{last}\n".encode()

    def call(self, dotted: str, *args: bytes) -> bytes:
        """A call, by one of the instructions that call."""
        if self.loose or self.chance.random() < 0.7:
            return self.name(dotted) + self.packed(args) + b"R"
        if self.chance.random() < 0.5:
            return b"(" + self.name(dotted) + b"".join(args) + b"o"
        module, _, last = dotted.rpartition(".")
        return b"(" + b"".join(args) + f"i{module}\n{last}\n".encode()

    def packed(self, parts: tuple[bytes, ...]) -> bytes:
        """A tuple."""
        short = {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}
        if len(parts) in short and self.chance.random() < 0.7:
            return b"".join(parts) + short[len(parts)]
        return b"(" + b"".join(parts) + b"t"

    def new(self, dotted: str, depth: int) -> bytes:
        """An object of a class, made empty."""
        pick = self.chance.random()
        args = self.value(depth) if self._strange() else b")"
        if dotted.endswith("_ImputerTriplet"):
            args = self.packed((b"K\x00", self.array(1), self.model(depth)))
        if pick < 0.1:
            args_ex = b"}" if not self._strange() else self.dict_(1)
            return self.name(dotted) + args + args_ex + b"\x92"
        if pick < 0.3:
            base = (self.name("builtins.object"), b"N")
            if role_of_class(dotted) == "bunch":
                base = (self.name("builtins.dict"), self.dict_(depth))
            return self.call("copyreg._reconstructor", self.name(dotted), *base)
        return self.name(dotted) + args + b"\x81"

    def model(self, depth: int) -> bytes:
        """An object of a listed class with a state."""
        dotted = self.chance.choice(_classes())
        made = self._kept(self.new(dotted, depth))
        return self.state_on(made, depth, parameters(dotted)) if self.chance.random() < 0.85 else made

    def state_on(self, made: bytes, depth: int, keys: tuple[str, ...] = ()) -> bytes:
        """The object, given a state; twice, or filled like a container, where it is odd."""
        if self._strange():
            return self.ambush(made)
        code = made + self.state(depth, keys) + b"b"
        if self._strange():
            code += self.state(depth, keys) + b"b"
        if self._strange():
            mark = self._pick(b"e", b"\x90", b"u")
            code += self._pick(self.plain() + b"a", b"(" + self.plain() + self.plain() + mark)
            code += self.plain() + self.function(0) + b"s"
        return code

    def ambush(self, made: bytes) -> bytes:
        """The object, with a function under a name that the instruction behind it calls."""
        key = self.chance.choice(("append", "extend", "add", "__setstate__", "__setitem__"))
        state = b"}" + self.text(key) + self.name(FIRE) + b"s"
        after = self._pick(b"Na", b"(NNe", b"(N\x90", b"}b", b"NNs")
        return made + state + self._pick(b"b", b"b", self.packed((b"N", state)) + b"b") + after

    def state(self, depth: int, keys: tuple[str, ...]) -> bytes:
        """Mostly a dict of names; the class's own parameters among them."""
        if self._strange():
            return self._pick(self.value(depth), self.packed((b"N", self.dict_(depth))))
        words = [self.chance.choice(keys) if keys and self.chance.random() < 0.7 else self.word() for _ in range(4)]
        known = {word for word in words if self._strange() or not word.startswith("__")}
        pairs = [self.text(word) + self.value(depth) for word in sorted(known)]
        return self._kept(b"}") + b"(" + b"".join(pairs) + b"u"

    def tuple_(self, depth: int) -> bytes:
        return self.packed(tuple(self.value(depth) for _ in range(self.chance.randrange(4))))

    def list_(self, depth: int) -> bytes:
        parts = [self.value(depth) for _ in range(self.chance.randrange(4))]
        base = self._kept(self._pick(b"]", b"(l", self.call("collections.deque", b")") if self._strange() else b"]"))
        if self.chance.random() < 0.5:
            return base + b"".join(part + b"a" for part in parts)
        return base + b"(" + b"".join(parts) + b"e"

    def dict_(self, depth: int) -> bytes:
        named = [(self.text(self.word()), self.value(depth)) for _ in range(self.chance.randrange(4))]
        pairs = [(self.value(depth) if self._strange() else key, value) for key, value in named]
        if self.chance.random() < 0.3:
            return b"(" + b"".join(map(b"".join, pairs)) + b"d"
        base = self._pick(b"}", b"}", self.call("collections.OrderedDict"), self.call("collections.defaultdict"))
        if self.chance.random() < 0.5:
            return self._kept(base) + b"".join(key + value + b"s" for key, value in pairs)
        return self._kept(base) + b"(" + b"".join(map(b"".join, pairs)) + b"u"

    def set_(self, depth: int) -> bytes:
        parts = [self.value(1) if self._strange() else self.text(self.word()) for _ in range(3)]
        if self.chance.random() < 0.3:
            return b"(" + b"".join(parts) + b"\x91"
        base = self._pick(b"\x8f", self.call("builtins.set", b"]" + parts[0] + b"a"))
        return base + b"(" + b"".join(parts) + b"\x90"

    def bunch(self, depth: int) -> bytes:
        pairs = [self.text(self.word()) + self.value(depth) for _ in range(2)]
        return self.new("sklearn.utils._bunch.Bunch", depth) + b"(" + b"".join(pairs) + b"u"

    def function(self, depth: int) -> bytes:
        """A function that may be mentioned; where it is odd, a name that may only be called."""
        return self.name(self.chance.choice(_lists()[0 if self._strange() else 1]))

    def partial(self, depth: int) -> bytes:
        function = self.value(depth) if self._strange() else self.function(0)
        made = self._kept(self.call("functools.partial", function))
        state = (function, self.packed(()), self.dict_(depth), self._pick(b"N", b"}", self.dict_(depth)))
        return made + self.packed(state) + b"b" if self.chance.random() < 0.7 else made

    def dtype(self, code: str = "") -> bytes:
        """A numpy dtype; where it is odd, one whose state says something else than its name."""
        code = code or self.chance.choice(CODES)
        made = self._kept(self.call("numpy.dtype", self.text(code), b"\x89", b"\x88"))
        size = int(code[1:]) if code[0] in "SUV" else -1
        flags = 63 if code[0] == "O" else 0
        if self._strange():
            size, flags = self.chance.choice((size, -1, 0, 4096)), self.chance.choice((flags, 0, 1, 27, 63))
        names, fields = b"N", b"N"
        if code[0] == "V" and self.chance.random() < 0.7:
            inner, offset = self.chance.choice(("i4", "f8", "O8", "u1")), self.chance.choice((0, 1, 4, 8))
            names = self.packed((self.text("a"),))
            flags = self.chance.choice((27, 0)) if inner == "O8" else flags
            fields = b"}" + self.text("a") + self.packed((self.dtype(inner), b"K%c" % offset)) + b"s"
        base = self.packed((self.dtype("u1"), self.packed((b"K%c" % abs(size % 256),)))) if self._strange() else b"N"
        ints = [b"J" + struct.pack("<i", n) for n in (size, 1 if code[0] == "V" else -1, flags)]
        order = self.text("|" if code[0] in "OSVb" or code[1:] == "1" else "<")
        more = () if code[0] not in "mM" or self._strange() else (self.packed((b"}", self.unit())),)
        return made + self.packed((b"K\x03", order, base, names, fields, *ints, *more)) + b"b"

    def unit(self) -> bytes:
        """What numpy keeps of a dtype of dates."""
        steps = [b"K\x00" if self._strange() else b"K\x01" for _ in range(3)]
        return self.packed((self.raw(b"ns") if not self._strange() else self.plain(), *steps))

    def array(self, depth: int) -> bytes:
        """A numpy array of bytes; where it is odd, too few or too many, or of another kind than its dtype says."""
        code = self.chance.choice(CODES)
        shape = [self.chance.randrange(4) for _ in range(self.chance.randrange(3))]
        count = 1
        for length in shape:
            count *= length
        size = count * _SIZES.get(code, int(code[1:])) + (self.chance.choice((-1, 1, 8)) if self._strange() else 0)
        data = self.raw(self.bytes_(max(size, 0)))
        if (code == "O8") != self._strange():
            data = b"](" + b"".join(self.value(depth - 1) for _ in range(count)) + b"e"
        lengths = self.packed(tuple(b"J" + struct.pack("<i", length) for length in shape))
        core = self.chance.choice(("core", "_core"))
        if code != "O8" and self.chance.random() < 0.3:
            return self.call(f"numpy.{core}.numeric._frombuffer", data, self.dtype(code), lengths, self.text("C"))
        empty = self.packed((b"K\x00",))
        kind = self.name("numpy.ndarray" if self.chance.random() < 0.8 else "numpy.matrix")
        made = self._kept(self.call(f"numpy.{core}.multiarray._reconstruct", kind, empty, self.raw(b"b")))
        return made + self.packed((b"K\x01", lengths, self.dtype(code), b"\x89", data)) + b"b"

    def scalar(self, depth: int) -> bytes:
        code = self.chance.choice(CODES)
        size = _SIZES.get(code, int(code[1:])) + (self.chance.choice((-1, 1)) if self._strange() else 0)
        return self.call("numpy._core.multiarray.scalar", self.dtype(code), self.raw(self.bytes_(size)))

    def made(self, depth: int) -> bytes:
        """What other listed names make; where it is odd, what a name makes that is not listed, or may not be called."""
        if self._strange():
            return self.call(self.chance.choice((*HOSTILE, FIRE)), self.text(self.word()))
        name = self.chance.choice(_lists()[0])
        bits = self.call("numpy.random._pickle.__bit_generator_ctor", self.text("MT19937"))
        loss = self.chance.choice(("CyHalfSquaredError", "CyHuberLoss", "CyHalfMultinomialLoss", "CyPinballLoss"))
        module = "sklearn._loss._loss."
        space = self.chance.choice(("sklearn.neighbors._kd_tree.", "sklearn.neighbors._ball_tree."))
        tree = self.name(space + ("KDTree" if "kd" in space else "BallTree"))
        index = b"}" + self.text("data") + self.array(1) + b"s" + self.text("name") + b"Ns"
        return self.chance.choice((
            lambda: self.call(name, *(self.value(depth) for _ in range(self.chance.randrange(3)))),
            lambda: bits + self.packed((self.dict_(depth), b"N")) + b"b",
            lambda: self.call("numpy.random._pickle.__randomstate_ctor", bits) + self.dict_(depth) + b"b",
            lambda: self.call(f"{module}__pyx_unpickle_{loss}", self.name(module + loss), b"J\0\0\0\0", b"N"),
            lambda: self.state_on(self.call(space + "newObj", tree), depth) if self._strange() else tree + b")\x81",
            lambda: self.call(space + "newObj", tree) + self.tuple_(depth) + b"b",
            lambda: self.call("pandas.core.indexes.base._new_Index", self.name("pandas.Index"), index),
            lambda: self.call("sklearn.tree._tree.Tree", b"K\x02", self.array(1), b"K\x01") + self.dict_(depth) + b"b",
            lambda: self.call("builtins.range", b"K\x00", b"K\x05", b"K\x01"),
            lambda: self.call("pyarrow.lib.py_buffer", self.raw(self.bytes_(8))),
            lambda: self.call("builtins.complex", b"K\x01", self.plain()),
        ))()  # fmt: skip
