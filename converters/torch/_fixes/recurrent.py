"""Recurrent layers: plain ones, which the exporter unrolls, and LSTM with a projection, which ONNX does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Callable

from .fix import Fix
from .packed import layer_by_layer, onnx_layer

_LAYERS = ("lstm.input", "gru.input", "rnn_tanh.input", "rnn_relu.input")


@contextmanager
def kept_whole() -> Iterator[None]:
    """While a program is recorded, a recurrent layer is one operator of which the shapes alone matter.

    torch would run its steps one by one, and so fix their number.
    """
    import torch
    from torch._decomp import decomposition_table

    composite = torch._C.DispatchKey.CompositeImplicitAutograd
    with ExitStack() as stack:
        for name in _LAYERS:
            packet, _, overload = name.partition(".")
            operator = getattr(getattr(torch.ops.aten, packet), overload)
            kernels = operator.py_kernels
            stack.callback(_restored, kernels, composite, kernels.get(composite))
            kernels[composite] = _shapes_alone
            stack.callback(_restored, decomposition_table, operator, decomposition_table.get(operator))
            decomposition_table[operator] = _shapes_alone
            operator._dispatch_cache.clear()
            stack.callback(operator._dispatch_cache.clear)
        yield


def _restored(kernels: Any, key: Any, before: Any) -> None:
    if before is None:
        kernels.pop(key, None)
    else:
        kernels[key] = before


def _shapes_alone(
    x: Any,
    hx: Any,
    params: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    states = list(hx) if isinstance(hx, (list, tuple)) else [hx]
    out = x.new_empty((x.size(0), x.size(1), states[0].size(2) * (2 if bidirectional else 1)))
    return (out, *(each.clone() for each in states))


def _plain(kind: str) -> Any:
    """The form of a plain recurrent layer: one ONNX operator per layer and way."""

    def form(
        x: Any,
        hx: Any,
        params: Any,
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        def run(x: Any, place: int, own: Sequence[Any], backwards: bool) -> Any:
            return onnx_layer(kind, x, None, [hx[place]], own, backwards)

        return _steps_first(run, x, params, num_layers, bidirectional, batch_first)

    return form


def _lstm(
    x: Any,
    hx: Any,
    params: Any,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    """Layer by layer with `_projected`; as it is where there is no projection."""
    hidden, cell = hx
    if str(hidden.size(2)) == str(cell.size(2)):
        return NotImplemented

    def run(x: Any, place: int, own: Sequence[Any], backwards: bool) -> Any:
        return _projected(x, hidden[place], cell[place], own, has_biases, backwards)

    return _steps_first(run, x, params, num_layers, bidirectional, batch_first)


def _steps_first(
    run: Callable[..., Any], x: Any, params: Sequence[Any], layers: int, bidirectional: bool, batch_first: bool
) -> Any:
    """`layer_by_layer` of a layer that may have its batch first."""
    x = x.transpose(0, 1) if batch_first else x
    out, *last = layer_by_layer(run, x, params, layers, bidirectional)
    return (out.transpose(0, 1) if batch_first else out, *last)


def _projected(x: Any, hidden: Any, cell: Any, params: Any, has_biases: bool, backwards: bool) -> Any:
    """One layer, one way: an LSTM without projection whose recurrent weights hold it.

    What is projected enters the next step by `recurrent @ projection`. The first step has no such past: the hidden
    state that was given enters it as further features of the input, which are 0 in all other steps.
    """
    import torch

    first, recurrent, *biases, projection = params
    x = x.flip(0) if backwards else x
    steps = torch.arange(x.size(0)).reshape(-1, 1, 1)
    past = torch.where(steps == 0, hidden.unsqueeze(0), torch.zeros((), dtype=x.dtype))
    wide = torch.cat([x, past], -1)
    weights = [torch.cat([first, recurrent], 1), recurrent @ projection, *biases]
    empty = torch.zeros_like(cell).unsqueeze(0)
    inner, h, c = torch.ops.aten.lstm.input(
        wide, [empty, cell.unsqueeze(0)], weights, has_biases, 1, 0.0, False, False, False
    )
    out = inner @ projection.t()
    out = out.flip(0) if backwards else out
    return out, (h @ projection.t()).squeeze(0), c.squeeze(0)


RECURRENT = Fix(
    "recurrent layers",
    requires="nn.LSTM with proj_size, nn.RNN",
    ensures="the same states, by ONNX's LSTM without a projection and its RNN, at every length",
    forms={
        "aten::lstm.input": _lstm,
        "aten::rnn_tanh.input": _plain("rnn_tanh"),
        "aten::rnn_relu.input": _plain("rnn_relu"),
    },
)
