"""Pooling: Caffe rounds the number of windows up, and leaves out one that would begin in the padding."""

from __future__ import annotations

from dataclasses import dataclass

from ...spec import Unreadable
from ..building import Known, Site, Size, Value, pair_of
from ..parameters import Fields

MAX, AVE, STOCHASTIC = METHODS = ("MAX", "AVE", "STOCHASTIC")


@dataclass(frozen=True)
class Window:
    """The windows along one axis."""

    kernel: int
    stride: int
    pad: int

    def out(self, size: int) -> int:
        """How many windows an axis of that size has."""
        found = -(-(size + 2 * self.pad - self.kernel) // self.stride) + 1
        if self.pad and (found - 1) * self.stride >= size + self.pad:
            found -= 1
        return found

    def more(self, size: int) -> int:
        """Cells that the last window needs beyond the padding; 0 where it needs none."""
        return max(0, (self.out(size) - 1) * self.stride + self.kernel - size - 2 * self.pad)


def pooling(site: Site) -> list[Value]:
    """The largest number of each window, or the average."""
    x = site.bottom(4)
    fields = site.layer.parameters.of("pooling_param")
    method = fields.word("pool", MAX, METHODS)
    if method == STOCHASTIC:
        raise site.refused("pools at random (STOCHASTIC), so no graph answers as it does: train with MAX or AVE")
    if fields.flag("global_pooling", False):
        return _whole_image(site, x, method)
    kernel = pair_of(site, fields, "kernel_size", None, "kernel", 1)
    stride, pad = pair_of(site, fields, "stride", 1, least=1), pair_of(site, fields, "pad", 0)
    _check_rounding(site, fields)
    fields.check_all_read()
    windows = [Window(*each) for each in zip(kernel, stride, pad)]
    if any(each.pad >= each.kernel for each in windows):
        raise Unreadable(f"{site.layer} has a pad that is no smaller than its kernel, which Caffe refuses: mend it")
    sizes = [_out(site, each, size) for each, size in zip(windows, x.shape[2:])]
    name = _largest(site, x, windows) if method == MAX else _average(site, x, windows)
    return [Value(name, site.checked((*x.shape[:2], *sizes)))]


def _whole_image(site: Site, x: Value, method: str) -> list[Value]:
    fields = site.layer.parameters.of("pooling_param")
    if any(fields.has(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise Unreadable(f"{site.layer} has a kernel and global_pooling, of which Caffe takes one: remove the kernel")
    fields.word("pool", MAX, METHODS), fields.flag("global_pooling", False)
    if any(n > 1 for n in (*fields.integers("stride"), *fields.integers("stride_h"), *fields.integers("stride_w"))):
        raise Unreadable(f"{site.layer} has a stride and global_pooling, of which Caffe takes one: remove the stride")
    if any((*fields.integers("pad"), *fields.integers("pad_h"), *fields.integers("pad_w"))):
        raise Unreadable(f"{site.layer} has a pad and global_pooling, of which Caffe takes one: remove the pad")
    _check_rounding(site, fields)
    fields.check_all_read()
    kind = "GlobalMaxPool" if method == MAX else "GlobalAveragePool"
    return [Value(site.op(kind, x.name), (*x.shape[:2], 1, 1))]


def _check_rounding(site: Site, fields: Fields) -> None:
    if fields.has("round_mode"):
        raise site.refused(
            "sets round_mode, which OpenCV does not read: remove it, or pool with sizes that fit exactly"
        )


def _out(site: Site, window: Window, size: Size) -> Size:
    if size is None:
        if window.stride > window.kernel:
            raise site.refused("leaves gaps between windows, of which the last may hold nothing: leave caffe.size out")
        return None
    found = window.out(size)
    if found > 0 and (found - 1) * window.stride - window.pad >= size:
        raise site.refused(
            "has a window that holds no cell of the image, for which Caffe has no answer: mend its sizes"
        )
    return found


def _largest(site: Site, x: Value, windows: list[Window]) -> str:
    """Outside of the image nothing is larger than what is in it."""
    if any(size is None for size in x.shape[2:]):
        padded, _ = _padded_freely(site, x, windows, -float("inf"))
        return site.op("MaxPool", padded, **_settings(windows, [0] * 4))
    pads = [each.pad for each in windows], [each.pad + each.more(size) for each, size in _sized(x, windows)]
    if all(end < each.kernel for end, each in zip(pads[1], windows)):
        return site.op("MaxPool", x.name, **_settings(windows, [*pads[0], *pads[1]]))
    padded = _pad(site, x.name, [*pads[0]], [*pads[1]], -float("inf"))
    return site.op("MaxPool", padded, **_settings(windows, [0] * 4))


def _average(site: Site, x: Value, windows: list[Window]) -> str:
    """The padding counts as zeros, and what is beyond it does not count."""
    if any(size is None for size in x.shape[2:]):
        padded, counted = _padded_freely(site, x, windows, 0.0)
        sums = site.op("AveragePool", padded, **_settings(windows, [0] * 4), count_include_pad=1)
        shares = site.op("AveragePool", counted, **_settings(windows, [0] * 4), count_include_pad=1)
        return site.op("Div", sums, shares)
    pads, more = [each.pad for each in windows], [each.more(size) for each, size in _sized(x, windows)]
    if not any(more):
        return site.op("AveragePool", x.name, **_settings(windows, pads * 2), count_include_pad=1)
    padded = _pad(site, x.name, pads, pads, 0.0) if any(pads) else x.name
    if all(end < each.kernel for end, each in zip(more, windows)):
        return site.op("AveragePool", padded, **_settings(windows, [0, 0, *more]), count_include_pad=0)
    raise site.refused("has a window that goes beyond the image by its whole length: mend its kernel or its stride")


def _sized(x: Value, windows: list[Window]) -> list[tuple[Window, int]]:
    return [(each, size or 0) for each, size in zip(windows, x.shape[2:])]


def _settings(windows: list[Window], pads: list[int]) -> dict[str, list[int]]:
    kernel, stride = [each.kernel for each in windows], [each.stride for each in windows]
    return {"kernel_shape": kernel, "strides": stride, "pads": pads}


def _pad(site: Site, name: str, begin: list[int], end: list[int], value: float) -> str:
    return site.op("Pad", name, site.whole([0, 0, *begin, 0, 0, *end]), site.scalar(value))


def _padded_freely(site: Site, x: Value, windows: list[Window], fill: float) -> tuple[str, str]:
    """An image of free size as far as its windows reach; and, for averages, 1 where a cell counts."""
    size = site.op("Shape", x.name, start=2, end=4)
    pads = site.whole([each.pad for each in windows])
    more = _more(site, size, windows)
    zeros = site.whole([0, 0])
    both = site.op("Concat", zeros, pads, zeros, site.op("Add", pads, more), axis=0)
    padded = site.op("Pad", x.name, both, site.scalar(fill))
    if fill:
        return padded, ""
    ones = site.op("Expand", site.const([[[[1.0]]]]), site.op("Add", size, site.op("Mul", pads, site.whole([2, 2]))))
    beyond = site.op("Concat", site.whole([0] * 6), more, axis=0)
    return padded, site.op("Pad", ones, beyond, site.scalar(0.0))


def _more(site: Site, size: str, windows: list[Window]) -> str:
    """`Window.more` of both axes of a size that the graph knows, as it does with whole numbers from 0."""
    kernel, stride, pad = (site.whole([getattr(w, k) for w in windows]) for k in ("kernel", "stride", "pad"))
    one = site.whole([1, 1])
    padded = site.op("Add", size, site.op("Mul", pad, site.whole([2, 2])))
    room = site.op("Sub", padded, kernel)
    extra = site.whole([each.stride - 1 for each in windows])
    steps = site.op("Div", site.op("Add", room, extra), stride)
    late = site.op("GreaterOrEqual", site.op("Mul", steps, stride), site.op("Add", size, pad))
    late = site.op("And", late, site.graph.const([each.pad > 0 for each in windows], "bool"))
    steps = site.op("Where", late, site.op("Sub", steps, one), steps)
    needed = site.op("Add", site.op("Mul", steps, stride), kernel)
    return site.op("Max", site.op("Sub", needed, padded), site.whole([0, 0]))


KNOWN: Known = {"Pooling": pooling}
