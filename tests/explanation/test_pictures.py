"""Pictures: sizes, where outlines and markers lie, all kinds of images."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_explainer.datasets import ImageArray
from keras_explainer.errors import ConfigError, DataError
from keras_explainer.explanation import drawing, explanation_picture, part_grid
from keras_explainer.explanation.pictures import IMAGE_SIDE

pytestmark = pytest.mark.one_backend  # NumPy alone
MARGIN = 24
BLACK = np.zeros((32, 40, 3), "uint8")


def painted(picture, colour, tolerance=40):
    """Where a picture has nearly a colour, bool (height, width)."""
    difference = np.asarray(picture, int) - np.asarray(colour)
    return np.abs(difference).max(-1) <= tolerance


def photo_of(picture, image_size):
    """The image's part of a picture."""
    scale = IMAGE_SIDE / max(image_size)
    height, width = (round(side * scale) for side in image_size)
    return np.asarray(picture)[MARGIN : MARGIN + height, MARGIN : MARGIN + width]


def test_outline_lies_where_the_mask_is_half(make_explanation):
    # n = 10, beta 4: 1.25 cells of 4 x 4 pixels; 16 pixels of the picture each.
    explanation = make_explanation((3, 4))
    photo = photo_of(explanation_picture(BLACK, explanation), (32, 40))
    assert photo.shape == (512, 640, 3)
    y, x, reach = 3.5 * 64, 4.5 * 64, 1.25 * 64
    rows, columns = np.mgrid[:512, :640] + 0.5
    inner = np.abs(rows - y) + np.abs(columns - x)
    distance = np.abs(inner - reach) / np.sqrt(2)  # from the diamond, in pixels
    line = painted(photo, drawing.colour_of(0))
    marker = np.hypot(rows - y, columns - x) < 16
    assert (distance[line & ~marker] < 3).all()
    tip = inner > reach + 1  # tips are cut by the line's width
    assert line[(distance < 0.8) & ~tip].mean() > 0.97
    # Far from outline and marker the image is as it was.
    assert (photo[(distance > 6) & ~marker] == 0).all()


def test_outline_of_a_map_that_is_not_square_and_of_two_peaks(make_explanation):
    explanation = make_explanation(
        [(1, 3), (4, 25)], image_size=(96, 480), map_size=(6, 30), beta=6.0
    )
    photo = photo_of(explanation_picture(np.zeros((96, 480)), explanation), (96, 480))
    line = painted(photo, drawing.colour_of(0))
    scale = 640 / 480 * 16  # pixels of the picture per cell
    for row, column in ((1, 3), (4, 25)):
        y, x = (row + 0.5) * scale, (column + 0.5) * scale
        reach = 2.5 * scale
        for angle in np.linspace(0, 2 * np.pi, 40):
            s, c = np.sin(angle), np.cos(angle)
            r = reach / (abs(s) + abs(c))
            i, j = round(y + r * s - 0.5), round(x + r * c - 0.5)
            if 2 <= i < 126:
                assert line[i - 2 : i + 3, j - 2 : j + 3].any()
    assert not line[:, 300:400].any()
    # The area reaches over the image's border: the outline closes along it.
    assert line[:3, round(3.5 * scale)].any()
    assert line[-3:, round(25.5 * scale)].any()


def test_each_part_has_its_colour_and_marker(make_explanation):
    explanation = make_explanation((1, 1), (1, 7), (6, 2), (6, 8), beta=10.0)
    photo = photo_of(explanation_picture(BLACK, explanation), (32, 40))
    for rank, (row, column) in enumerate(((1, 1), (1, 7), (6, 2), (6, 8))):
        found = np.argwhere(painted(photo, drawing.colour_of(rank), 8))
        centre = (np.array([row, column]) + 0.5) * 64
        assert np.abs(found.mean(0) - centre).max() < 3


def test_parts_at_one_place_share_outline_and_show_all_markers(make_explanation):
    explanation = make_explanation(*[(4, 5)] * 5)
    photo = photo_of(explanation_picture(BLACK, explanation), (32, 40))
    rows, columns = np.mgrid[:512, :640] + 0.5
    inner = np.abs(rows - 4.5 * 64) + np.abs(columns - 5.5 * 64)
    band = np.abs(inner - 80) < 3
    # Discs of radius 14, of which a number hides a little; black ink is none of them.
    disc = 0.5 * np.pi * (0.84 * 14) ** 2
    for rank in range(5):
        line = painted(photo, drawing.colour_of(rank))
        assert line[band].sum() > 100
        assert line[~band].sum() > disc


def test_part_at_the_corner_stays_in_the_image(make_explanation):
    explanation = make_explanation((0, 0), (0, 0), (7, 9))
    picture = explanation_picture(BLACK, explanation)
    full = np.asarray(picture)
    assert (full[: MARGIN - 1] == 255).all()
    assert (full[:, : MARGIN - 1] == 255).all()
    photo = photo_of(picture, (32, 40))
    assert painted(photo, drawing.colour_of(0))[:40, :40].sum() > 200
    assert painted(photo, drawing.colour_of(1)).sum() > 200


def test_absent_parts_are_not_drawn(make_explanation):
    explanation = make_explanation(None, None)
    photo = photo_of(explanation_picture(BLACK, explanation), (32, 40))
    assert not photo.any()
    one = make_explanation(None, (4, 4))
    photo = photo_of(explanation_picture(BLACK, one), (32, 40))
    assert painted(photo, drawing.colour_of(0)).any()
    assert not painted(photo, drawing.colour_of(1)).any()


def test_number_of_parts(make_explanation):
    explanation = make_explanation((1, 1), (1, 7), (6, 2))
    photo = photo_of(explanation_picture(BLACK, explanation, parts=2), (32, 40))
    assert painted(photo, drawing.colour_of(1)).any()
    assert not painted(photo, drawing.colour_of(2)).any()
    many = make_explanation(*[(i % 8, i % 10) for i in range(20)])
    tall = explanation_picture(BLACK, many, parts=20)
    assert tall.height > 20 * 60
    for parts in (0, -1, 1.5, "2", True):
        with pytest.raises(ConfigError, match="parts is a whole number from 1"):
            explanation_picture(BLACK, explanation, parts=parts)


SIZES = [(32, 32), (224, 224), (1500, 1000), (20, 900), (900, 20), (1, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_sizes(size, make_explanation):
    explanation = make_explanation((1, 1), (7, 9), image_size=size)
    picture = explanation_picture(np.full((*size, 3), 90, "uint8"), explanation)
    assert picture.mode == "RGB"
    scale = IMAGE_SIDE / max(size)
    width = max(1, round(size[1] * scale))
    assert picture.width == width + 380 + 28 + 2 * MARGIN
    assert picture.height >= max(1, round(size[0] * scale)) + 2 * MARGIN


def test_another_size_of_the_same_image(make_explanation):
    explanation = make_explanation((3, 4), image=None)
    small = explanation_picture(np.full((32, 40, 3), 90, "uint8"), explanation)
    large = explanation_picture(np.full((320, 400, 3), 90, "uint8"), explanation)
    np.testing.assert_array_equal(np.asarray(small), np.asarray(large))


GREY = np.arange(48, dtype="uint8").reshape(6, 8) * 5


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (GREY, GREY[..., None]),
        (GREY[..., None], GREY[..., None]),
        (GREY.astype("float32"), GREY[..., None]),
        (GREY[..., None] / 235.0 * 0.999999, GREY[..., None] / 235 * 255),
        (GREY.astype("int64"), GREY[..., None]),
        (GREY[..., None] * 100.0, GREY[..., None] / 235 * 255),
        (GREY[..., None] - 35.0, GREY[..., None] / 235 * 255),
        (np.stack([GREY, GREY + 20], -1), GREY[..., None] + 10),
        (np.stack([GREY, GREY[::-1], GREY * 0, GREY * 0 + 9], -1), None),
        (Image.fromarray(GREY), GREY[..., None]),
        (np.zeros((6, 8, 3)), np.zeros((6, 8, 1))),
        (np.ones((6, 8, 3)), np.ones((6, 8, 1))),
        (np.full((6, 8, 1), 300.0), None),
        (np.full((6, 8, 1), -5.0), None),
    ],
)
def test_display_image(image, expected):
    with np.errstate(all="raise"):
        shown = np.asarray(drawing.display_image(image), float)
    assert shown.shape == (6, 8, 3)
    if expected is None and np.asarray(image).shape[2] == 4:
        expected = image[..., :3]
    if expected is not None:
        assert np.abs(shown - expected).max() <= 1


@pytest.mark.parametrize(
    "image",
    [
        np.zeros(5),
        np.zeros((2, 4, 4, 3)),
        np.zeros((0, 4, 3)),
        np.full((4, 4, 3), "a"),
        np.full((4, 4, 3), np.nan),
        np.full((4, 4, 3), np.inf),
        "dog.jpg",
    ],
)
def test_what_is_no_image(image, make_explanation):
    with pytest.raises(DataError, match=r"one image|NaN or infinite"):
        explanation_picture(image, make_explanation((1, 1)))


def test_text_is_cut_to_its_place():
    font = drawing.font(15)
    for text in ("a", "W" * 300, "a\nb\tc", "", "日本" * 80):
        for width in (40, 200):
            for keep_end in (False, True):
                cut = drawing.fitted(text, 15, width, keep_end=keep_end)
                assert font.getlength(cut) <= width
                assert "\n" not in cut
    assert drawing.fitted("abc", 15, 200) == "abc"
    path = "a/long/way/to/an/image/of/a/dog.jpg"
    assert drawing.fitted(path, 15, 120, keep_end=True).endswith("a/dog.jpg")
    assert drawing.fitted(path, 15, 120).startswith("a/long/way")


def test_long_names_and_labels(make_explanation):
    explanation = make_explanation((1, 1), image="x" * 500 + "\n\x00")
    plain = make_explanation((1, 1))
    size = explanation_picture(BLACK, plain).size
    assert explanation_picture(BLACK, explanation).size == size


def test_numbers_are_readable_on_every_colour():
    def luminance(colour):
        linear = [
            c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4
            for c in colour
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert len(set(drawing.PALETTE)) == 7
    for colour in drawing.PALETTE:
        ink = drawing._readable_on(colour)
        low, high = sorted((luminance(ink), luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_grid(make_explanation):
    explanations = [make_explanation((3, 4), (1, 1), None) for _ in range(5)]
    images = np.zeros((5, 32, 40, 3), "uint8")
    grid = part_grid(images, explanations, [1, 0, 2], columns=4, side=80)
    tall, wide, gap, head = 64, 80, 6, 132
    assert grid.size == (head + 4 * (wide + gap) + 2 * gap, 3 * (tall + gap) + 2 * gap)
    full = np.asarray(grid)
    for row, cell in enumerate([(1, 1), (3, 4), None]):
        for column in range(4):
            top, left = gap + row * (tall + gap), head + gap + column * (wide + gap)
            tile = full[top : top + tall, left : left + wide]
            found = np.argwhere(painted(tile, drawing.colour_of(2)))
            if cell is None:
                assert not len(found)
                assert (tile == 153).all()  # paler: 60 % white over black
                continue
            centre = (np.array(cell) + 0.5) * 8
            assert np.abs(found.mean(0) + 0.5 - centre).max() < 1


def test_grid_of_the_strongest(make_explanation):
    explanations = [
        make_explanation((1, 1)),
        make_explanation(None),
        make_explanation((1, 1), (0, 0), (0, 0)),
    ]
    shades = np.array([50, 100, 150], "uint8")
    images = np.broadcast_to(shades[:, None, None, None], (3, 32, 40, 3))
    for strongest, order in ((False, [50, 178, 150]), (True, [150, 50, 178])):
        grid = part_grid(images, explanations, [0], side=80, strongest=strongest)
        row = np.asarray(grid)[6 + 60, 132 + 6 + 75 :: 86, 0][:3]
        assert np.abs(row.astype(int) - order).max() <= 15


def test_grid_of_an_image_set(make_explanation):
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 40, 3)).astype("uint8")
    explanations = [make_explanation((1, 1)) for _ in range(2)]
    expected = np.asarray(part_grid(images, explanations, [0]))
    for given in (ImageArray(images), list(images)):
        found = np.asarray(part_grid(given, explanations, [0]))
        np.testing.assert_array_equal(found, expected)


def test_bad_grids(make_explanation):
    explanations = [make_explanation((1, 1)) for _ in range(2)]
    images = np.zeros((2, 32, 40, 3), "uint8")
    with pytest.raises(DataError, match="at least one explanation and one filter"):
        part_grid(images, explanations, [])
    with pytest.raises(DataError, match="at least one explanation"):
        part_grid(images[:0], [], [0])
    with pytest.raises(DataError, match="1 images but 2 explanations"):
        part_grid(images[:1], explanations, [0])
    with pytest.raises(DataError, match="no filter 1"):
        part_grid(images, explanations, [1])
    for arguments in ({"columns": 0}, {"side": 5}, {"side": 50.0}, {"columns": True}):
        with pytest.raises(ConfigError, match="is a whole number from"):
            part_grid(images, explanations, [0], **arguments)
