"""Lists the names that a pickle may call, and with which arguments: every other call is refused."""

from __future__ import annotations

from typing import Any, NamedTuple

from .dtypes import plain_code
from .rules import Look, Refused, Test, dict_of, either, matches, named, roles, storable, text, tuple_of
from .tensors import ELEMENTS, ROLES, tensor_call

_NONE, _INT, _STR, _BYTES = roles("NoneType"), roles("int"), roles("str"), roles("bytes")
_LIST, _TUPLE, _DICT, _ARRAY = roles("list"), roles("tuple"), roles("dict"), roles("array")
_NUMBER = roles("int", "float", "scalar", "bool")
_INTS = tuple_of(_INT)
_EMPTY = tuple_of(lambda value, look: look.role(value) == "int" and value == 0)
_BUFFER = roles("bytes", "bytearray", "buffer")
_FUNCTION = roles("function", "own")
_NDARRAY = named("numpy.ndarray", "numpy.matrix", "numpy.matrixlib.defmatrix.matrix")
_MASKED = named("numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray")
_FACTORY = named(*(f"builtins.{n}" for n in ["int", "float", "str", "list", "dict", "set"]), "collections.OrderedDict")


def _numbers_only(value: Any, look: Look) -> bool:
    """Returns whether it is a dtype without objects: numpy returns an element that is an object unchecked."""
    return look.role(value) == "dtype" and look.dtype(value) != (None, False) and not look.dtype(value)[1]


def _code(value: Any, look: Look) -> bool:
    texts = look.texts(value) if look.role(value) == "str" else None
    return texts is not None and plain_code(texts[0]) is not None


class Call(NamedTuple):
    """The forms that the arguments may have, and the role of the result."""

    forms: tuple[tuple[Test, ...], ...]
    role: str


def _call(role: str, *forms: tuple[Test, ...]) -> Call:
    return Call(forms, role)


_BITS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_BIT_CLASSES = tuple(f"numpy.random.{place}{name}" for name in _BITS for place in ("", f"_{name.lower()}.", "_pcg64."))
_MAKES_BITS = named("numpy.random._pickle.__bit_generator_ctor")
_GENERATOR = ((roles("bits"),), (text(*_BITS),), (text(*_BITS), _MAKES_BITS), (roles("bits"), _MAKES_BITS))
_ORDER = text("C", "F", "A", "K")
_LATIN1 = text("latin1", "latin-1")

_SHAPED: dict[str, Call] = {
    "_codecs.encode": _call("bytes", (_STR, _LATIN1)),
    "builtins.bytearray": _call("bytearray", (), (_BYTES,), (_STR, _LATIN1)),
    "builtins.bytes": _call("bytes", ()),
    "builtins.complex": _call("complex", (_NUMBER, _NUMBER)),
    "builtins.frozenset": _call("frozenset", (_LIST,)),
    "builtins.object": _call("plain", ()),
    "builtins.range": _call("range", (_INT, _INT, _INT)),
    "builtins.set": _call("set", (_LIST,), ()),
    "builtins.slice": _call("slice", 3 * (either(_NONE, _NUMBER),)),
    "collections.Counter": _call("mapping", (), (_DICT,)),
    "collections.OrderedDict": _call("mapping", ()),
    "collections.defaultdict": _call("mapping", (), (_NONE,), (_FACTORY,)),
    "collections.deque": _call("deque", (), (tuple_of(storable),), (tuple_of(storable), _INT)),
    "functools.partial": _call("partial", (_FUNCTION,)),
    "numpy.dtype": _call("dtype", (_code, lambda value, look: value is False, lambda value, look: value is True)),
    "numpy.ma.core._mareconstruct": _call("masked", (_MASKED, _NDARRAY, _EMPTY, roles("bytes", "str"))),
    "numpy.random._pickle.__bit_generator_ctor": _call("bits", (text(*_BITS),), (named(*_BIT_CLASSES),)),
    "numpy.random._pickle.__generator_ctor": _call("random", *_GENERATOR),
    "numpy.random._pickle.__randomstate_ctor": _call("random", *_GENERATOR),
    "pandas.core.indexes.base._new_Index": _call(
        "index",
        (
            named("pandas.Index", "pandas.core.indexes.base.Index"),
            dict_of(data=roles("array", "object"), name=roles("NoneType", "str", "int", "tuple")),
        ),
        (
            named("pandas.RangeIndex", "pandas.core.indexes.range.RangeIndex"),
            dict_of(start=_INT, stop=_INT, step=_INT, name=roles("NoneType", "str", "int", "tuple")),
        ),
    ),
    "pandas.StringDtype": _call("strings", (_STR, roles("float"))),
    "pandas.core.arrays.string_.StringDtype": _call("strings", (_STR,), (_STR, roles("float"))),
    "pyarrow.lib._restore_array": _call("arrow", (tuple_of(roles("arrow", "int", "list", "NoneType")),)),
    "pyarrow.lib.py_buffer": _call("arrow", (_BUFFER,)),
    "pyarrow.lib.type_for_alias": _call("arrow", (_STR,)),
    "sklearn.tree._tree.Tree": _call("native", (_NUMBER, _ARRAY, _NUMBER)),
}
for _core in ("core", "_core"):
    _raw = (_BUFFER, _numbers_only, _INTS, _ORDER)
    _SHAPED[f"numpy.{_core}.multiarray._reconstruct"] = _call("array", (_NDARRAY, _EMPTY, roles("bytes", "str")))
    _SHAPED[f"numpy.{_core}.multiarray.scalar"] = _call("scalar", (_numbers_only, _BYTES))
    _SHAPED[f"numpy.{_core}.numeric._frombuffer"] = _call("array", _raw, (*_raw, either(_NONE, _INTS)))

_LOSSES = ("sklearn._loss._loss.", "_loss.", "sklearn.linear_model._sgd_fast.")
_SPACES = ("sklearn.metrics._dist_metrics.", "sklearn.neighbors._kd_tree.", "sklearn.neighbors._ball_tree.")
_NUMPY = ("numpy.random._", "numpy.random.bit_generator.", "numpy.random.mtrand.")
_RECORDS = {"sklearn.impute._iterative._ImputerTriplet": (_NUMBER, either(_ARRAY, _LIST), roles("object"))}
_BUNCHES = ("sklearn.utils._bunch.Bunch", "sklearn.utils.Bunch")
_INDEXES = (
    "pandas.Index",
    "pandas.core.indexes.base.Index",
    "pandas.RangeIndex",
    "pandas.core.indexes.range.RangeIndex",
)
_MENTIONED = frozenset(
    {*(f"builtins.{n}" for n in ("dict", "list", "tuple")), "copyreg._reconstructor", "numpy.ndarray", "numpy.matrix"}
    | {"numpy.matrixlib.defmatrix.matrix", "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"}
)
"""Names that only appear as arguments of a call, and are never instantiated themselves."""
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_MAPPINGS = ("sklearn.covariance._graph_lasso._DictWithDeprecatedKeys",)


def role_of_class(name: str) -> str:
    """Returns the role of the instances of a listed class."""
    if name in _RECORDS:
        return "tuple"
    if name in _BUNCHES:
        return "bunch"
    if name in ROLES:
        return ROLES[name]
    if name in _MENTIONED or name in ELEMENTS or name.rpartition(".")[2].startswith(("__pyx_unpickle_", "newObj")):
        return "?"
    if name in _MAPPINGS:
        return "mapping"
    if name in _INDEXES:
        return "index"
    if name == _WRAPPER:
        return "wrapper"
    if name in _SHAPED:
        return _SHAPED[name].role
    if name.startswith((*_LOSSES, *_SPACES, *_NUMPY)):
        return "seed" if name.endswith("SeedSequence") else "bits" if name in _BIT_CLASSES else "native"
    return "object"


def called(name: str, args: tuple[Any, ...], look: Look) -> str:
    """Returns the role of the result of calling the listed name with these arguments; raises `Refused`."""
    if name == "copyreg._reconstructor":
        return _reconstructed(args, look)
    if name in ROLES:
        return tensor_call(name, args, look)
    shaped = _SHAPED.get(name) or _native(name, args, look)
    if shaped is None or not any(matches(form, args, look) for form in shaped.forms):
        raise Refused(f"calls {name} in a way that no model does")
    return shaped.role


def made_whole(name: str) -> bool:
    """Returns whether the call's result is already complete: an array may share memory that others read."""
    return name.endswith("._frombuffer")


def _native(name: str, args: tuple[Any, ...], look: Look) -> Call | None:
    """Returns the calls allowed for Cython's and scikit-learn's factories: their own class, and plain data."""
    module, _, last = name.rpartition(".")
    if last.startswith("__pyx_unpickle_"):
        own = f"{module}.{last[len('__pyx_unpickle_') :]}"
        return _call(role_of_class(own), (named(own), _INT, either(_NONE, _TUPLE)))
    if last == "newObj":
        own = look.name(args[0]) if args else ""
        fits = own.startswith(f"{module}.") and role_of_class(own) == "native"
        return _call("native", (named(own),)) if fits else None
    if name.startswith(_LOSSES):
        return _call("native", tuple(_NUMBER for _ in args))
    return None


def _reconstructed(args: tuple[Any, ...], look: Look) -> str:
    """Checks `copyreg._reconstructor`, which makes an object in protocols 0 and 1, and returns the object's role."""
    name = look.name(args[0]) if len(args) == 3 else ""
    role = role_of_class(name) if name else "?"
    base = look.name(args[1]) if name else ""
    if role in ("object", "native", "wrapper") and base == "builtins.object" and look.role(args[2]) == "NoneType":
        return role
    if role == "bunch" and base == "builtins.dict" and look.entries(args[2]) is not None:
        return role
    if name in _RECORDS and base == "builtins.tuple" and matches(_RECORDS[name], look.items(args[2]) or (), look):
        return role
    raise Refused(f"creates a {name or 'value'} in a way that no model does")


def check_own_base(args: tuple[Any, ...], look: Look) -> None:
    """Raises `Refused` where `copyreg._reconstructor` creates a user-defined class differently from Python."""
    if len(args) != 3 or look.name(args[1]).rpartition(".")[0] != "builtins":
        raise Refused(f"creates a {look.name(args[0])} in a way that no model does")


def made(name: str, args: tuple[Any, ...], look: Look) -> str:
    """Returns the role of the result of `name.__new__(name, *args)`; raises `Refused`."""
    role = role_of_class(name)
    fits = matches(_RECORDS[name], args, look) if name in _RECORDS else not args
    if not fits or role not in ("object", "native", "bunch", "tuple", "mapping", "seed", "plain", "wrapper"):
        raise Refused(f"creates a {name} in a way that no model does")
    return role
