"""Receptive fields, against what the pixels of an image do to the cells of a map."""

from __future__ import annotations

import archetype_networks
import archetypes
import keras
import numpy as np
import pytest

from keras_explainer.errors import ConfigError
from keras_explainer.teachers import TapGeometry, Teacher
from keras_explainer.teachers.model_graph import ModelGraph
from keras_explainer.teachers.receptive_fields import ReceptiveFields

layers = keras.layers
SIZE = (33, 26)


def reached(model: keras.Model) -> np.ndarray:
    """(H, W, rows, cols): whether a pixel changes a cell, one pixel at a time."""
    height, width = model.input_shape[1:3]
    images = np.eye(height * width, dtype="float32").reshape(-1, height, width, 1)
    base = model.predict(np.zeros((1, height, width, 1)), verbose=0)
    maps = np.concatenate(
        [
            keras.ops.convert_to_numpy(model(images[start : start + 128]))
            for start in range(0, len(images), 128)
        ]
    )
    changed = np.abs(maps - base).max(-1) > 1e-7
    return changed.reshape(height, width, *maps.shape[1:3])


def stack(*parts) -> keras.Model:
    """A linear model with positive weights, so that nothing cancels."""
    x = image = keras.Input((*SIZE, 1))
    for part in parts:
        x = part(x)
    model = keras.Model(image, x)
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 0.5, "float32"))
    return model


def conv(size, **arguments):
    return layers.Conv2D(2, size, use_bias=False, **arguments)


def branches(x):
    left = conv(3, strides=2, padding="same")(x)
    right = layers.AveragePooling2D(2, 2, padding="same")(conv(1)(x))
    right = conv((1, 5), padding="same")(right)
    return layers.Concatenate()([left, right])


STACKS = {
    "valid": [conv(3), conv((5, 2), strides=(2, 1))],
    "same": [conv(3, strides=2, padding="same"), conv(4, strides=2, padding="same")],
    "dilated": [
        conv(3, dilation_rate=2),
        conv(3, dilation_rate=(1, 3), padding="same"),
    ],
    "depthwise": [layers.DepthwiseConv2D(5, strides=2, use_bias=False), conv(1)],
    "separable": [layers.SeparableConv2D(3, (3, 2), padding="same", use_bias=False)],
    "pooled": [
        layers.AveragePooling2D(3, 2, padding="same"),
        layers.AveragePooling2D((2, 3)),
    ],
    "padded": [
        layers.ZeroPadding2D(((3, 1), (0, 2))),
        conv(7, strides=3),
        layers.Cropping2D(((1, 0), (2, 1))),
    ],
    "transposed_valid": [
        conv(3, strides=2),
        layers.Conv2DTranspose(1, 3, 1, use_bias=False),
    ],
    "cropped": [layers.CenterCrop(21, 17), conv(3, strides=2)],
    "in_place": [
        conv(3, strides=2),
        layers.Dense(3, use_bias=False),
        layers.Rescaling(2.0),
        layers.Dropout(0.5),
        archetype_networks.ChannelScale(),
    ],
}


# A cell of an enlarged map sees more or less by its place: the field bounds it.
BOUNDED = {
    "upsampled": [
        conv(4, strides=4, padding="same"),
        layers.UpSampling2D((2, 1)),
        conv(3, padding="same"),
    ],
    "bilinear": [
        conv(3, strides=3),
        layers.UpSampling2D((3, 2), interpolation="bilinear"),
        conv(2),
    ],
    "resized": [conv(3), layers.Resizing(20, 37), conv(3, strides=2)],
    "shrunk": [conv(3), layers.Resizing(9, 7, interpolation="nearest")],
    "transposed": [
        conv(3, strides=4, padding="same"),
        layers.Conv2DTranspose(2, 4, 2, padding="same", use_bias=False),
    ],
    "transposed_odd": [conv(3, strides=4), layers.Conv2DTranspose(2, 3, (3, 2))],
}


@pytest.mark.parametrize("name", [*STACKS, *BOUNDED])
def test_fields_are_where_the_pixels_reach(name: str) -> None:
    model = stack(*{**STACKS, **BOUNDED}[name])
    graph = ModelGraph(model)
    geometry = ReceptiveFields(graph).geometry(graph.outputs[0])
    changes = reached(model)
    rows, cols = changes.shape[2:]
    assert geometry.map_size == (rows, cols)
    assert geometry.image_size == SIZE
    inside = 0
    for row in range(rows):
        for col in range(cols):
            centre = geometry.receptive_centre(row, col)
            window = [
                (middle - size / 2, middle + size / 2)
                for middle, size in zip(centre, geometry.receptive_field, strict=True)
            ]
            ys, xs = np.nonzero(changes[:, :, row, col])
            for axis, pixels in enumerate((ys, xs)):
                low, high = window[axis]
                if len(pixels) == 0:
                    continue
                # Seen pixels lie in the window; at the border it is cut.
                assert pixels.min() >= low - 1e-6
                assert pixels.max() + 1 <= high + 1e-6
            whole = all(
                low >= 0 and high <= size
                for (low, high), size in zip(window, SIZE, strict=True)
            )
            if whole and name in BOUNDED:
                inside += 1
                # Bounds that are not loose: less than two cells of the old map.
                for axis, pixels in enumerate((ys, xs)):
                    seen = pixels.max() + 1 - pixels.min()
                    assert seen > geometry.receptive_field[axis] - 12
            elif whole:
                inside += 1
                assert (ys.min(), xs.min()) == pytest.approx([w[0] for w in window])
                assert (ys.max() + 1, xs.max() + 1) == pytest.approx(
                    [w[1] for w in window]
                )
    assert inside > 0


def test_upsampling_keeps_centres_on_average() -> None:
    """Nearest cells see one window each: the two of a pair lie around its centre."""
    model = stack(conv(4, strides=4), layers.UpSampling2D((2, 2)))
    graph = ModelGraph(model)
    geometry = ReceptiveFields(graph).geometry(graph.outputs[0])
    assert geometry.stride == (2.0, 2.0)
    pair = [geometry.receptive_centre(row, 0)[0] for row in (2, 3)]
    assert np.mean(pair) == 6.0


def test_branches_that_agree_keep_the_centre() -> None:
    graph = ModelGraph(stack(branches))
    geometry = ReceptiveFields(graph).geometry(graph.outputs[0])
    # 33 rows: 3x3 'same' pads one row before, 2x2 pooling none: centres 0.5 and 1.
    assert geometry.receptive_field is not None
    assert geometry.first_centre is None
    assert geometry.stride == (2.0, 2.0)
    agreeing = ModelGraph(
        stack(
            lambda x: layers.Add()(
                [conv(3, padding="same")(x), conv(5, padding="same")(x)]
            )
        )
    )
    geometry = ReceptiveFields(agreeing).geometry(agreeing.outputs[0])
    assert geometry.receptive_field == (5.0, 5.0)
    assert geometry.first_centre == (0.5, 0.5)


@keras.saving.register_keras_serializable(package="tests")
class Mixing(layers.Layer):
    """Turns the map upside down."""

    def call(self, inputs):
        return keras.ops.flip(inputs, axis=1)


def test_a_layer_that_mixes_positions_is_seen() -> None:
    graph = ModelGraph(stack(conv(3, strides=2, padding="same"), Mixing(), conv(1)))
    geometry = ReceptiveFields(graph).geometry(graph.outputs[0])
    assert geometry.receptive_field is None
    assert geometry.first_centre is None
    assert geometry.receptive_centre(0, 0) is None
    assert geometry.stride == (33 / 17, 2.0)
    assert geometry.cell_centre(16, 12) == (16.5 * 33 / 17, 25.0)


def test_gates_and_operations_keep_positions(teacher_of) -> None:
    gated = teacher_of("squeeze_excite").geometry
    assert gated.stride == (2.0, 2.0)
    assert gated.first_centre == (1.5, 1.5)
    by_operations = Teacher(archetypes.build("operations"), "last", ["dense"]).geometry
    assert by_operations.stride == (4.0, 4.0)
    assert by_operations.receptive_field == (11.0, 11.0)
    nested = teacher_of("nested_sequential").geometry
    assert nested.stride == (8.0, 8.0)
    assert nested.first_centre == (4.0, 4.0)


def test_cell_centres() -> None:
    geometry = TapGeometry((48, 40), (6, 5), (8.0, 8.0), (19.0, 19.0), (3.5, 4.5))
    assert geometry.cell_centre(0, 0) == (4.0, 4.0)
    assert geometry.cell_centre(5, 4) == (44.0, 36.0)
    assert geometry.receptive_centre(5, 4) == (43.5, 36.5)
    for cell in ((6, 0), (0, 5), (-1, 0)):
        with pytest.raises(ConfigError, match="outside the map of 6 x 5"):
            geometry.cell_centre(*cell)
        with pytest.raises(ConfigError, match="outside the map"):
            geometry.receptive_centre(*cell)
