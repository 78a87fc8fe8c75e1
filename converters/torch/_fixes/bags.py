"""Bags of embeddings: rows of a table that are summed, averaged, or of which the largest numbers count.

torch's exporter loops over the bags. Where each bag is a row of indices, the rows of the table are reduced; where bags
begin at offsets, each row of the table is added to the place of its bag.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .fix import Fix, alike

NAME = "aten::embedding_bag.padding_idx"
_SUM, _MEAN = 0, 1
_FLAT = ("aten.reshape.default", "aten.view.default")


def bags_as_rows(nodes: Iterable[Any]) -> None:
    """Gives bags of one length their indices as rows again, which torch made flat and cut by offsets."""
    for node in nodes:
        if str(node.target) == NAME.replace("::", "."):
            rows = _rows(*node.args[1:3])
            node.args = node.args if rows is None else (node.args[0], rows, *node.args[2:])


def _rows(indices: Any, offsets: Any) -> Any:
    """The node of the indices before they were made flat; None: the offsets do not cut them at these rows."""
    if str(indices.target) not in _FLAT or str(offsets.target) != "aten.arange.start_step":
        return None
    rows, (start, end, step) = indices.args[0], map(_size, offsets.args)
    found = rows.meta["val"]
    fits = found.dim() == 2 and start == 0 and alike(end, found.numel()) and alike(step, found.shape[1])
    return rows if fits else None


def _size(argument: Any) -> Any:
    return getattr(argument, "meta", {}).get("val", argument)


def _bags(
    table: Any,
    indices: Any,
    offsets: Any,
    by_frequency: bool,
    mode: int,
    sparse: bool,
    weights: Any,
    last: bool,
    padding: Any,
) -> Any:
    """The last three answers are for a gradient, which no graph has."""
    real = None if padding is None else indices != padding % table.shape[0]
    rows = table[indices]
    if weights is not None:
        rows = rows * weights.reshape(indices.shape).unsqueeze(-1)
    found = _of_rows(rows, real, mode) if indices.dim() == 2 else _at_offsets(rows, real, offsets, mode, last)
    return found, offsets, offsets, offsets


def _of_rows(rows: Any, real: Any, mode: int) -> Any:
    """Of `[bags, length, width]`. `real`: where nothing is padded; None: everywhere."""
    import torch

    if mode not in (_SUM, _MEAN):
        if real is None:
            return rows.amax(1)
        most = torch.where(real.unsqueeze(-1), rows, torch.full((), -torch.inf, dtype=rows.dtype)).amax(1)
        return torch.where(real.any(1, keepdim=True), most, torch.zeros((), dtype=rows.dtype))
    if real is None:
        return rows.sum(1) if mode == _SUM else rows.mean(1)
    total = torch.where(real.unsqueeze(-1), rows, torch.zeros((), dtype=rows.dtype)).sum(1)
    return total if mode == _SUM else total / real.sum(1, keepdim=True).clamp(min=1).to(rows.dtype)


def _at_offsets(rows: Any, real: Any, offsets: Any, mode: int, last: bool) -> Any:
    """Of `[words, width]`, each added to its bag; what is in none is added to one more, which is cut off.

    `last`: the last offset is an end. Where torch can leave words out, or looks for the largest, it is none to it.
    """
    import torch

    words, cut = rows.shape[0], real is None and mode in (_SUM, _MEAN)
    offsets = _refused(offsets, words, cut)
    begins = offsets.narrow(0, 0, offsets.shape[0] - 1) if last else offsets
    if cut and last:
        real = torch.arange(words) < offsets.narrow(0, begins.shape[0], 1)
    bag = _bag_of_each(begins, words, real)
    if mode not in (_SUM, _MEAN):
        return _largest(rows, bag, begins.shape[0])
    total = _added(rows, bag, begins.shape[0])
    if mode == _SUM:
        return total
    ends = torch.cat([begins, torch.ops.aten.scalar_tensor.default(words, dtype=begins.dtype).reshape(1)])
    sizes = ends.narrow(0, 1, begins.shape[0]) - begins
    if not cut:
        sizes = sizes - _counted(~real, _bag_of_each(begins, words, None), begins.shape[0])
    return total / sizes.clamp(min=1).to(rows.dtype).unsqueeze(-1)


def _refused(offsets: Any, words: Any, ordered: bool) -> Any:
    """The offsets; where torch takes none like them, a place that is not there is read, at which the graph stops."""
    import torch

    least = torch.zeros_like(offsets)
    if ordered:
        least = torch.cat([torch.zeros(1, dtype=offsets.dtype), offsets]).narrow(0, 0, offsets.shape[0])
    first = torch.arange(offsets.shape[0]) == 0
    odd = (offsets < least) | (offsets > words) | (first & (offsets != 0))
    return offsets + torch.zeros(1, dtype=offsets.dtype).index_select(0, odd.any().to(torch.int64).reshape(1))


def _bag_of_each(begins: Any, words: Any, real: Any) -> Any:
    """By word, its bag: how many bags begin up to it, less one; of what is not real the number of bags."""
    import torch

    begun = torch.zeros(words + 1, dtype=begins.dtype).scatter_add(0, begins, torch.ones_like(begins))
    bag = begun.cumsum(0).narrow(0, 0, words) - 1
    none = torch.ops.aten.scalar_tensor.default(begins.shape[0], dtype=begins.dtype)
    return bag if real is None else torch.where(real, bag, none)


def _added(rows: Any, bag: Any, bags: Any) -> Any:
    return rows.new_zeros((bags + 1, rows.shape[1])).scatter_add(0, _wide(bag, rows), rows).narrow(0, 0, bags)


def _counted(chosen: Any, bag: Any, bags: Any) -> Any:
    return bag.new_zeros(bags).scatter_add(0, bag, chosen.to(bag.dtype))


def _largest(rows: Any, bag: Any, bags: Any) -> Any:
    """The largest of each bag; 0 where it has no word."""
    import torch

    start = torch.full((bags + 1, rows.shape[1]), -torch.inf, dtype=rows.dtype)
    inputs, attributes = [start, _wide(bag, rows), rows], {"axis": 0, "reduction": "max"}
    most = torch.onnx.ops.symbolic("ScatterElements", inputs, attributes, dtype=rows.dtype, shape=start.shape)
    count = _counted(torch.ones_like(bag), bag, bags + 1)
    return torch.where(count.unsqueeze(-1) > 0, most, torch.zeros((), dtype=rows.dtype)).narrow(0, 0, bags)


def _wide(bag: Any, rows: Any) -> Any:
    return bag.unsqueeze(-1).expand(rows.shape)


BAGS = Fix(
    "bags of embeddings",
    requires="nn.EmbeddingBag and F.embedding_bag",
    ensures="no loop; an empty bag is 0, what is padded counts nowhere, and offsets that torch refuses stop the graph",
    forms={NAME: _bags},
    prepare=bags_as_rows,
)
