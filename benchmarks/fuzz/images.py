"""Image files: all formats that are read, damaged."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from benchmarks.fuzz.mutations import Draw, mutated_bytes
from benchmarks.fuzz.target import Files, Target
from keras_explainer.datasets import ImageReader

SIZE = (16, 16)


class Images(Target):
    """`ImageReader` at its own limit of 50 million pixels.

    A file of that many pixels in 16 bits and four channels is decoded to 8 bytes a
    pixel and copied twice before it is small: hence the bound.
    """

    name = "images"
    cases = 46_000
    chunk = 11_500
    megabytes = 1536
    seconds = 20.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.seeds = _encoded()
        self.readers = [
            ImageReader(SIZE),
            ImageReader((16, 9), channels=1, first_frame=True),
        ]

    def case(self, draw: Draw) -> Files:
        """One damaged file."""
        seed = draw(st.sampled_from(self.seeds))
        return {"a.png": mutated_bytes(draw, seed)}

    def read(self, folder: Path) -> None:
        """Pixels and size, by both kinds of reader; their answers must agree."""
        problems = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of damaged metadata
            for reader in self.readers:
                try:
                    found = reader.read(folder / "a.png")
                except ValueError as error:
                    problems.append(error)
                    continue
                if found.shape != reader.image_shape or found.dtype != np.uint8:
                    raise AssertionError(f"{found.dtype} {found.shape}")
                height, width = reader.size(folder / "a.png")
                if min(height, width) < 1:
                    raise AssertionError(f"a size of {height} x {width}")
        if problems:
            raise problems[0]


def _encoded() -> list[bytes]:
    """A small file of every format and kind."""
    random = np.random.default_rng(0)
    rgb = random.integers(0, 256, (13, 17, 3), np.uint8)
    colour, grey = Image.fromarray(rgb), Image.fromarray(rgb[..., 0])
    alpha = Image.fromarray(random.integers(0, 256, (13, 17, 4), np.uint8))
    deep = Image.fromarray(random.integers(0, 65536, (13, 17), np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    made: list[tuple[Any, str, dict[str, Any]]] = [
        (colour, "PNG", {}),
        (alpha, "PNG", {}),
        (grey.convert("1"), "PNG", {}),
        (colour.quantize(16), "PNG", {"transparency": 3}),
        (deep, "PNG", {}),
        (colour, "JPEG", {"exif": exif}),
        (colour, "JPEG", {"progressive": True, "quality": 40}),
        (grey, "JPEG", {}),
        (colour.convert("CMYK"), "JPEG", {}),
        (colour, "GIF", {}),
        (colour, "GIF", {"save_all": True, "append_images": [colour.rotate(90)]}),
        (colour, "WEBP", {}),
        (alpha, "WEBP", {"lossless": True, "exif": exif}),
        (colour, "BMP", {}),
        (grey.convert("1"), "BMP", {}),
        (colour, "PPM", {}),
        (deep, "PPM", {}),
        (colour, "TIFF", {}),
        (colour, "TIFF", {"compression": "tiff_lzw"}),
        (alpha, "TIFF", {"compression": "tiff_adobe_deflate", "exif": exif}),
        (grey, "TIFF", {"compression": "packbits"}),
        (grey.convert("1"), "TIFF", {"compression": "group4"}),
        (colour, "TIFF", {"compression": "jpeg"}),
        (deep, "TIFF", {}),
        (colour, "MPO", {"save_all": True, "append_images": [colour.rotate(180)]}),
        (colour, "PNG", {"save_all": True, "append_images": [colour.rotate(90)]}),
    ]
    found = []
    for image, kind, options in made:
        buffer = io.BytesIO()
        image.save(buffer, kind, **options)
        found.append(buffer.getvalue())
    return found
