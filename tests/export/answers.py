"""Asks an export, and compares what it answers with `explain` in this process.

Continuous outputs agree to 1e-5 relative (1e-6 absolute), positions and boxes to 1e-3
pixels, filters and presence exactly.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def call(loaded, endpoint, **inputs):
    import tensorflow as tf

    kinds = {name: tf.float32 for name in ("images", "features")}
    kinds["class_index"] = tf.int32
    given = {
        name: tf.constant(value, kinds.get(name, tf.string))
        for name, value in inputs.items()
    }
    return {k: v.numpy() for k, v in loaded.signatures[endpoint](**given).items()}


def assert_explains(found, explainer, images, count=4, names=None):
    """The answer is what `explain` says of the images."""
    explanations = explainer.explain(
        images, contributions=None, part_names=names, verbose=0
    )
    assert all(len(value) == len(images) for value in found.values())
    for row, item in enumerate(explanations):
        parts = item.parts[:count]
        assert found["part_filters"][row].tolist() == [p.filter for p in parts]
        assert found["part_present"][row].tolist() == [p.present for p in parts]
        assert found["status"][row] == b""
        told = [text.decode() for text in found["part_names"][row]]
        assert told == [p.name or "" for p in parts]
        close(found["part_strengths"][row], [p.strength for p in parts])
        close(
            found["part_relative_strengths"][row], [p.relative_strength for p in parts]
        )
        for name, lacking in (("position", (-1,) * 2), ("box", (-1,) * 4)):
            expected = [getattr(p, name) or lacking for p in parts]
            served = found["part_positions" if name == "position" else "part_boxes"]
            np.testing.assert_allclose(served[row], expected, atol=1e-3)
        close(found["p"][row], item.share)
        if item.answer is None:
            assert "scores" not in found
            continue
        for prefix, score in (("", item.answer), ("reconstruction_", None)):
            score = score or item.reconstruction
            at = score.class_index
            close(found[f"{prefix}scores"][row, at], score.score)
            close(found[f"{prefix}logits"][row, at], score.logit)
        assert found["scores"][row].argmax() == item.answer.class_index
        own = item.reconstruction_answer.class_index
        assert found["reconstruction_scores"][row].argmax() == own


def assert_wrong(found, row):
    """The row says nothing that could be taken for an answer."""
    for name, value in found.items():
        if name == "status":
            continue
        if value.dtype.kind == "f":
            assert np.isnan(value[row]).all(), name
        else:
            empty = {"i": -1, "b": False, "O": b""}[value.dtype.kind]
            assert (value[row] == empty).all(), name


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def example(image):
    import tensorflow as tf

    value = image if isinstance(image, bytes) else encoded(image)
    data = tf.train.BytesList(value=[value])
    feature = {"image": tf.train.Feature(bytes_list=data)}
    features = tf.train.Features(feature=feature)
    return tf.train.Example(features=features).SerializeToString()
