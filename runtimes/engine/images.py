"""Decodes JPEG and PNG into pixels within limits; what is ambiguous about an image is refused, not guessed.

Pixels are as the file stores them: neither colour profiles nor the orientation in EXIF are applied, which is what the
loaders of torchvision and Java's ImageIO do, too.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from mlpack_toolkit.converters.image import arranged, layout_of, size_of
from mlpack_toolkit.converters.spec import Signature, Table, TensorSpec, Unreadable

from .errors import Refusal
from .tensors import Array

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG, PNG = FORMATS = ("JPEG", "PNG")
MOST_PIXELS = 1 << 24
"""The most pixels of one image where the caller says nothing else: 48 MiB decoded."""
_DEPTH = 24
"""Where a PNG says how many bits a channel has."""


class NoDecoder(Exception):
    """Pillow is not installed."""


def image_input(signature: Signature) -> TensorSpec:
    """The one input, which is an image; raises `Refusal` where the model takes none, or other inputs beside it."""
    spec = next((t for t in signature.inputs if t.image), None)
    if spec is None:
        raise Refusal("no input of this model is an image", 415, "encoding")
    others = [t.name for t in signature.inputs if t != spec]
    if others:
        raise Refusal(f"the model takes {others[0]!r} beside the image: send all inputs as tensors", 415, "encoding")
    return spec


def pixels_of(
    content: bytes, spec: TensorSpec | None = None, most: int = MOST_PIXELS, formats: tuple[str, ...] = FORMATS
) -> Array:
    """The pixels `[h, w, 3]` of a JPEG or PNG, red first; raises `Refusal` and `NoDecoder`.

    The sizes in the file's head are checked before anything is decoded. `spec`: the input that takes the image.
    """
    with _opened(content, formats) as image:
        _check_size(image.size, spec, most)
        _check_kind(image, content)
        try:
            return np.asarray(_in_rgb(image))
        except Refusal:
            raise
        except MemoryError:
            raise Refusal("too little memory for this image", 503, "memory") from None
        except Exception as error:  # Pillow's decoders share no error of their own
            raise _broken(error) from error


def _opened(content: bytes, formats: tuple[str, ...]) -> Image:
    try:
        from PIL import Image
    except ImportError as error:
        raise NoDecoder("reading images needs Pillow") from error
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit here is lower
    try:
        return Image.open(io.BytesIO(content), formats=formats)
    except Image.DecompressionBombError as error:
        raise Refusal("the image has too many pixels: send a smaller one", 413, "too_large") from error
    except Exception as error:  # Pillow's parsers share no error of their own
        raise _broken(error, " or ".join(formats)) from error


def _broken(error: Exception, wanted: str = "") -> Refusal:
    if wanted and type(error).__name__ == "UnidentifiedImageError":
        return Refusal(f"the bytes are no {wanted} image, or one that is damaged")
    return Refusal(
        f"the image cannot be decoded, it is cut short or damaged: {str(error)[:120] or type(error).__name__}"
    )


def _check_size(size: tuple[int, int], spec: TensorSpec | None, most: int) -> None:
    width, height = size
    if width * height > most:
        words = f"the image has {width} x {height} pixels, and at most {most:,} are decoded: send a smaller one"
        raise Refusal(words, 413, "too_large")
    if spec is not None:
        wanted = size_of(spec)
        if any(isinstance(d, int) and d != size for d, size in zip(wanted, (height, width), strict=True)):
            raise Refusal(
                f"the image is {width} wide and {height} high, and the input {spec.name!r} takes the width {wanted[1]} "
                f"and the height {wanted[0]}: resize it, or make resizing part of the model"
            )


def _check_kind(image: Image, content: bytes) -> None:
    """Raises `Refusal` for what has no one meaning in three channels of 8 bits."""
    if image.format == PNG and (content[_DEPTH] == 16 or image.mode.startswith("I")):
        raise Refusal("the image has 16 bits per channel, and the model takes 8: convert it")
    if image.mode in ("CMYK", "YCCK", "F", "LAB", "HSV"):
        raise Refusal(f"the image has the colours {image.mode}: convert it to RGB")
    if image.format == PNG and getattr(image, "is_animated", False):
        raise Refusal("the image is animated: send one frame of it")


def _in_rgb(image: Image) -> Image:
    """The image in RGB; raises `Refusal` where some pixel is transparent, as what is behind it is unknown."""
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if int(np.asarray(image.getchannel("A")).min()) < 255:
            raise Refusal("the image is transparent in places: put it on a background, and send it without alpha")
    return image.convert("RGB")


def table_of(spec: TensorSpec, pixels: Array) -> Table:
    """The input's tensor of images `[n, h, w, 3]`; raises `Refusal` for several where it takes one."""
    try:
        return {spec.name: arranged(pixels, layout_of(spec.shape), spec.image)}
    except Unreadable as error:
        raise Refusal(str(error)) from error


def objects_of(signature: Signature, answers: Table, images: int) -> list[dict[str, Any]]:
    """One object per image, with each output as a number or as lists; without a batch axis, the whole output."""
    axes = signature.batch_axes
    return [
        {n: _plain(v if (a := axes.get(n)) is None else np.take(v, i, a)) for n, v in answers.items()}
        for i in range(images)
    ]


def _plain(values: Array) -> Any:
    """Lists of JSON's own values, null for NaN and the infinities."""
    found = np.asarray(values)
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        cells = [v if np.isfinite(v) else None for v in found.ravel().tolist()]
        found = np.array(cells, object).reshape(found.shape)
    return found.tolist()
