"""Inputs that are images: what the option says, what a shape says, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from mlpack_toolkit.converters.image import Declared, arranged, declared, layout_of, marked, only_declared, size_of
from mlpack_toolkit.converters.spec import Dim, Signature, TensorSpec, Unreadable, Unsupported
from mlpack_toolkit.runtimes.engine.schema import Fault
from mlpack_toolkit.runtimes.engine.schema import signature as check_signature


def spec(*shape: Dim, dtype: str = "uint8", name: str = "x") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def test_what_the_option_says() -> None:
    assert list(declared("x")) == [Declared("x")]
    assert list(declared("a:bgr, b:nhwc:bgr")) == [Declared("a", "bgr"), Declared("b", "bgr", "nhwc")]
    assert list(declared("image:0")) == [Declared("image:0")]  # names of TensorFlow have colons
    assert list(declared("")) == []


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        (("h", "w", 3), "hwc", ("h", "w")),
        (("N", "h", 20, 3), "nhwc", ("h", 20)),
        ((3, 10, "w"), "chw", (10, "w")),
        (("N", 3, 10, 20), "nchw", (10, 20)),
        ((3, 3, 10, 20), "nchw", (10, 20)),
    ],
)
def test_the_shape_says_the_layout(shape: tuple[Dim, ...], layout: str, size: tuple[Dim, Dim]) -> None:
    assert layout_of(shape) == layout
    assert size_of(spec(*shape)) == size


@pytest.mark.parametrize("shape", [(3, 10, 3), ("N", 3, 10, 3), ("N", 4, 10, 10), ("N", 1, 10, 10), (3,), ("N", 3)])
def test_shapes_of_no_one_layout_are_refused(shape: tuple[Dim, ...]) -> None:
    assert layout_of(shape) == ""
    with pytest.raises(Unsupported, match="three channels"):
        marked((spec(*shape),), "x")


def test_a_float_input_names_the_way_out() -> None:
    with pytest.raises(Unsupported, match="make resize and normalise part of the module"):
        marked((spec("N", 3, 10, 10, dtype="float32"),), "x")


def test_declarations_that_do_not_fit() -> None:
    with pytest.raises(Unreadable, match=r"names 'y', and the inputs are: x"):
        marked((spec("N", 3, 10, 10),), "y")
    with pytest.raises(Unsupported, match="you said nhwc"):
        marked((spec("N", 3, 10, 10),), "x:nhwc")
    with pytest.raises(Unsupported, match="differ in their layout"):
        marked((spec("N", 3, 9, 9, name="a"), spec("N", 9, 9, 3, name="b")), "a,b")
    with pytest.raises(Unreadable, match="say which input is the image"):
        only_declared("")


def test_pixels_in_each_layout() -> None:
    pixels = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    assert (arranged(pixels, "nhwc", "rgb") == pixels).all()
    assert (arranged(pixels, "nchw", "rgb")[1, 0] == pixels[1, :, :, 0]).all()
    assert (arranged(pixels, "nchw", "bgr")[1, 0] == pixels[1, :, :, 2]).all()
    assert (arranged(pixels[:1], "chw", "bgr")[2] == pixels[0, :, :, 0]).all()
    assert arranged(pixels[:1], "hwc", "rgb").shape == (4, 5, 3)
    assert arranged(pixels, "nchw", "bgr").flags.c_contiguous
    with pytest.raises(Unreadable, match="one image at a time, and there are 2"):
        arranged(pixels, "hwc", "rgb")


def test_the_signature_keeps_it_and_the_schema_checks_it() -> None:
    own = Signature("graph", marked((spec("N", 3, "h", "w"),), "x:bgr"), (spec("N", name="y"),))
    plain = own.to_json()
    check_signature(plain, "")
    assert Signature.from_json(plain) == own and own.inputs[0].image == "bgr"
    del plain["inputs"][0]["image"]  # as in bundles of earlier versions
    check_signature(plain, "")
    assert Signature.from_json(plain).inputs[0].image == ""
    for wrong in ({"image": "grb"}, {"image": "rgb", "dtype": "float32"}, {"image": "rgb", "shape": ["N", 4]}):
        with pytest.raises(Fault):
            check_signature({**plain, "inputs": [{**plain["inputs"][0], **wrong}]}, "")
