"""MurmurHash3 of texts, 32 bits, seed 0, in 64-bit integers: scikit-learn's hash function for terms."""

from __future__ import annotations

from collections.abc import Iterable

from ..._graph.builder import GraphBuilder
from .characters import character_cells, numbers_of

_MASK = (1 << 32) - 1
_WORD = 1 << 32
# multiplied as signed numbers, so that no product exceeds 64 bits
_FIRST, _SECOND = 0xCC9E2D51 - _WORD, 0x1B873593
_MIX, _LAST = 0x85EBCA6B - _WORD, 0xC2B2AE35 - _WORD


def hashes(texts: str, letters: Iterable[str], graph: GraphBuilder) -> str:
    """Returns the signed hash of each of the texts `[U]`, which contain only these letters: `int64 [U]`."""
    blocks, length = _blocks(texts, letters, graph)
    mixed = _times(_rotated(_times(blocks, _FIRST, graph), 15, graph), _SECOND, graph)
    state = _through_blocks(mixed, _over(length, 4, graph), graph)
    state = graph.op("BitwiseXor", state, length)
    for shift, factor in ((16, _MIX), (13, _LAST)):
        state = _times(_xor_shifted(state, shift, graph), factor, graph)
    state = _xor_shifted(state, 16, graph)
    high = graph.op("GreaterOrEqual", state, _int(1 << 31, graph))
    return graph.op("Where", high, graph.op("Sub", state, _int(_WORD, graph)), state)


def _blocks(texts: str, letters: Iterable[str], graph: GraphBuilder) -> tuple[str, str]:
    """Returns the UTF-8 bytes in words of four `[U, B]`, the last one zero-padded, and the number of bytes `[U]`."""
    numbers = {c: int.from_bytes(c.encode(), "little") + (len(c.encode()) << 32) for c in letters}
    cells = character_cells(texts, lambda units: numbers_of(units, numbers, graph), graph)
    size = _over(cells, _WORD, graph)
    end = graph.op("CumSum", size, graph.const(1, "int64"))
    start = graph.op("Sub", end, size)
    place = _over(start, 4, graph)
    within = graph.op("Sub", start, graph.op("Mul", place, _int(4, graph)))
    shift = graph.op("Gather", graph.const([1, 1 << 8, 1 << 16, 1 << 24], "int64"), within)
    value = graph.op("Mul", graph.op("BitwiseAnd", cells, _int(_MASK, graph)), shift)
    # as many words as characters are always enough, plus one for the overflow
    blank = graph.op("Mul", graph.op("Pad", cells, graph.const([0, 0, 0, 2], "int64")), _int(0, graph))
    low = _scattered(blank, place, graph.op("BitwiseAnd", value, _int(_MASK, graph)), graph)
    next_place = graph.op("Add", place, _int(1, graph))
    whole = _scattered(low, next_place, _over(value, _WORD, graph), graph)
    length = graph.op("Gather", end, graph.const(-1, "int64"), axis=1)
    most = graph.op("ReduceMax", _over(length, 4, graph), keepdims=0)
    kept = graph.op("Unsqueeze", graph.op("Add", most, graph.const(1, "int64")), graph.const([0], "int64"))
    return graph.op("Slice", whole, graph.const([0], "int64"), kept, graph.const([1], "int64")), length


def _scattered(target: str, place: str, values: str, graph: GraphBuilder) -> str:
    return graph.op("ScatterElements", target, place, values, axis=1, reduction="add")


def _through_blocks(mixed: str, full: str, graph: GraphBuilder) -> str:
    """Returns the state after all words; a text's padding words are zeros, which leave the state unchanged."""
    from onnx import TensorProto, helper

    body = GraphBuilder(graph.real)
    body._taken = graph._taken
    step, going, state = (graph.fresh(f"hash_{n}") for n in ("step", "going", "state"))
    joined = body.op("BitwiseXor", state, body.op("Gather", mixed, step, axis=1))
    turned = body.op("Mul", _rotated(joined, 13, body), body.const(5, "int64"))
    turned = body.op("BitwiseAnd", body.op("Add", turned, body.const(0xE6546B64, "int64")), body.const(_MASK, "int64"))
    after = body.op("Where", body.op("Less", step, full), turned, joined)
    more = body.op("Identity", going)
    kinds = [(step, TensorProto.INT64, []), (going, TensorProto.BOOL, []), (state, TensorProto.INT64, [None])]
    inputs = [helper.make_tensor_value_info(*each) for each in kinds]
    ends = [(more, TensorProto.BOOL, []), (after, TensorProto.INT64, [None])]
    outputs = [helper.make_tensor_value_info(*each) for each in ends]
    inner = helper.make_graph(body._nodes, graph.fresh("hash"), inputs, outputs, body.tensors())
    count = graph.op("Squeeze", graph.op("Shape", mixed, start=1, end=2))
    begin = graph.op("Mul", full, _int(0, graph))
    return graph.op("Loop", count, graph.const(True), begin, body=inner)


def _int(number: int, graph: GraphBuilder) -> str:
    return graph.const(number, "int64")


def _times(value: str, factor: int, graph: GraphBuilder) -> str:
    return graph.op("BitwiseAnd", graph.op("Mul", value, _int(factor, graph)), _int(_MASK, graph))


def _over(value: str, divisor: int, graph: GraphBuilder) -> str:
    return graph.op("Div", value, _int(divisor, graph))


def _rotated(value: str, by: int, graph: GraphBuilder) -> str:
    left = _times(value, 1 << by, graph)
    return graph.op("Add", left, _over(value, 1 << (32 - by), graph))


def _xor_shifted(value: str, by: int, graph: GraphBuilder) -> str:
    return graph.op("BitwiseXor", value, _over(value, 1 << by, graph))
