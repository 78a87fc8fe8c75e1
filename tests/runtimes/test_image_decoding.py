"""Images as files: those that have one meaning are decoded to their stored pixels, all others are refused."""

from __future__ import annotations

import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from mlpack_toolkit.converters.spec import TensorSpec
from mlpack_toolkit.runtimes.engine.errors import Refusal
from mlpack_toolkit.runtimes.engine.images import NoDecoder, pixels_of
from tests.image_models import encoded, noise

PIXELS = noise()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colours: int, rows: bytes, *before: bytes) -> bytes:
    """A PNG file written by hand: `rows` with their filter bytes."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_png_keeps_every_pixel_and_jpeg_nearly() -> None:
    assert (pixels_of(encoded(PIXELS)) == PIXELS).all()
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    assert np.abs(pixels_of(encoded(smooth, "JPEG", quality=95)).astype(int) - smooth).max() <= 3
    assert pixels_of(encoded(PIXELS[:1, :1])).shape == (1, 1, 3)


def test_other_ways_to_store_the_same_pixels() -> None:
    grey = np.repeat(PIXELS[..., :1], 3, axis=2)
    assert (pixels_of(encoded(Image.fromarray(PIXELS[..., 0]))) == grey).all()
    few = (PIXELS // 128) * 255
    palette = Image.fromarray(few).quantize(8)
    assert palette.mode == "P" and (pixels_of(encoded(palette)) == few).all()
    opaque = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    assert (pixels_of(encoded(opaque)) == PIXELS).all()
    black_and_white = Image.fromarray(PIXELS[..., 0] > 127)
    assert (pixels_of(encoded(black_and_white)) == 255 * (grey > 127)).all()
    assert pixels_of(png(2, 1, 2, 0, b"\x00\x70")).tolist() == [[[85] * 3, [255] * 3]]  # two bits of grey


def test_the_orientation_of_exif_is_not_applied() -> None:
    """As in the loaders of torchvision and Java: a model was trained on the pixels as they are stored."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert pixels_of(encoded(PIXELS, "JPEG", exif=exif)).shape == PIXELS.shape
    assert (pixels_of(encoded(PIXELS, exif=exif)) == PIXELS).all()


def _key() -> bytes:
    """Colours of 8 bits of which one counts as transparent."""
    return png(2, 1, 8, 2, b"\x00" + bytes([1, 2, 3, 4, 5, 6]), chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))


def _see_through() -> Image.Image:
    alpha = np.full(PIXELS.shape[:2], 255, np.uint8)
    alpha[3, 3] = 254
    return Image.fromarray(np.dstack([PIXELS, alpha]))


def _palette_with_a_hole() -> bytes:
    palette = Image.fromarray(PIXELS).quantize(8)
    return encoded(palette, transparency=int(np.asarray(palette)[0, 0]))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 200)), "16 bits"),
        (png(1, 1, 16, 2, b"\x00" + bytes(6)), "16 bits"),
        (encoded(Image.fromarray(PIXELS).convert("CMYK"), "JPEG"), "CMYK"),
        (encoded(_see_through()), "transparent"),
        (_palette_with_a_hole(), "transparent"),
        (_key(), "transparent"),
        (
            encoded(Image.fromarray(PIXELS), save_all=True, append_images=[Image.fromarray(PIXELS[::-1])]),
            "animated",
        ),
        (encoded(PIXELS)[:-40], "cut short or damaged"),
        (encoded(noise(64, 64), "JPEG")[:-700], "cut short or damaged"),
        (encoded(PIXELS)[:20], "no JPEG or PNG|cut short"),
        (encoded(PIXELS, "GIF"), "no JPEG or PNG"),
        (encoded(PIXELS, "TIFF"), "no JPEG or PNG"),
        (b"", "no JPEG or PNG"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "no JPEG or PNG|cut short"),
        (encoded(PIXELS).replace(b"IDAT", b"IDAX"), "no JPEG or PNG image, or one that is damaged"),
    ],
)
def test_what_has_no_one_meaning_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(Refusal, match=why) as refused:
        pixels_of(content)
    assert refused.value.status == 400


@pytest.mark.parametrize(("width", "height"), [(5000, 4000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_head(width: int, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(Refusal, match="pixels") as refused:
        pixels_of(png(width, height, 8, 2, bytes(1000)))
    assert refused.value.status == 413


def test_texts_that_expand_are_refused() -> None:
    bomb = chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(100 << 20)))
    with pytest.raises(Refusal):
        pixels_of(png(1, 1, 8, 2, b"\x00\x01\x02\x03", bomb))


def test_another_size_than_the_input_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = TensorSpec("x", "uint8", ("N", 3, 8, "w"), image="rgb")
    assert pixels_of(encoded(PIXELS), spec).shape == PIXELS.shape
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(Refusal, match="10 wide and 9 high, and the input 'x' takes the width w and the height 8"):
        pixels_of(encoded(noise(9, 10)), spec)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(PIXELS)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(NoDecoder, match="needs Pillow"):
        pixels_of(content)


def test_no_bytes_make_it_raise_anything_else() -> None:
    """Damaged files, a byte changed at a time: pixels or a refusal."""
    random = np.random.default_rng(1)
    for content in (encoded(PIXELS), encoded(PIXELS, "JPEG"), encoded(Image.fromarray(PIXELS).quantize(8))):
        for _ in range(300):
            broken = bytearray(content)
            broken[random.integers(len(broken))] = random.integers(256)
            try:
                assert pixels_of(bytes(broken)).shape[2] == 3
            except Refusal:
                continue
