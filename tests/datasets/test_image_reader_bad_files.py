"""ImageReader: files that are damaged, foreign, too large or no files at all."""

import os

import numpy as np
import pytest
from image_bytes import SIZE, encoded, noise, png, put
from PIL import Image

from keras_explainer.datasets import ImageReader
from keras_explainer.errors import DataError


def damaged(kind):
    image = Image.fromarray(noise(60, 50))
    whole = {
        "jpeg": encoded(image, "JPEG"),
        "png": encoded(image, "PNG"),
        "gif": encoded(image, "GIF"),
        "bmp": encoded(image, "BMP"),
        "webp": encoded(image, "WEBP"),
        "tiff": encoded(image, "TIFF"),
    }[kind]
    return whole[: len(whole) // 2]


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "bmp", "webp", "tiff"])
def test_truncated_files(tmp_path, kind):
    path = put(tmp_path, "a.jpg", damaged(kind))
    with pytest.raises(DataError, match=r"a\.jpg: is .*(truncated|damaged)") as info:
        ImageReader(SIZE).read(path)
    assert type(info.value) is DataError


def corrupted_png():
    data = bytearray(png(noise(60, 50)))
    for at in range(200, 400):
        data[at] ^= 0x5A
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"no image at all, although its name ends in .jpg", "not an image"),
        (b"\xff\xd8\xff\xe0", "header is damaged|truncated or damaged"),
        (b"\x89PNG\r\n\x1a\n", "header is damaged|truncated or damaged"),
        (corrupted_png(), "damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (png(noise(1, 1), declared=(0, 5)), "no pixels|damaged"),
        (png(noise(1, 1), declared=(9_000, 9_000)), "9000 x 9000 pixels, more than"),
        (png(noise(1, 1), declared=(2**31 - 1, 2**31 - 1)), "far more than max_pix"),
    ],
)
def test_bad_content(tmp_path, data, reason):
    path = put(tmp_path, "bad.jpg", data)
    with pytest.raises(DataError, match=reason) as info:
        ImageReader(SIZE).read(path)
    assert str(info.value).startswith(str(path)) and type(info.value) is DataError


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"])
def test_damaged_bytes_give_an_image_or_a_data_error(tmp_path, kind):
    whole = encoded(Image.fromarray(noise(23, 17)), kind)
    random = np.random.default_rng(7)
    reader, refused = ImageReader(SIZE, max_pixels=10**6), 0
    for _ in range(60):
        data = bytearray(whole)
        for at in random.integers(0, min(len(data), 300), 4):
            data[at] = random.integers(256)
        path = put(tmp_path, "a", bytes(data))
        try:
            assert reader.read(path).shape == (*SIZE, 3)
        except DataError as error:
            assert type(error) is DataError
            refused += 1
    assert refused


def test_max_pixels_is_checked_before_decoding(tmp_path, monkeypatch):
    path = put(tmp_path, "a.png", png(noise(20, 30)))
    assert ImageReader(SIZE, max_pixels=600).read(path).shape == (*SIZE, 3)

    def decode(self):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", decode)
    with pytest.raises(DataError, match="30 x 20 pixels, more than max_pixels=599"):
        ImageReader(SIZE, max_pixels=599).read(path)


def test_things_that_are_no_files(tmp_path):
    reader = ImageReader(SIZE)
    with pytest.raises(DataError, match="does not exist"):
        reader.read(tmp_path / "none.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        reader.read(tmp_path / "folder.jpg")
    with pytest.raises(DataError, match="no valid path"):
        reader.read("a\0b.jpg")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match="cannot be read"):
        reader.read(loop)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(DataError, match="not a regular file"):
        ImageReader(SIZE).read(tmp_path / "pipe.jpg")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all files"
)
def test_a_file_without_permission(tmp_path):
    path = put(tmp_path, "a.png", png(noise()))
    path.chmod(0)
    with pytest.raises(DataError, match="cannot be read"):
        ImageReader(SIZE).read(path)


def test_paths_must_stay_in_the_root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    good = png(noise())
    put(tmp_path, "secret.png", good)
    put(root, "a.png", good)
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "in.png").symlink_to(root / "a.png")
    (root / "up").symlink_to(tmp_path)
    reader = ImageReader(SIZE)
    np.testing.assert_array_equal(reader.read("in.png", root), noise())
    for path, reason in (
        ("out.png", "leaves the folder"),
        ("up/secret.png", "leaves the folder"),
        ("../secret.png", "'..' is not accepted"),
        (str(tmp_path / "secret.png"), "absolute"),
        ("..\\secret.png", "backslash"),
        ("", "empty"),
        (".", "no file"),
    ):
        with pytest.raises(DataError, match=reason):
            reader.read(path, root)


def megabytes(field):
    """A figure of this process' memory, MiB."""
    with open("/proc/self/status") as status:
        (line,) = [line for line in status if line.startswith(field + ":")]
    return int(line.split()[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "I;16"])
def test_the_largest_image_has_a_bound(tmp_path, kind):
    """50 million pixels: what `docs/reliability.md` states."""
    side = 7071
    values = np.arange(side * side, dtype=np.uint32).reshape(side, side)
    if kind == "I;16":
        image = Image.fromarray(values.astype(np.uint16))
    else:
        image = Image.fromarray(values.astype(np.uint8)).convert(kind)
    image.save(tmp_path / "a.png", compress_level=0)
    del values, image
    before = megabytes("VmRSS")
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    assert ImageReader(SIZE).read(tmp_path / "a.png").shape == (*SIZE, 3)
    assert 50 < megabytes("VmHWM") - before < 1536
