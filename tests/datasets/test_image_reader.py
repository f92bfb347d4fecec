"""ImageReader: every kind of file, against values computed by hand or in NumPy."""

import json
import struct
import threading

import numpy as np
import pytest
from image_bytes import SIZE, encoded, noise, png, put
from PIL import Image

from keras_explainer.datasets import BadImage, ImageReader
from keras_explainer.errors import ConfigError, DataError


def triangle_weights(source, target):
    """Antialiased bilinear: a triangle of half-width max(1, source / target)."""
    scale = source / target
    width = max(1.0, scale)
    centre = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centre[:, None]) / width
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "GIF-like"])
def test_colour_files_of_the_right_size_come_back_untouched(tmp_path, kind):
    array = noise()
    if kind == "GIF-like":  # lossless WebP
        data = encoded(Image.fromarray(array), "WEBP", lossless=True)
    else:
        data = encoded(Image.fromarray(array), kind)
    out = ImageReader(SIZE).read(put(tmp_path, "a.img", data))
    assert out.dtype == np.uint8 and out.shape == (*SIZE, 3)
    np.testing.assert_array_equal(out, array)


@pytest.mark.parametrize(
    ("source", "target"), [((40, 23), (11, 7)), ((5, 4), (13, 9)), ((31, 6), (7, 12))]
)
def test_resizing_is_the_antialiased_triangle_filter(tmp_path, source, target):
    array = noise(*source, seed=3)
    path = put(tmp_path, "a.png", encoded(Image.fromarray(array), "PNG"))
    rows = triangle_weights(source[0], target[0])
    columns = triangle_weights(source[1], target[1])
    expected = np.einsum("ih,jw,hwc->ijc", rows, columns, array.astype(np.float64))
    out = ImageReader(target).read(path).astype(np.float64)
    assert np.abs(out - expected).max() <= 1.0 + 1e-9  # two roundings to whole levels


def test_grey_fills_all_channels_and_one_channel_is_luma(tmp_path):
    grey = noise(channels=1)
    path = put(tmp_path, "g.png", encoded(Image.fromarray(grey), "PNG"))
    np.testing.assert_array_equal(
        ImageReader(SIZE).read(path), np.repeat(grey[..., None], 3, -1)
    )
    np.testing.assert_array_equal(
        ImageReader(SIZE, channels=1).read(path), grey[..., None]
    )
    colour = noise()
    path = put(tmp_path, "c.png", encoded(Image.fromarray(colour), "PNG"))
    luma = colour @ np.array([0.299, 0.587, 0.114])
    out = ImageReader(SIZE, channels=1).read(path)[..., 0]
    assert np.abs(out - luma).max() <= 1


def test_one_bit_images_are_black_and_white(tmp_path):
    bits = noise(channels=1) > 127
    path = put(tmp_path, "b.png", encoded(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(ImageReader(SIZE).read(path)[..., 1], bits * 255)


def test_alpha_is_composited_on_black(tmp_path):
    rgba = noise(channels=4, seed=1)
    rgba[0, :, 3], rgba[1, :, 3] = 0, 255
    path = put(tmp_path, "a.png", encoded(Image.fromarray(rgba), "PNG"))
    expected = rgba[..., :3].astype(float) * rgba[..., 3:] / 255
    out = ImageReader(SIZE).read(path)
    assert np.abs(out - expected).max() <= 0.5 + 1e-9
    assert not out[0].any()
    np.testing.assert_array_equal(out[1], rgba[1, :, :3])


def test_grey_with_alpha_is_composited_on_black(tmp_path):
    la = noise(channels=2, seed=2)
    path = put(tmp_path, "la.png", png(la))
    expected = la[..., 0] * (la[..., 1] / 255)
    out = ImageReader(SIZE, channels=1).read(path)[..., 0]
    assert np.abs(out - expected).max() <= 1


def test_palette_colours_and_palette_transparency(tmp_path):
    index = noise(channels=1) % 3
    colours = np.array([[250, 10, 30], [0, 200, 90], [7, 8, 9]], np.uint8)
    image = Image.fromarray(index).convert("P")
    image.putpalette(colours.tobytes())
    path = put(tmp_path, "p.png", encoded(image, "PNG"))
    np.testing.assert_array_equal(ImageReader(SIZE).read(path), colours[index])
    path = put(tmp_path, "t.png", encoded(image, "PNG", transparency=1))
    colours[1] = 0
    np.testing.assert_array_equal(ImageReader(SIZE).read(path), colours[index])
    path = put(tmp_path, "t.gif", encoded(image, "GIF", transparency=1))
    np.testing.assert_array_equal(ImageReader(SIZE).read(path), colours[index])


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    flat = Image.new("CMYK", (SIZE[1], SIZE[0]), (255, 0, 0, 0))  # cyan
    path = put(tmp_path, "c.jpg", encoded(flat, "JPEG", quality=95))
    with Image.open(path) as stored:
        assert stored.mode == "CMYK"
    out = ImageReader(SIZE).read(path).astype(int)
    assert np.abs(out - [0, 255, 255]).max() <= 3


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bit_png_is_scaled_and_not_clipped(tmp_path, channels):
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    wide = np.stack([levels * 257] * channels, -1)
    if channels in (2, 4):
        wide[..., -1] = 65535
    path = put(tmp_path, "w.png", png(wide, 16))
    out = ImageReader((16, 16)).read(path)
    np.testing.assert_array_equal(out, np.repeat(levels[..., None], 3, -1))


def test_sixteen_bit_grey_and_colour_of_the_same_values_are_equal(tmp_path):
    wide = np.random.default_rng(0).integers(0, 65536, (9, 9)).astype(np.uint16)
    grey = put(tmp_path, "g.png", png(wide, 16))
    colour = put(tmp_path, "c.png", png(np.stack([wide] * 3, -1), 16))
    reader = ImageReader((9, 9))
    np.testing.assert_array_equal(reader.read(grey), reader.read(colour))
    np.testing.assert_array_equal(reader.read(grey)[..., 0], wide >> 8)


def test_sixteen_bit_transparent_value_is_black(tmp_path):
    wide = np.full((4, 4), 40_000, np.uint16)
    wide[1, 2] = 50_000
    clear = (b"tRNS", struct.pack(">H", 50_000))
    path = put(tmp_path, "t.png", png(wide, 16, extra=[clear]))
    out = ImageReader((4, 4)).read(path)[..., 0]
    expected = np.full((4, 4), 40_000 >> 8)
    expected[1, 2] = 0
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_tiff_of_both_byte_orders(tmp_path, order):
    wide = np.random.default_rng(1).integers(0, 65536, (6, 5)).astype(np.uint16)
    if order == ">":
        image = Image.frombytes("I;16B", (5, 6), wide.astype(">u2").tobytes())
    else:
        image = Image.fromarray(wide)
    path = put(tmp_path, "w.tif", encoded(image, "TIFF"))
    out = ImageReader((6, 5)).read(path)
    np.testing.assert_array_equal(out[..., 2], wide >> 8)


def test_sixteen_bit_tiff_with_white_as_zero_is_turned(tmp_path):
    wide = np.random.default_rng(1).integers(0, 65536, (6, 5)).astype(np.uint16)
    data = encoded(Image.fromarray(wide), "TIFF", tiffinfo={262: 0})
    path = put(tmp_path, "w.tif", data)
    with Image.open(path) as stored:
        assert stored.tag_v2[262] == 0
    out = ImageReader((6, 5)).read(path)
    np.testing.assert_array_equal(out[..., 0], 255 - (wide >> 8))


def test_sixteen_bit_pgm(tmp_path):
    wide = np.random.default_rng(1).integers(0, 65536, (6, 5)).astype(np.uint16)
    path = put(tmp_path, "w.pgm", b"P5 5 6 65535\n" + wide.astype(">u2").tobytes())
    np.testing.assert_array_equal(ImageReader((6, 5)).read(path)[..., 0], wide >> 8)


def test_float_files_are_refused(tmp_path):
    image = Image.fromarray(np.zeros((6, 5), np.float32))
    path = put(tmp_path, "f.tif", encoded(image, "TIFF"))
    with pytest.raises(DataError, match="float pixels"):
        ImageReader(SIZE).read(path)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_are_refused_or_give_their_first_frame(tmp_path, kind):
    frames = [Image.new("RGB", (7, 11), c) for c in ((200, 0, 0), (0, 0, 200))]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    path = put(tmp_path, "a", data)
    with pytest.raises(DataError, match=rf"several frames \({kind}\).*first_frame"):
        ImageReader(SIZE).read(path)
    out = ImageReader(SIZE, first_frame=True).read(path)
    np.testing.assert_array_equal(out, np.full((*SIZE, 3), (200, 0, 0)))


def test_still_gif_and_camera_mpo_are_accepted(tmp_path):
    still = Image.new("RGB", (7, 11), (200, 0, 0))
    reader = ImageReader(SIZE)
    path = put(tmp_path, "a.gif", encoded(still, "GIF"))
    np.testing.assert_array_equal(reader.read(path)[0, 0], (200, 0, 0))
    other = Image.new("RGB", (7, 11), (0, 0, 200))
    mpo = encoded(still, "MPO", save_all=True, append_images=[other])
    path = put(tmp_path, "a.jpg", mpo)
    with Image.open(path) as stored:
        assert stored.format == "MPO" and stored.n_frames == 2
    assert np.abs(reader.read(path).astype(int) - (200, 0, 0)).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_applied(tmp_path, orientation, kind):
    upright = np.zeros((12, 8), np.uint8)
    upright[:6, :4], upright[:6, 4:], upright[6:, :4] = 240, 160, 80
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    options = {"quality": 100} if kind == "JPEG" else {}
    path = put(tmp_path, "a", encoded(image, kind, exif=exif, **options))
    reader = ImageReader((12, 8))
    assert reader.size(path) == (12, 8)
    out = reader.read(path)[..., 0].astype(int)
    assert np.abs(out - upright).max() <= (25 if kind == "JPEG" else 0)


def test_a_damaged_exif_block_does_not_spoil_the_image(tmp_path):
    array = noise()
    data = encoded(Image.fromarray(array), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff")
    path = put(tmp_path, "a.png", data)
    np.testing.assert_array_equal(ImageReader(SIZE).read(path), array)
    assert ImageReader(SIZE).size(path) == SIZE


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_read_many_skips_and_keeps_the_order(tmp_path, workers):
    paths = [tmp_path / f"{i}.png" for i in range(9)]
    for i, path in enumerate(paths):
        path.write_bytes(b"text" if i in (0, 4, 8) else png(noise(seed=i)))
    done = []
    images, kept, bad = ImageReader(SIZE, workers=workers).read_many(
        paths, progress=lambda *step: done.append(step)
    )
    assert kept.tolist() == [1, 2, 3, 5, 6, 7]
    np.testing.assert_array_equal(images, [noise(seed=i) for i in kept])
    assert [entry.path for entry in bad] == [str(paths[i]) for i in (0, 4, 8)]
    assert all(isinstance(entry, BadImage) and entry.reason for entry in bad)
    assert set(bad[0].to_dict()) == {"path", "reason"}
    assert done == [(i, 9) for i in range(1, 10)]


def test_read_many_raises_the_first_bad_file(tmp_path):
    paths = [put(tmp_path, f"{i}.png", b"x" if i else png(noise())) for i in range(3)]
    with pytest.raises(DataError, match=r"1\.png: is not an image"):
        ImageReader(SIZE, on_bad="raise").read_many(paths)


def test_read_many_of_none_and_of_only_bad_files(tmp_path):
    images, kept, bad = ImageReader(SIZE).read_many([])
    assert images.shape == (0, *SIZE, 3) and not len(kept) and bad == []
    images, kept, bad = ImageReader(SIZE).read_many([put(tmp_path, "a", b"x")])
    assert images.shape == (0, *SIZE, 3) and not len(kept) and len(bad) == 1


def test_no_thread_is_left_behind(tmp_path):
    paths = [put(tmp_path, f"{i}.png", png(noise())) for i in range(4)]
    before = threading.active_count()
    ImageReader(SIZE).read_many(paths)
    assert threading.active_count() == before


def test_settings_tell_readers_apart_and_are_json(tmp_path):
    base = ImageReader(SIZE).settings()
    assert json.loads(json.dumps(base)) == base
    assert ImageReader(SIZE, workers=1, on_bad="raise").settings() == base
    for other in (
        ImageReader((7, 11)),
        ImageReader(SIZE, 1),
        ImageReader(SIZE, first_frame=True),
    ):
        assert other.settings() != base


@pytest.mark.parametrize(
    "arguments",
    [
        {"image_size": 224},
        {"image_size": (224,)},
        {"image_size": (0, 5)},
        {"image_size": (5.0, 5)},
        {"image_size": "22"},
        {"image_size": (True, 5)},
        {"channels": 4},
        {"on_bad": "ignore"},
        {"max_pixels": 0},
        {"workers": 0},
    ],
)
def test_arguments(arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        ImageReader(**arguments)
