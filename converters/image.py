"""Inputs that are images: the user's declaration, the layout that a shape says, and pixels in that layout.

Standard library only, numpy inside functions; Python 3.9 and later: the worker and the server read this file, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .spec import Dim, Signature, TensorSpec, Unreadable, Unsupported

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

RGB, BGR = ORDERS = ("rgb", "bgr")
HWC, NHWC, CHW, NCHW = LAYOUTS = ("hwc", "nhwc", "chw", "nchw")
CHANNELS = 3
HELP = (
    "Inputs that are images (uint8): x, or x:bgr where the channels are blue, green, red; a comma between several. The "
    "shape says the layout."
)
NO_IMAGE = "the example is a folder of images: say which input is the image, with the framework's option `image`"


@dataclass(frozen=True)
class Declared:
    """An input that the user declares to be an image. `layout`: as the user says it; empty: the shape says it."""

    name: str
    order: str = RGB
    layout: str = ""


def declared(text: str) -> Iterator[Declared]:
    """What the value of the option says: `NAME[:rgb|bgr][:hwc|nhwc|chw|nchw]`, a comma between several."""
    for each in filter(None, (part.strip() for part in (text or "").split(","))):
        name, words = each, {"order": RGB, "layout": ""}
        while ":" in name and name.rpartition(":")[2] in (*ORDERS, *LAYOUTS):
            name, _, word = name.rpartition(":")
            words["order" if word in ORDERS else "layout"] = word
        yield Declared(name, **words)


def layout_of(shape: Sequence[Dim]) -> str:
    """The layout of an image's shape; empty where it is none, or where it could be two."""
    found = {
        3: ((HWC, -1), (CHW, 0)),
        4: ((NHWC, -1), (NCHW, 1)),
    }.get(len(shape), ())
    fit = [layout for layout, axis in found if shape[axis] == CHANNELS]
    return fit[0] if len(fit) == 1 else ""


def images_of(signature: Signature) -> tuple[TensorSpec, ...]:
    """The inputs that are images."""
    return tuple(t for t in signature.inputs if t.image)


def size_of(spec: TensorSpec) -> tuple[Dim, Dim]:
    """The height and the width of an image input, numbers or names."""
    first = {HWC: 0, NHWC: 1, CHW: 1, NCHW: 2}[layout_of(spec.shape)]
    return spec.shape[first], spec.shape[first + 1]


def marked(inputs: tuple[TensorSpec, ...], text: str) -> tuple[TensorSpec, ...]:
    """The inputs, the declared ones as images; raises `Unsupported` for one that cannot be one."""
    asked = {each.name: each for each in declared(text)}
    _check_known(asked, [t.name for t in inputs])
    found = tuple(_as_image(t, asked[t.name]) if t.name in asked else t for t in inputs)
    forms = {(t.image, layout_of(t.shape)) for t in found if t.image}
    if len(forms) > 1:
        raise Unsupported("the image inputs differ in their layout or in the order of their channels: make them alike")
    return found


def _check_known(asked: Iterable[str], names: Collection[str]) -> None:
    absent = [name for name in asked if name not in names]
    if absent:
        raise Unreadable(f"the option image names {absent[0]!r}, and the inputs are: {', '.join(names)}")


def _as_image(spec: TensorSpec, wish: Declared) -> TensorSpec:
    if spec.dtype != "uint8":
        raise Unsupported(
            f"the input {spec.name!r} holds {spec.dtype}, and an image holds uint8: make resize and normalise part of "
            "the module, so that it takes pixels from 0 to 255"
        )
    layout = layout_of(spec.shape)
    if not layout or wish.layout not in ("", layout):
        shown = f"[{', '.join(map(str, spec.shape))}]"
        raise Unsupported(
            f"the input {spec.name!r} has the shape {shown}, and an image has three channels, either first or last: "
            "[H, W, 3], [N, H, W, 3], [3, H, W] or [N, 3, H, W]" + (f"; you said {wish.layout}" if wish.layout else "")
        )
    return replace(spec, image=wish.order)


def only_declared(text: str) -> Declared:
    """The one declared image, for an example that is a folder of images; raises `Unreadable`."""
    found = list(declared(text))
    if len(found) != 1:
        raise Unreadable(NO_IMAGE if not found else "the example is a folder of images, and several inputs are images")
    return found[0]


def only_image(text: str, pixels: Array, layout: str) -> dict[str, Array]:
    """The example of images for the one declared image, by its name. `layout`: where the user says none.

    Raises `Unreadable`.
    """
    image = only_declared(text)
    return {image.name: arranged(pixels, image.layout or layout, image.order)}


def arranged(pixels: Array, layout: str, order: str) -> Array:
    """Pixels `[n, h, w, 3]`, red first, in the layout and the order of an input.

    Raises `Unreadable` for several images where the input takes one.
    """
    import numpy as np

    if layout in (HWC, CHW) and len(pixels) != 1:
        raise Unreadable(f"the input takes one image at a time, and there are {len(pixels)}: give one")
    found = pixels[..., ::-1] if order == BGR else pixels
    found = found if layout in (HWC, NHWC) else np.moveaxis(found, -1, 1)
    return np.ascontiguousarray(found[0] if layout in (HWC, CHW) else found)
