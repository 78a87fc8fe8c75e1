"""Handlers for each pickle opcode on the symbolic machine, and the loop that runs them."""

from __future__ import annotations

import pickle
from typing import Any

from mlpack_toolkit.converters._trust.rules import Refused, check_attributes

from .arrays import payload
from .literals import BYTES, LITERALS, Handler, text
from .machine import OPCODE_LIMIT, Machine, methods
from .symbols import SYMBOLS
from .values import UNKNOWN, Fault, Global, Instance, Listing, Mapping, Wrapper, WrapperArgs, WrapperClass, plain

_FROZENSET = plain("frozenset")
_BUFFER = Instance(Global("builtins", "memoryview"), "buffer")
_SUBCLASSES = frozenset({"numpy.ndarray", "numpy.matrix", "numpy.matrixlib.defmatrix.matrix"})


def run(machine: Machine) -> Any:
    """The symbol of the pickle's value, as far as it is known. Raises `Fault`."""
    take, trace = machine.reader.take, machine.trace
    while (code := take(1)) != pickle.STOP:
        handler = HANDLERS.get(code)
        if handler is None:
            raise Fault(f"byte 0x{code.hex()} at {machine.reader.position - 1} is no pickle instruction")
        trace.opcodes += 1
        if trace.opcodes > OPCODE_LIMIT:
            raise Fault(f"it has more than {OPCODE_LIMIT} instructions")
        handler(machine)
    machine.reader.end_pickle()
    value = machine.use()
    machine.stored([value])
    return value


def _proto(machine: Machine) -> None:
    machine.protocol = machine.number(1)
    if machine.protocol > 5:
        raise Fault(f"it is of pickle protocol {machine.protocol}, which no Python reads yet")


def _global(machine: Machine) -> None:
    module = text(machine.reader.line(), "utf-8")
    machine.find(module, text(machine.reader.line(), "utf-8"))


def _stack_global(machine: Machine) -> None:
    name, module = machine.use(), machine.use()
    if type(name) is str and type(module) is str:
        machine.find(module, name)
    else:
        machine.trace.unresolved = True
        machine.stack.append(UNKNOWN)


def _extension(size: int) -> Handler:
    def handler(machine: Machine) -> None:
        machine.number(size)
        machine.trace.unresolved = True
        machine.stack.append(UNKNOWN)

    return handler


def _reduce(machine: Machine) -> None:
    args = machine.pop()
    if type(args) in (Wrapper, WrapperClass):
        raise Fault("an array's description is used in an unknown way")
    machine.stack.append(machine.call(machine.pop(), args))


def _newobj(machine: Machine) -> None:
    args, cls = machine.use(), machine.pop()
    if type(cls) is WrapperClass and type(args) is tuple and not args:
        machine.stack.append(Wrapper())
    else:
        machine.stack.append(machine.new(cls, args))


def _newobj_ex(machine: Machine) -> None:
    machine.use()
    machine.use()
    machine.stack.append(machine.new(machine.use(), UNKNOWN))


def _obj(machine: Machine) -> None:
    items = machine.use_mark()
    if not items:
        raise Fault("it takes from an empty stack")
    machine.stack.append(machine.call(items[0], tuple(items[1:])))


def _inst(machine: Machine) -> None:
    module = text(machine.reader.line(), "ascii")
    machine.find(module, text(machine.reader.line(), "ascii"))
    cls = machine.pop()
    machine.stack.append(machine.call(cls, tuple(machine.use_mark())))


def _build(machine: Machine) -> None:
    state, target = machine.use(), machine.top()
    if type(target) is Wrapper:
        array = Instance(Global("numpy", "ndarray"), "array", built=True)
        machine.stack[-1] = array
        _array(machine, state)
    elif isinstance(target, Global):
        raise Fault("it sets attributes on a class or a function")
    else:
        machine.build(target, state)
    if type(target) is Instance and type(state) is Mapping:
        version = state.items.get("_sklearn_version")
        if type(version) is str:
            machine.trace.versions["scikit-learn"] = version


def _array(machine: Machine, state: Any) -> None:
    reader = machine.reader
    if machine.nested or reader.in_frame:
        raise Fault("an array's bytes are not where joblib writes them")
    machine.trace.wrappers += 1
    found = payload(state)
    if found.nested:
        reader.end_pickle()
        run(Machine(reader, machine.trace, nested=True))
        return
    if found.alignment is not None:
        padding = machine.number(1)
        if padding > found.alignment or reader.take(padding).strip(b"\xff"):
            raise Fault("an array's padding is not what joblib writes")
    reader.skip(found.size)


def _put(machine: Machine) -> None:
    machine.remember(_index(machine))


def _index(machine: Machine) -> int:
    raw = machine.reader.line()
    if raw is None or not raw.isdigit() or len(raw) > 18:
        raise Fault("a memo index is no number")
    return int(raw)


def _recall(machine: Machine, key: int) -> None:
    if key not in machine.memo:
        raise Fault(f"it recalls value {key}, which it never made")
    machine.recall(machine.memo[key])


def _tuple(machine: Machine) -> None:
    _push_tuple(machine, machine.pop_mark())


def _short_tuple(size: int) -> Handler:
    def handler(machine: Machine) -> None:
        items = [machine.pop() for _ in range(size)]
        _push_tuple(machine, items[::-1])

    return handler


def _push_tuple(machine: Machine, items: list[Any]) -> None:
    if len(items) == 3 and type(items[0]) is WrapperClass:
        machine.stack.append(WrapperArgs(machine.checked(items[1:], items)))
    else:
        machine.checked(items, items)
        machine.stack.append(machine.pack(items))


def _list(machine: Machine) -> None:
    made = machine.listing(machine.use_mark())
    machine.stack.append(made)


def _frozenset(machine: Machine) -> None:
    machine.hashed(machine.use_mark())
    machine.stack.append(_FROZENSET)


def _dict(machine: Machine) -> None:
    made = machine.mapping()
    _fill(machine, made, machine.use_mark())
    machine.stack.append(made)


def _fill(machine: Machine, target: Any, items: list[Any]) -> None:
    if len(items) % 2:
        raise Fault("a dict has a key without a value")
    keys, values = items[::2], items[1::2]
    machine.filled("set an item", target)
    machine.hashed(keys)
    machine.stored([v for k, v in zip(keys, values, strict=True) if not _names_array(k, v)])
    if type(target) is Mapping:
        for key, value in zip(keys, values, strict=True):
            target.put(key, value)
    elif SYMBOLS.role(target) == "bunch":
        _fill_bunch(machine, dict(zip(keys, values, strict=True)))


def _names_array(key: Any, value: Any) -> bool:
    """Whether it is the entry in which joblib stores an array's class."""
    return key == "subclass" and type(value) is Global and value.dotted in _SUBCLASSES


def _fill_bunch(machine: Machine, entries: dict[Any, Any]) -> None:
    """A `Bunch` shows its keys as attributes."""
    try:
        if any(type(key) is not str for key in entries):
            raise Refused("has a Bunch with a key that is no plain name")
        check_attributes(entries, SYMBOLS, methods().__contains__)
    except Refused as refused:
        machine.forbid(refused)


def _setitem(machine: Machine) -> None:
    value, key = machine.use(), machine.use()
    _fill(machine, _target(machine), [key, value])


def _setitems(machine: Machine) -> None:
    items = machine.use_mark()
    _fill(machine, _target(machine), items)


def _append(machine: Machine) -> None:
    _extend(machine, [machine.use()])


def _appends(machine: Machine) -> None:
    _extend(machine, machine.use_mark())


def _extend(machine: Machine, values: list[Any]) -> None:
    target = _target(machine)
    machine.filled("append", target)
    machine.stored(values)
    if type(target) is Listing:
        target.put(values)


def _additems(machine: Machine) -> None:
    values = machine.use_mark()
    machine.filled("add", _target(machine))
    machine.hashed(values)


def _target(machine: Machine) -> Any:
    return machine.checked([machine.top()], machine.top())


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _pop_mark(machine: Machine) -> None:
    machine.pop_mark()


def _persistent(machine: Machine) -> None:
    machine.stack.append(machine.storage(machine.pop()))


def _persistent_text(machine: Machine) -> None:
    raise Fault("it holds a persistent id, which neither pickle.load nor joblib.load can follow")


def _buffer(machine: Machine) -> None:
    raise Fault("part of its data is outside of the file (out-of-band buffers)")


def _readonly(machine: Machine) -> None:
    value = machine.use()
    machine.stack.append(BYTES if value is BYTES else _BUFFER)


HANDLERS: dict[bytes, Handler] = {
    **LITERALS,
    pickle.EMPTY_DICT: lambda machine: machine.stack.append(machine.mapping()),
    pickle.EMPTY_LIST: lambda machine: machine.stack.append(machine.listing([])),
    pickle.NEXT_BUFFER: _buffer,
    pickle.READONLY_BUFFER: _readonly,
    pickle.PROTO: _proto,
    pickle.FRAME: lambda machine: machine.reader.enter_frame(machine.number(8)),
    pickle.GLOBAL: _global,
    pickle.STACK_GLOBAL: _stack_global,
    pickle.EXT1: _extension(1),
    pickle.EXT2: _extension(2),
    pickle.EXT4: _extension(4),
    pickle.REDUCE: _reduce,
    pickle.NEWOBJ: _newobj,
    pickle.NEWOBJ_EX: _newobj_ex,
    pickle.OBJ: _obj,
    pickle.INST: _inst,
    pickle.BUILD: _build,
    pickle.PUT: _put,
    pickle.BINPUT: lambda machine: machine.remember(machine.number(1)),
    pickle.LONG_BINPUT: lambda machine: machine.remember(machine.number(4)),
    pickle.MEMOIZE: lambda machine: machine.remember(len(machine.memo)),
    pickle.GET: lambda machine: _recall(machine, _index(machine)),
    pickle.BINGET: lambda machine: _recall(machine, machine.number(1)),
    pickle.LONG_BINGET: lambda machine: _recall(machine, machine.number(4)),
    pickle.DUP: lambda machine: machine.recall(machine.top()),
    pickle.POP: _pop,
    pickle.POP_MARK: _pop_mark,
    pickle.MARK: Machine.mark,
    pickle.TUPLE: _tuple,
    pickle.TUPLE1: _short_tuple(1),
    pickle.TUPLE2: _short_tuple(2),
    pickle.TUPLE3: _short_tuple(3),
    pickle.LIST: _list,
    pickle.FROZENSET: _frozenset,
    pickle.DICT: _dict,
    pickle.SETITEM: _setitem,
    pickle.SETITEMS: _setitems,
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.ADDITEMS: _additems,
    pickle.PERSID: _persistent_text,
    pickle.BINPERSID: _persistent,
}
