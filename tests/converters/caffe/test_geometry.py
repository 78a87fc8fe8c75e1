"""Windows of any kernel, stride, pad, dilation and group: as OpenCV, and as Caffe's own loops."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mlpack_toolkit.converters.caffe.layers.pooling import Window
from mlpack_toolkit.converters.spec import Unreadable, Unsupported
from tests.converters.caffe.cases import n, one
from tests.converters.caffe.layerwise import Array, distance, errors, in_graph, opened

MANY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
SIDE, KERNEL, STRIDE = st.integers(1, 11), st.integers(1, 5), st.integers(1, 4)
CLOSE = 1e-6


def pooled(x: Array, windows: tuple[Window, Window], how: str) -> Array:
    """Caffe's PoolingLayer::Forward_cpu, with loops."""
    sizes = [w.out(size) for w, size in zip(windows, x.shape[2:], strict=True)]
    found = np.zeros((*x.shape[:2], *sizes), np.float32)
    for i, j in np.ndindex(*sizes):
        start = [at * w.stride - w.pad for at, w in zip((i, j), windows, strict=True)]
        end = [min(s + w.kernel, size + w.pad) for s, w, size in zip(start, windows, x.shape[2:], strict=True)]
        count = (end[0] - start[0]) * (end[1] - start[1])
        inside = x[:, :, max(start[0], 0) : end[0], max(start[1], 0) : end[1]]
        found[:, :, i, j] = inside.max((2, 3)) if how == "MAX" else inside.sum((2, 3)) / count
    return found


@MANY
@given(st.tuples(SIDE, SIDE), st.tuples(KERNEL, KERNEL), st.tuples(STRIDE, STRIDE), st.data())
def test_pooling(side: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], data: st.DataObject) -> None:
    pad = tuple(data.draw(st.integers(0, k - 1)) for k in kernel)
    how = data.draw(st.sampled_from(("MAX", "AVE")))
    windows = Window(kernel[0], stride[0], pad[0]), Window(kernel[1], stride[1], pad[1])
    free = data.draw(st.booleans())
    text = (
        f"pool: {how} kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {stride[0]} stride_w: {stride[1]} "
        f"pad_h: {pad[0]} pad_w: {pad[1]}"
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            model = opened(
                one("Pooling", text, shape=(2, 3, *side)).net, Path(folder), size="free" if free else "fixed"
            )
        except (Unreadable, Unsupported) as refused:
            assert any(why in str(refused) for why in ("holds no", "leaves gaps", "OpenCV")), refused
            assume(False)
        x = {"data": np.random.default_rng(3).standard_normal((2, 3, *side)).astype(np.float32)}
        assert distance(in_graph(model, x)["tested.0"], pooled(x["data"], windows, how)) < CLOSE
        assert max(errors(model, x).values()) < CLOSE


@MANY
@given(
    st.tuples(SIDE, SIDE), st.tuples(KERNEL, KERNEL), st.tuples(STRIDE, STRIDE),
    st.tuples(st.integers(0, 3), st.integers(0, 3)), st.integers(1, 2), st.sampled_from((1, 2, 4)), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_convolution(
    side: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int], dilation: int,
    group: int, across: bool, bias: bool,
) -> None:  # fmt: skip
    kind = "Deconvolution" if across else "Convolution"
    dilation = 1 if across else dilation
    shape = (4, 8 // group, *kernel) if across else (8, 4 // group, *kernel)
    text = (
        f"num_output: 8 group: {group} dilation: {dilation} kernel_h: {kernel[0]} kernel_w: {kernel[1]} "
        f"pad_h: {pad[0]} pad_w: {pad[1]} stride_h: {stride[0]} stride_w: {stride[1]} bias_term: {str(bias).lower()}"
    )
    case = one(kind, text, n(*shape), *([n(8)] if bias else []), shape=(2, 4, *side))
    with tempfile.TemporaryDirectory() as folder:
        try:
            model = opened(case.net, Path(folder))
        except (Unreadable, Unsupported) as refused:
            assert "holds nothing" in str(refused) or "OpenCV" in str(refused), refused
            assume(False)
        found = errors(model, case.feeds())
        assert max(found.values()) < CLOSE, (text, side, found)
