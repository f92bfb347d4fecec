"""Image files made in memory, for the tests of this folder."""

import io
import struct
import zlib

import numpy as np

SIZE = (11, 7)


def noise(height=SIZE[0], width=SIZE[1], channels=3, seed=0):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def png(array, bit_depth=8, declared=None, extra=()):
    """PNG bytes written by hand, as Pillow writes no 16-bit colour."""
    array = np.atleast_3d(array)
    height, width, channels = array.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = b"".join(b"\0" + row.astype(f">u{bit_depth // 8}").tobytes() for row in array)
    declared = declared or (width, height)

    def chunk(kind, data):
        code = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", code)

    head = struct.pack(">IIBBBBB", *declared, bit_depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + b"".join(chunk(kind, data) for kind, data in extra)
        + chunk(b"IDAT", zlib.compress(raw))
        + chunk(b"IEND", b"")
    )


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def put(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return path
