"""Convolution, its transpose, and the inner product."""

from __future__ import annotations

from math import prod

from ..building import Known, Site, Size, Value, pair_of, shown


def _window(site: Site) -> tuple[int, int, int, dict[str, list[int]], bool]:
    """Outputs, groups and so on of a convolution, as ONNX takes them."""
    fields = site.layer.parameters.of("convolution_param")
    kernel = pair_of(site, fields, "kernel_size", None, "kernel", 1)
    stride = pair_of(site, fields, "stride", 1, least=1)
    pad = pair_of(site, fields, "pad", 0)
    dilation = pair_of(site, fields, "dilation", 1, least=1)
    count, group = fields.integer("num_output", least=1), fields.integer("group", 1, 1)
    bias = fields.flag("bias_term", True)
    if fields.integer("axis", 1, -8) not in (1, -3):
        raise site.refused("has its channels on another axis than 1, which images have not")
    fields.check_all_read()
    settings = {"kernel_shape": kernel, "strides": stride, "pads": (*pad, *pad), "dilations": dilation}
    return count, group, kernel[0] * kernel[1], {name: list(value) for name, value in settings.items()}, bias


def _channels(site: Site, value: Value, count: int, group: int) -> int:
    channels = value.shape[1]
    if channels is None or channels % group or count % group:
        raise site.refused(f"has {group} groups, which divide neither {channels} channels nor {count} outputs evenly")
    return channels


def convolution(site: Site) -> list[Value]:
    """Each window of the input with the filters of its group."""
    x = site.bottom(4)
    count, group, _, settings, bias = _window(site)
    channels = _channels(site, x, count, group)
    shape = (count, channels // group, *settings["kernel_shape"])
    weights = [site.const(site.array(0, shape, "filters"))]
    if bias:
        weights.append(site.const(site.array(1, (count,), "biases")))
    site.has_no_more(len(weights))
    sizes = [_out(x.shape[2 + at], settings, at) for at in (0, 1)]
    name = site.op("Conv", x.name, *weights, group=group, **settings)
    return [Value(name, site.checked((x.shape[0], count, *sizes)))]


def _out(size: Size, settings: dict[str, list[int]], at: int) -> Size:
    if size is None:
        return None
    reach = settings["dilations"][at] * (settings["kernel_shape"][at] - 1) + 1
    return (size + 2 * settings["pads"][at] - reach) // settings["strides"][at] + 1


def deconvolution(site: Site) -> list[Value]:
    """The transpose of a convolution."""
    x = site.bottom(4)
    count, group, _, settings, bias = _window(site)
    channels = _channels(site, x, count, group)
    if settings["dilations"] != [1, 1]:
        raise site.refused("is a deconvolution with dilation, which OpenCV computes as if it had none")
    if any(pad >= size for pad, size in zip(settings["pads"], settings["kernel_shape"])):
        # found with glibc's malloc checks: 4.14 writes beyond its buffer there
        raise site.refused("has a pad that is no smaller than its kernel, on which OpenCV fails: put a Crop behind it")
    shape = (channels, count // group, *settings["kernel_shape"])
    weights = [site.const(site.array(0, shape, "filters"))]
    if bias:
        weights.append(site.const(site.array(1, (count,), "biases")))
    site.has_no_more(len(weights))
    sizes = [_grown(x.shape[2 + at], settings, at) for at in (0, 1)]
    name = site.op("ConvTranspose", x.name, *weights, group=group, **settings)
    return [Value(name, site.checked((x.shape[0], count, *sizes)))]


def _grown(size: Size, settings: dict[str, list[int]], at: int) -> Size:
    if size is None:
        return None
    reach = settings["dilations"][at] * (settings["kernel_shape"][at] - 1) + 1
    return settings["strides"][at] * (size - 1) + reach - 2 * settings["pads"][at]


def inner_product(site: Site) -> list[Value]:
    """All numbers from an axis on, times a matrix."""
    x = site.bottom()
    fields = site.layer.parameters.of("inner_product_param")
    count, bias = fields.integer("num_output", least=1), fields.flag("bias_term", True)
    axis, across = site.axis(x, fields.integer("axis", 1, -32)), fields.flag("transpose", False)
    fields.check_all_read()
    if across:
        raise site.refused("has a transposed matrix, which OpenCV takes as it is: transpose the weights (net surgery)")
    if axis == 0:
        raise site.refused("joins the images of a batch (axis 0), so no answer is that of one image")
    width = prod(site.known(x, axis, "the size of its input"))
    matrix = site.array(0, (count, width), "a matrix")
    biases = [site.const(site.array(1, (count,), "biases"))] if bias else []
    site.has_no_more(1 + len(biases))
    shape = site.checked((*x.shape[:axis], count))
    if axis == 1:
        flat = site.op("Flatten", x.name, axis=1)
        return [Value(site.op("Gemm", flat, site.const(matrix), *biases, transB=1), shape)]
    if any(size is None for size in x.shape[1:axis]):
        raise site.refused(f"has free sizes before its axis {axis} ({shown(x.shape)}): leave caffe.size out")
    flat = site.reshaped(x, (*x.shape[:axis], width), copied=axis).name
    found = site.op("MatMul", flat, site.const(matrix.T))
    return [Value(site.op("Add", found, *biases) if bias else found, shape)]


KNOWN: Known = {"Convolution": convolution, "Deconvolution": deconvolution, "InnerProduct": inner_product}
