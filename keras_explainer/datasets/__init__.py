"""Images, part tables, splits: what is learned from and what is measured on."""

from .bad_image import BadImage
from .image_array import ImageArray
from .image_folder import ImageFolder
from .image_reader import ImageReader
from .image_source import ImageSource
from .image_subset import ImageSubset
from .part_table import PartTable

__all__ = [
    "BadImage",
    "ImageArray",
    "ImageFolder",
    "ImageReader",
    "ImageSource",
    "ImageSubset",
    "PartTable",
]
