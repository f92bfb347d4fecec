"""Networks of the paper that keras.applications lacks, and their weight files.

Each is a constructor as those of keras.applications; `NETWORKS` lists them by name.
"""

from keras_explainer.teachers.networks.alexnet import AlexNet
from keras_explainer.teachers.networks.ceil_max_pooling_2d import CeilMaxPooling2D
from keras_explainer.teachers.networks.grouped_conv_2d import GroupedConv2D
from keras_explainer.teachers.networks.image_mean import ImageMean
from keras_explainer.teachers.networks.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_explainer.teachers.networks.vgg_m import VGGM
from keras_explainer.teachers.networks.vgg_s import VGGS

NETWORKS = {"AlexNet": AlexNet, "VGGM": VGGM, "VGGS": VGGS}

__all__ = [
    "NETWORKS",
    "VGGM",
    "VGGS",
    "AlexNet",
    "CeilMaxPooling2D",
    "GroupedConv2D",
    "ImageMean",
    "LocalResponseNormalization",
]
