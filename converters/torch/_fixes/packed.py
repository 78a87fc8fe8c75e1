"""Packed sequences: `pack_padded_sequence`, a recurrent layer, `pad_packed_sequence`, by lengths that are an input.

What is packed stays padded while a program is recorded: its steps as rows, `[steps * batch, features]`.
A layer over it is one operator of ours, which becomes ONNX's with `sequence_lens`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Callable

from .fix import Fix

NAME = "mlpack::recurrent"
_KINDS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn_tanh": (0,), "rnn_relu": (0,)}
"""By kind, torch's gates in ONNX's order."""


@cache
def operator() -> Any:
    """Our operator over padded steps with their lengths: in Python it packs, as the user's module does."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    def run(
        x: torch.Tensor,
        lengths: torch.Tensor,
        states: list[torch.Tensor],
        params: list[torch.Tensor],
        kind: str,
        has_biases: bool,
        layers: int,
        bidirectional: bool,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        packed = pack_padded_sequence(x, lengths)
        hx = states if kind == "lstm" else states[0]
        layer = getattr(torch._VF, kind)
        data, *last = layer(packed.data, packed.batch_sizes, hx, params, has_biases, layers, 0.0, False, bidirectional)
        again = torch.nn.utils.rnn.PackedSequence(data, packed.batch_sizes)
        out = pad_packed_sequence(again, total_length=x.shape[0])[0]
        return out, last[0].clone(), (last[1] if kind == "lstm" else last[0]).clone()

    def shapes(
        x: Any, lengths: Any, states: Any, params: Any, kind: str, has_biases: bool, layers: int, bidirectional: bool
    ) -> Any:
        out = x.new_empty((x.shape[0], x.shape[1], states[0].shape[2] * (2 if bidirectional else 1)))
        return out, torch.empty_like(states[0]), torch.empty_like(states[-1])

    schema = (
        "(Tensor x, Tensor lengths, Tensor[] states, Tensor[] params, str kind, bool has_biases, int layers, "
        "bool bidirectional) -> (Tensor, Tensor, Tensor)"
    )
    made = torch.library.custom_op(NAME, run, mutates_args=(), schema=schema)
    made.register_fake(shapes)
    return torch.ops.mlpack.recurrent.default


@contextmanager
def packed_as_padded() -> Iterator[None]:
    """While a program is recorded, packed sequences stay padded."""
    import torch

    operator()
    with ExitStack() as stack:
        for layer in (torch.nn.RNNBase, torch.nn.LSTM):
            stack.callback(setattr, layer, "check_forward_args", layer.check_forward_args)
            layer.check_forward_args = _checked(layer.check_forward_args)  # type: ignore[method-assign, unused-ignore]
        stack.enter_context(_mode())
        yield


def _checked(check: Any) -> Any:
    """The layer's own check, unless its input is packed: it counts rows of another kind then."""

    def run(self: Any, x: Any, hidden: Any, batch_sizes: Any) -> None:
        if batch_sizes is None:
            check(self, x, hidden, batch_sizes)

    return run


@dataclass
class _Packs:
    """What was packed: by the identity of the lengths, these, the steps, and the longest."""

    held: dict[int, tuple[Any, Any]] = field(default_factory=dict)
    longest: dict[int, Any] = field(default_factory=dict)

    def steps(self, lengths: Any) -> Any:
        """How many steps the padded tensor has; None: these are no lengths of a pack."""
        found = self.held.get(id(lengths))
        return None if found is None else found[1]

    def pack(self, x: Any, lengths: Any, batch_first: bool) -> Any:
        """The rows of the padded steps, and lengths of their own identity."""
        x = x.transpose(0, 1) if batch_first else x
        own = lengths.clone()
        self.held[id(own)] = (own, x.shape[0])
        return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), own

    def most(self, lengths: Any) -> Any:
        """The longest length, a size that the values decide."""
        import torch

        if id(lengths) not in self.longest:
            size = lengths.max().item()
            torch._check(size >= 0)
            torch._check(size <= self.steps(lengths))
            self.longest[id(lengths)] = size
        return self.longest[id(lengths)]

    def layer(self, kind: str, rows: Any, lengths: Any, hx: Any, params: Any, has_biases: bool, *rest: Any) -> Any:
        """The layer over the padded steps, its answer as rows again."""
        layers, _dropout, _train, bidirectional = rest
        states = list(hx) if kind == "lstm" else [hx]
        x = rows.reshape(self.steps(lengths), lengths.shape[0], rows.shape[-1])
        out, *last = operator()(x, lengths, states, list(params), kind, has_biases, layers, bidirectional)
        flat = out.reshape(rows.shape[0], out.shape[-1])
        return (flat, *last) if kind == "lstm" else (flat, last[0])

    def pad(self, rows: Any, lengths: Any, batch_first: bool, value: float, size: Any) -> Any:
        """The padded tensor, the value given behind each end, cut at the longest where no size was given."""
        import torch

        steps = self.steps(lengths)
        x = rows.reshape(steps, lengths.shape[0], *rows.shape[1:])
        real = torch.arange(steps).reshape(-1, 1) < lengths
        real = real.reshape(*real.shape, *[1] * (x.dim() - 2))
        x = torch.where(real, x, torch.full((), value, dtype=x.dtype))
        x = x.narrow(0, 0, size) if size is self.longest.get(id(lengths)) else x
        return (x.transpose(0, 1) if batch_first else x), lengths.clone()


def _mode() -> Any:
    import torch
    from torch.overrides import TorchFunctionMode

    packs = _Packs()

    class Packed(TorchFunctionMode):  # type: ignore[misc, unused-ignore]
        """Sees every call of torch."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = getattr(func, "__name__", "")
            if name == "_pack_padded_sequence":
                return packs.pack(*args)
            if name == "_pad_packed_sequence" and packs.steps(args[1]) is not None:
                return packs.pad(*args)
            if len(args) > 1 and packs.steps(args[1]) is not None and name in _KINDS:
                return packs.layer(name, *args)
            if args and isinstance(args[0], torch.Tensor) and packs.steps(args[0]) is not None:
                if name == "__getitem__" and args[1] == 0:
                    return args[0].shape[0]
                if name == "size" and args[1:] == (0,):
                    return packs.most(args[0])
            return func(*args, **(kwargs or {}))

    return Packed()


def _form(
    x: Any,
    lengths: Any,
    states: Any,
    params: Any,
    kind: str,
    has_biases: bool,
    layers: int,
    bidirectional: bool,
) -> Any:
    def run(x: Any, place: int, own: Sequence[Any], backwards: bool) -> Any:
        return onnx_layer(kind, x, lengths, [s[place] for s in states], own, backwards)

    out, *ends = layer_by_layer(run, x, params, layers, bidirectional)
    return out, ends[0], ends[-1].clone()


def layer_by_layer(run: Callable[..., Any], x: Any, params: Sequence[Any], layers: int, bidirectional: bool) -> Any:
    """The output of a stack of layers over steps `[steps, batch, features]`, and the last states of all of them.

    `run(x, place, parameters, backwards)` gives the steps of one layer in one way, and its last states.
    """
    import torch

    ways = 2 if bidirectional else 1
    width = len(params) // (layers * ways)
    last = []
    for layer in range(layers):
        outs = []
        for way in range(ways):
            place = layer * ways + way
            out, *ends = run(x, place, params[place * width : (place + 1) * width], bool(way))
            outs.append(out)
            last.append(ends)
        x = torch.cat(outs, -1) if ways == 2 else outs[0]
    return (x, *map(torch.stack, zip(*last)))


def onnx_layer(kind: str, x: Any, lengths: Any, states: Sequence[Any], params: Sequence[Any], backwards: bool) -> Any:
    """One layer, one way, by ONNX's operator: its steps and last states. `lengths`: None: all steps of all rows."""
    import torch

    first, recurrent, *biases = params
    size = states[0].size(-1)
    weights = [_ordered(kind, each).unsqueeze(0) for each in (first, recurrent)]
    bias = torch.cat([_ordered(kind, each) for each in biases]) if biases else x.new_zeros((2 * first.size(0),))
    attributes: dict[str, Any] = {"hidden_size": size, "direction": "reverse" if backwards else "forward"}
    if kind == "gru":
        attributes["linear_before_reset"] = 1
    if kind.startswith("rnn"):
        attributes["activations"] = [kind[4:].capitalize()]
    ends = [[1, x.size(1), size]] * len(states)
    out, *last = torch.onnx.ops.symbolic_multi_out(
        {"lstm": "LSTM", "gru": "GRU"}.get(kind, "RNN"),
        [
            x,
            *weights,
            bias.unsqueeze(0),
            None if lengths is None else lengths.to(torch.int32),
            *(each.unsqueeze(0) for each in states),
        ],
        attributes,
        dtypes=(x.dtype,) * (1 + len(states)),
        shapes=([x.size(0), 1, x.size(1), size], *ends),
    )
    return (out.squeeze(1), *(each.squeeze(0) for each in last))


def _ordered(kind: str, weight: Any) -> Any:
    import torch

    parts = weight.chunk(len(_GATES[kind]), 0)
    return weight if len(parts) == 1 else torch.cat([parts[place] for place in _GATES[kind]])


PACKED = Fix(
    "packed sequences",
    requires="pack_padded_sequence with lengths that are a tensor, one layer without projection, pad_packed_sequence",
    ensures="steps behind an end change nothing, and answer the padding value",
    forms={NAME: _form},
)
