"""Functions of one number at a time."""

from __future__ import annotations

from typing import Callable

from ..building import Known, Site, Value


def _same(site: Site, name: str) -> list[Value]:
    return [Value(name, site.bottom().shape)]


def relu(site: Site) -> list[Value]:
    """max(0, x), or with a slope below 0."""
    fields = site.layer.parameters.of("relu_param")
    slope = fields.number("negative_slope", 0.0)
    fields.check_all_read()
    x = site.bottom().name
    return _same(site, site.op("LeakyRelu", x, alpha=slope) if slope else site.op("Relu", x))


def prelu(site: Site) -> list[Value]:
    """A slope below 0 for each channel, or one for all."""
    x = site.bottom()
    fields = site.layer.parameters.of("prelu_param")
    shared = fields.flag("channel_shared", False)
    fields.check_all_read()
    count = 1 if shared else site.known(x, 1, "the number of channels")[0]
    slopes = site.array(0, (count,), "slopes").reshape((count,) + (1,) * (len(x.shape) - 2))
    site.has_no_more(1)
    return _same(site, site.op("PRelu", x.name, site.const(slopes)))


def _plain(kind: str, message: str = "") -> Callable[[Site], list[Value]]:
    def translate(site: Site) -> list[Value]:
        if message:
            site.layer.parameters.of(message).check_all_read()
        return _same(site, site.op(kind, site.bottom().name))

    return translate


def elu(site: Site) -> list[Value]:
    """x above 0, alpha * (exp(x) - 1) below."""
    fields = site.layer.parameters.of("elu_param")
    alpha = fields.number("alpha", 1.0)
    fields.check_all_read()
    return _same(site, site.op("Elu", site.bottom().name, alpha=alpha))


def bnll(site: Site) -> list[Value]:
    """log(1 + exp(x)), without an overflow where x is large."""
    x = site.bottom().name
    small = site.op("Exp", site.op("Neg", site.op("Abs", x)))
    return _same(site, site.op("Add", site.op("Relu", x), site.op("Log", site.op("Add", small, site.scalar(1.0)))))


def power(site: Site) -> list[Value]:
    """(shift + scale * x) ** power."""
    fields = site.layer.parameters.of("power_param")
    numbers = fields.number("power", 1.0), fields.number("scale", 1.0), fields.number("shift", 0.0)
    fields.check_all_read()
    found = _straight(site, site.bottom().name, numbers[1], numbers[2])
    return _same(site, found if numbers[0] == 1 else site.op("Pow", found, site.scalar(numbers[0])))


def _straight(site: Site, x: str, scale: float, shift: float) -> str:
    """shift + scale * x."""
    found = x if scale == 1 else site.op("Mul", x, site.scalar(scale))
    return found if shift == 0 else site.op("Add", found, site.scalar(shift))


def exponential(site: Site) -> list[Value]:
    """base ** (shift + scale * x), of which the base is e where it is -1."""
    import math

    fields = site.layer.parameters.of("exp_param")
    base, scale, shift = fields.number("base", -1.0), fields.number("scale", 1.0), fields.number("shift", 0.0)
    fields.check_all_read()
    if base != -1 and base <= 0:
        raise site.refused(f"has the base {base:g}, and it is -1 (for e) or above 0")
    times = 1.0 if base == -1 else math.log(base)
    return _same(site, site.op("Exp", _straight(site, site.bottom().name, scale * times, shift * times)))


def logarithm(site: Site) -> list[Value]:
    """The natural logarithm; OpenCV's layer knows no other."""
    fields = site.layer.parameters.of("log_param")
    given = fields.number("base", -1.0), fields.number("scale", 1.0), fields.number("shift", 0.0)
    fields.check_all_read()
    if given != (-1.0, 1.0, 0.0):
        raise site.refused(
            "has a base, a scale or a shift, which OpenCV leaves out of its answer: put a layer Power before it "
            "(scale, shift) or behind it (1 / ln of the base)"
        )
    return _same(site, site.op("Log", site.bottom().name))


def threshold(site: Site) -> list[Value]:
    """1 above the threshold, 0 elsewhere."""
    fields = site.layer.parameters.of("threshold_param")
    limit = fields.number("threshold", 0.0)
    fields.check_all_read()
    above = site.op("Greater", site.bottom().name, site.scalar(limit))
    return _same(site, site.op("Where", above, site.scalar(1.0), site.scalar(0.0)))


def dropout(site: Site) -> list[Value]:
    """Nothing is dropped once a net is trained."""
    site.layer.parameters.of("dropout_param").check_all_read("dropout_ratio")
    return [site.bottom()]


KNOWN: Known = {
    "ReLU": relu,
    "PReLU": prelu,
    "Sigmoid": _plain("Sigmoid", "sigmoid_param"),
    "TanH": _plain("Tanh", "tanh_param"),
    "AbsVal": _plain("Abs"),
    "ELU": elu,
    "BNLL": bnll,
    "Power": power,
    "Exp": exponential,
    "Log": logarithm,
    "Threshold": threshold,
    "Dropout": dropout,
}
