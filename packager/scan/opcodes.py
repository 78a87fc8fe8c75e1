"""What each pickle instruction does to the symbolic machine, and the loop that runs them."""

from __future__ import annotations

import pickle
from typing import Any

from .arrays import Dtype, build_dtype, payload
from .literals import LIST, LITERALS, Handler, text
from .machine import OPCODE_LIMIT, Machine
from .values import UNKNOWN, Fault, Global, Instance, Mapping, Wrapper, WrapperArgs, WrapperClass

_FROZENSET = Instance(Global("builtins", "frozenset"))
_NDARRAY = Instance(Global("numpy", "ndarray"))
_DTYPE = Global("numpy", "dtype")


def run(machine: Machine) -> Any:
    """What the pickle's value is, as far as it is known. Raises `Fault`."""
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
    return machine.use()


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
        machine.stack.append(machine.call(cls, args))


def _newobj_ex(machine: Machine) -> None:
    machine.use()
    machine.use()
    cls = machine.use()
    machine.stack.append(Dtype("", None) if cls == _DTYPE else machine.call(cls, UNKNOWN))


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
        machine.stack[-1] = _NDARRAY
        _array(machine, state)
    elif type(target) is Dtype:
        build_dtype(target, state)
    elif isinstance(target, Global):
        raise Fault("it sets attributes on a class or a function")
    elif type(target) is Instance and type(state) is Mapping:
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


def _collect(value: Any) -> Handler:
    def handler(machine: Machine) -> None:
        machine.use_mark()
        machine.stack.append(value)

    return handler


def _dict(machine: Machine) -> None:
    made = machine.mapping()
    _fill(made, machine.use_mark())
    machine.stack.append(made)


def _fill(target: Any, items: list[Any]) -> None:
    if type(target) is Mapping:
        if len(items) % 2:
            raise Fault("a dict has a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target.put(key, value)


def _setitem(machine: Machine) -> None:
    value, key = machine.use(), machine.use()
    _fill(_target(machine), [key, value])


def _setitems(machine: Machine) -> None:
    items = machine.use_mark()
    _fill(_target(machine), items)


def _append(machine: Machine) -> None:
    machine.use()
    _target(machine)


def _appends(machine: Machine) -> None:
    machine.use_mark()
    _target(machine)


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
    raise Fault("it holds a persistent id, which neither pickle.load nor joblib.load can follow")


def _buffer(machine: Machine) -> None:
    raise Fault("part of its data is outside of the file (out-of-band buffers)")


def _readonly(machine: Machine) -> None:
    machine.use()
    machine.stack.append(UNKNOWN)


HANDLERS: dict[bytes, Handler] = {
    **LITERALS,
    pickle.EMPTY_DICT: lambda machine: machine.stack.append(machine.mapping()),
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
    pickle.LIST: _collect(LIST),
    pickle.FROZENSET: _collect(_FROZENSET),
    pickle.DICT: _dict,
    pickle.SETITEM: _setitem,
    pickle.SETITEMS: _setitems,
    pickle.APPEND: _append,
    pickle.APPENDS: _appends,
    pickle.ADDITEMS: _appends,
    pickle.PERSID: _persistent,
    pickle.BINPERSID: _persistent,
}
