"""Image files, odd and damaged: scaled by what they state, or refused with the reason."""

import contextlib
import io
import struct
import sys
import zlib

import numpy as np
import pytest
from data_bombs import png_of
from PIL import Image

from kdprune.errors import KdpruneError
from kdprune.sources import pictures

RAMP = np.tile(np.arange(32), (32, 1))  # 0..31, to be stretched to any depth


def read(tmp_path, content):
    (tmp_path / "image.png").write_bytes(content)
    return pictures.read(tmp_path / "image.png")


def saved(array, form="PNG", **options):
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, form, **options)
    return file.getvalue()


def deep_png(values, colour):
    """A PNG of 16 bits: values [32, 32], repeated for `colour` (0 grey, 2 RGB, 6 RGBA)."""
    channels = {0: 1, 2: 3, 6: 4}[colour]
    pixels = np.repeat(values[:, :, None], channels, 2).astype(">u2")
    if colour == 6:
        pixels[..., 3] = 65_535
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return png_of(struct.pack(">IIBBBBB", 32, 32, 16, colour, 0, 0, 0), zlib.compress(rows))


@pytest.mark.parametrize("colour", [0, 2, 6])
@pytest.mark.parametrize("bits", [8, 12])
def test_sixteen_bits_of_fewer_are_refused_not_black(tmp_path, colour, bits):
    values = RAMP * (2**bits - 1) // 31
    with pytest.raises(KdpruneError, match=r"its 16-bit values go up to \d+ only, so that it"):
        read(tmp_path, deep_png(values, colour))
    found = read(tmp_path, deep_png(values << (16 - bits), colour))
    assert abs(found[..., 0].astype(int) - RAMP * 255 // 31).max() <= 1


def test_a_stated_white_is_scaled_by(tmp_path):
    twelve = (RAMP * 4095 // 31).astype(np.uint16)
    pgm = b"P5 32 32 4095\n" + twelve.astype(">u2").tobytes()
    tiff = saved(twelve, "TIFF", tiffinfo={281: 4095})
    dim = b"P5 32 32 4095\n" + (twelve // 8).astype(">u2").tobytes()
    for content, factor in ((pgm, 1), (tiff, 1), (dim, 8)):
        found = read(tmp_path, content)[..., 0].astype(int)
        assert abs(found - RAMP * 255 / 31 / factor).max() <= 1.5


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.ones((32, 32), np.float32), "floating-point values have no known white"),
        (np.full((32, 32), 70_000, np.int32), "its values go from 70000 to 70000"),
        (np.full((32, 32), -1, np.int32), "its values go from -1 to -1"),
    ],
)
def test_values_of_no_known_white_are_refused(tmp_path, array, said):
    with pytest.raises(KdpruneError, match=f"image.png: cannot be read \\({said}"):
        read(tmp_path, saved(array, "TIFF"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF"])
@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_a_file_cut_short_says_so(tmp_path, form, keep):
    pixels = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    content = saved(pixels, form)
    with pytest.raises(KdpruneError, match=r"image\.png: cannot be read \(") as caught:
        read(tmp_path, content[: int(keep * len(content))])
    assert len(str(caught.value).splitlines()) == 1
    if form in ("PNG", "JPEG", "BMP", "GIF", "PPM"):
        assert "it is cut short or damaged" in str(caught.value)


@pytest.mark.parametrize("form", ["DDS", "SPIDER", "BLP", "AVIF", "EPS", "TGA", "ICO"])
def test_formats_of_others_are_one_line(tmp_path, form):
    image = Image.fromarray(RAMP.astype(np.uint8))
    image = image.convert({"SPIDER": "F", "BLP": "P", "EPS": "RGB"}.get(form, "RGB"))
    content = bytearray(saved(image, form))
    content[len(content) // 3 :] = b"\xff" * 50
    with pytest.raises(KdpruneError, match=r"image\.png: cannot be read \(") as caught:
        read(tmp_path, bytes(content))
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_note_of_the_camera_leaves_the_picture_unturned(tmp_path):
    image = Image.fromarray(np.dstack([RAMP * 8] * 3).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 3
    note = exif.tobytes()
    turned = read(tmp_path, saved(image, "PNG", exif=note))
    assert np.array_equal(turned[::-1, ::-1], np.asarray(image))
    for damaged in (
        note[:12],
        note[:6] + b"II*\0\xff\xff\xff\xff",
        b"Exif\0\0" + b"\xff" * 40,
        note[:-9],
    ):
        assert np.array_equal(read(tmp_path, saved(image, "PNG", exif=damaged)), np.asarray(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(tmp_path, orientation):
    from PIL import ImageOps

    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(pixels, "PNG", exif=exif.tobytes())
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    assert np.array_equal(read(tmp_path, content), expected)


def test_transparency_lies_on_white(tmp_path):
    palette = Image.fromarray(RAMP.astype(np.uint8)).convert("P")
    found = read(tmp_path, saved(palette, "PNG", transparency=0))
    assert (found[:, 0] == 255).all()
    assert (found[:, 5] == 5).all()


@pytest.mark.skipif(sys.platform != "linux", reason="where libtiff lies is known on Linux alone")
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_libtiff_prints_no_lines_of_its_own(compression, tmp_path, capfd):
    whole = saved(
        np.arange(40 * 50 * 3, dtype="uint8").reshape(40, 50, 3), "TIFF", compression=compression
    )
    for at in range(8, len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[at : at + 4] = b"\xff\xff\xff\xff"
        with contextlib.suppress(KdpruneError):
            read(tmp_path, bytes(damaged))
    assert capfd.readouterr().err == ""


def tiled(side, *, stated=None, big=False, kind=4):
    """A grey TIFF of 16 x 16 pixels in one deflated tile, which is said to have `side` a side."""
    content = zlib.compress(np.arange(64 * 64, dtype=np.uint8).tobytes())
    head, long, one = (16, "Q", 16) if big else (8, "I", 4)
    sizes = stated or [(322, kind, side), (323, kind, side)]
    entries = [(256, 4, 16), (257, 4, 16), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [*sizes, (324, one, head), (325, 4, len(content))]
    form = f"<HH{long}{long}"
    described = b"".join(struct.pack(form, tag, of, 1, held) for tag, of, held in entries)
    counted = struct.pack("<Q" if big else "<H", len(entries))
    begin = struct.pack(f"<{long}", head + len(content))
    first = b"II\x2b\0\x08\0\0\0" if big else b"II\x2a\0"
    return first + begin + content + counted + described + struct.pack(f"<{long}", 0)


@pytest.mark.parametrize(
    "how", [{}, {"kind": 3}, {"big": True}, {"big": True, "kind": 16}], ids=str
)
def test_tiles_are_read_unless_they_dwarf_their_image(how, tmp_path):
    found = pictures.decode(tiled(64, **how), "x", side=16)
    assert np.array_equal(found[::15, ::15, 0], [[0, 15], [192, 207]])
    if how.get("kind") != 3:
        with pytest.raises(KdpruneError, match=r"its tiles are huge, 45,056 x 45,056 pixels"):
            read(tmp_path, tiled(45_056, **how))


ODD = [(322, 17, 8), (323, 17, 8)]  # a type that libtiff reads and Pillow skips


@pytest.mark.parametrize("stated", [ODD, [*ODD, (322, 4, 64), (323, 4, 64)]])
def test_a_size_of_tiles_of_which_readers_think_differently_is_refused(stated, tmp_path):
    with pytest.raises(KdpruneError, match="states the size of its tiles in an odd way"):
        read(tmp_path, tiled(64, stated=stated))


def test_a_tiff_that_is_all_one_strip_is_read(tmp_path):
    content = bytearray(saved(RAMP.astype(np.uint8), "TIFF", compression="tiff_adobe_deflate"))
    at = content.index(struct.pack("<H", 278), struct.unpack_from("<I", content, 4)[0])
    content[at : at + 12] = struct.pack("<HHII", 278, 4, 1, 2**32 - 1)
    assert np.array_equal(read(tmp_path, bytes(content))[..., 0], RAMP)
