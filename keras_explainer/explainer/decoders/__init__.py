"""Decoders: from part features back to the teacher's higher features."""

from keras_explainer.explainer.decoders.build_decoder import (
    DECODERS,
    build_decoder,
    check_decoder,
)
from keras_explainer.explainer.decoders.conv_decoder import ConvDecoder
from keras_explainer.explainer.decoders.fc_decoder import FCDecoder
from keras_explainer.explainer.decoders.teacher_copy_decoder import TeacherCopyDecoder

__all__ = [
    "DECODERS",
    "ConvDecoder",
    "FCDecoder",
    "TeacherCopyDecoder",
    "build_decoder",
    "check_decoder",
]
