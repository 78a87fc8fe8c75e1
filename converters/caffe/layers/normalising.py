"""Layers that bring numbers to a common scale."""

from __future__ import annotations

from ...spec import Unreadable
from ..building import LARGEST_STEP, Known, Site, Value

ACROSS, WITHIN = REGIONS = ("ACROSS_CHANNELS", "WITHIN_CHANNEL")


def lrn(site: Site) -> list[Value]:
    """Each number by those around it, in its place over channels or in its channel over places."""
    x = site.bottom(4)
    fields = site.layer.parameters.of("lrn_param")
    size, alpha, beta = fields.integer("local_size", 5, 1), fields.number("alpha", 1.0), fields.number("beta", 0.75)
    region, bias = fields.word("norm_region", ACROSS, REGIONS), fields.number("k", 1.0)
    fields.check_all_read()
    if size > LARGEST_STEP:
        raise Unreadable(f"{site.layer} has the local_size {size}, and no image is so large: mend it")
    if size % 2 == 0:
        raise Unreadable(f"{site.layer} has the even local_size {size}, which Caffe refuses: give an odd one")
    if bias != 1:
        raise site.refused("has a k other than 1, which OpenCV leaves out: there is no original to ask")
    if region == ACROSS:
        return [Value(site.op("LRN", x.name, size=size, alpha=alpha, beta=beta, bias=bias), x.shape)]
    pads = [(size - 1) // 2] * 4
    squares = site.op("Mul", x.name, x.name)
    means = site.op("AveragePool", squares, kernel_shape=[size, size], strides=[1, 1], pads=pads, count_include_pad=1)
    inside = site.op("Add", site.op("Mul", means, site.scalar(alpha)), site.scalar(1.0))
    return [Value(site.op("Mul", x.name, site.op("Pow", inside, site.scalar(-beta))), x.shape)]


def batch_norm(site: Site) -> list[Value]:
    """By means and variances that were learned, both divided by the third blob."""
    import numpy as np

    x = site.bottom()
    fields = site.layer.parameters.of("batch_norm_param")
    eps, learned = fields.number("eps", 1e-5), fields.flag("use_global_stats", True)
    fields.check_all_read("moving_average_fraction")
    if not learned:
        raise site.refused(
            "takes its statistics from the batch at hand (use_global_stats: false), so the answer to an image depends "
            "on the others, and OpenCV takes those of one image: remove the field"
        )
    channels = site.known(x, 1, "the number of channels")[0]
    times = float(site.array(2, (1,), "a factor")[0])
    share = np.float32(1 / times if times else 0)
    means, variances = (
        site.array(place, (channels,), what) * share for place, what in ((0, "means"), (1, "variances"))
    )
    site.has_no_more(3)
    if (variances < 0).any():
        raise Unreadable(f"{site.layer} has a negative variance, which no training gives: the weights are damaged")
    ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    statistics = [site.const(each) for each in (ones, zeros, means, variances)]
    return [Value(site.op("BatchNormalization", x.name, *statistics, epsilon=eps), x.shape)]


def mvn(site: Site) -> list[Value]:
    """By the mean and the deviation of the image itself."""
    import numpy as np

    x = site.bottom(4)
    fields = site.layer.parameters.of("mvn_param")
    variance, across = fields.flag("normalize_variance", True), fields.flag("across_channels", False)
    eps = fields.number("eps", 1e-9)
    fields.check_all_read()
    if eps > 1e-8:
        raise site.refused("has a large eps, which OpenCV adds to the variance and Caffe to the deviation: remove it")
    axes = site.whole(np.array([1, 2, 3] if across else [2, 3], np.int64))
    centred = site.op("Sub", x.name, site.op("ReduceMean", x.name, axes, keepdims=1))
    if not variance:
        return [Value(centred, x.shape)]
    spread = site.op("Sqrt", site.op("ReduceMean", site.op("Mul", centred, centred), axes, keepdims=1))
    return [Value(site.op("Div", centred, site.op("Add", spread, site.scalar(eps))), x.shape)]


def normalize(site: Site) -> list[Value]:
    """By the length of the vector over channels, of one place or of all, then times a learned scale."""
    import numpy as np

    x = site.bottom(4)
    fields = site.layer.parameters.of("norm_param")
    everywhere, shared = fields.flag("across_spatial", True), fields.flag("channel_shared", True)
    eps = fields.number("eps", 1e-10)
    fields.check_all_read()
    channels = site.known(x, 1, "the number of channels")[0]
    count = 1 if shared else channels
    scale = site.array(0, (count,), "scales").reshape(count, 1, 1)
    site.has_no_more(1)
    axes = site.whole(np.array([1, 2, 3] if everywhere else [1], np.int64))
    squares = site.op("ReduceSum", site.op("Mul", x.name, x.name), axes, keepdims=1)
    length = site.op("Sqrt", site.op("Add", squares, site.scalar(eps)))
    return [Value(site.op("Mul", site.op("Div", x.name, length), site.const(scale)), x.shape)]


def softmax(site: Site) -> list[Value]:
    """Shares that sum to 1 along an axis."""
    x = site.bottom()
    fields = site.layer.parameters.of("softmax_param")
    axis = site.axis(x, fields.integer("axis", 1, -32))
    fields.check_all_read()
    return [Value(site.op("Softmax", x.name, axis=axis), x.shape)]


KNOWN: Known = {
    "LRN": lrn,
    "BatchNorm": batch_norm,
    "MVN": mvn,
    "Normalize": normalize,
    "Softmax": softmax,
}
