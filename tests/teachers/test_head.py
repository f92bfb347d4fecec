"""Logits and answers from the last target."""

from __future__ import annotations

import archetypes
import keras
import numpy as np
import pytest

from keras_explainer.errors import TeacherError
from keras_explainer.teachers import Teacher

layers = keras.layers
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 3)).astype("uint8")


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


INVERSE = {"softmax": softmax, "sigmoid": sigmoid, "linear": lambda x: x}


@keras.saving.register_keras_serializable(package="tests")
class OwnDense(layers.Dense):
    """Applies something after its activation: it has no logits to speak of."""

    def call(self, inputs, training=None):
        return super().call(inputs) * 0.5


def pooled(*parts):
    def end(x):
        x = layers.GlobalAveragePooling2D(keepdims=True, name="gap")(x)
        for part in parts:
            x = part(x)
        return x

    return end


def flat(*parts):
    return pooled(layers.Flatten(), *parts)


ENDS = {
    "dense_softmax": (flat(layers.Dense(5, activation="softmax")), "softmax"),
    "dense_sigmoid": (flat(layers.Dense(5, activation="sigmoid")), "sigmoid"),
    "dense_linear": (flat(layers.Dense(5)), "linear"),
    "softmax_layer": (flat(layers.Dense(5), layers.Softmax()), "softmax"),
    "activation": (flat(layers.Dense(5), layers.Activation("sigmoid")), "sigmoid"),
    "dropout_between": (
        flat(layers.Dense(5), layers.Dropout(0.5), layers.Activation("softmax")),
        "softmax",
    ),
    "conv_then_reshape": (
        pooled(layers.Conv2D(5, 1), layers.Reshape((5,)), layers.Softmax()),
        "softmax",
    ),
    "activation_then_flatten": (
        pooled(layers.Conv2D(5, 1), layers.Activation("softmax"), layers.Flatten()),
        "softmax",
    ),
    "conv_softmax_then_reshape": (
        pooled(layers.Conv2D(5, 1, activation="softmax"), layers.Reshape((5,))),
        "softmax",
    ),
    "conv_linear_then_flatten": (
        pooled(layers.Conv2D(5, 1), layers.Flatten()),
        "linear",
    ),
    "ops_softmax": (
        flat(layers.Dense(5), lambda x: keras.ops.softmax(x, axis=-1)),
        "softmax",
    ),
    "ops_sigmoid": (flat(layers.Dense(5), keras.ops.sigmoid), "sigmoid"),
    "cast_to_float32": (
        flat(layers.Dense(5), layers.Activation("linear", dtype="float32")),
        "linear",
    ),
    "einsum": (
        flat(layers.EinsumDense("ab,bc->ac", 5, activation="softmax")),
        "softmax",
    ),
    "relu": (flat(layers.Dense(5, activation="relu")), None),
    "tanh": (flat(layers.Dense(5), layers.Activation("tanh")), None),
    "normalised": (flat(layers.Dense(5), layers.BatchNormalization()), None),
    "own": (flat(OwnDense(5, activation="softmax")), None),
    "pooled": (flat(), None),
}


@pytest.mark.parametrize("name", ENDS)
def test_logits(name: str) -> None:
    end, activation = ENDS[name]
    image = keras.Input((12, 10, 3))
    x = layers.Conv2D(6, 3, 2, activation="relu", name="conv1")(image)
    x = layers.Conv2D(6, 3, activation="relu", name="conv2")(x)
    model = keras.Model(image, end(x))
    random = np.random.default_rng(0)
    for weight in model.weights:
        size = 0.05 if weight.path.startswith("conv1") else 0.7
        weight.assign(size * random.normal(size=weight.shape))
    teacher = Teacher(model, "conv1", ["conv2"])
    assert teacher.logits_activation == activation
    assert teacher.has_head
    expected = array(model(IMAGES.astype("float32"), training=False))
    answer = teacher.classify(IMAGES)
    np.testing.assert_allclose(answer["outputs"], expected, rtol=1e-4, atol=1e-5)
    head = teacher.head(teacher.extract(IMAGES)[1]["conv2"])
    np.testing.assert_allclose(array(head["outputs"]), expected, rtol=1e-4, atol=1e-5)
    if activation is None:
        assert answer["logits"] is None
        assert head["logits"] is None
        return
    assert answer["logits"].shape == expected.shape
    assert answer["logits"].std() > 0.01
    np.testing.assert_allclose(
        INVERSE[activation](answer["logits"]), expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        array(head["logits"]), answer["logits"], rtol=1e-4, atol=1e-5
    )
    assert teacher.num_outputs == 5
    empty = teacher.classify(IMAGES[:0])
    assert empty["logits"].shape == empty["outputs"].shape == (0, 5)


def test_logits_are_the_last_layer_without_its_activation(teacher_of) -> None:
    teacher = teacher_of("plain")
    images = archetypes.images("plain", 2)
    last = teacher.model.get_layer("predictions")
    pooled = teacher.extract(images)[1]["conv4"].mean((1, 2))
    expected = pooled @ array(last.kernel) + array(last.bias)
    np.testing.assert_allclose(teacher.classify(images)["logits"], expected, atol=1e-5)
    assert last.activation is keras.activations.softmax


def test_targets_at_the_end() -> None:
    model = archetypes.build("depthwise")
    images = archetypes.images("depthwise", 2)
    expected = Teacher(model).classify(images)
    # The logits as last target: they are their own logits.
    teacher = Teacher(model, "pw_3_relu", ["pw_4_relu", "reshape"])
    assert teacher.has_head
    logits = teacher.extract(images)[1]["reshape"]
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-5)
    head = teacher.head(logits)
    np.testing.assert_allclose(array(head["logits"]), logits, atol=1e-6)
    np.testing.assert_allclose(array(head["outputs"]), expected["outputs"], atol=1e-6)
    # The probabilities: logits do not follow from them.
    teacher = Teacher(model, "pw_3_relu", ["predictions"])
    head = teacher.head(expected["outputs"])
    assert head["logits"] is None
    np.testing.assert_allclose(array(head["outputs"]), expected["outputs"])


def test_no_head_on_a_target_that_is_no_cut() -> None:
    model = archetypes.build("inception")
    teacher = Teacher(model, "mixed1", ["mix2_b2_act"])
    assert not teacher.has_head
    with pytest.raises(TeacherError, match="has no head on 'mix2_b2_act'"):
        teacher.head(np.zeros((1, *teacher.target_shapes["mix2_b2_act"])))
    assert not Teacher(archetypes.build("headless"), "block2_out").has_head


def test_choice_of_the_answer() -> None:
    model = archetypes.build("two_answers")
    images = archetypes.images("two_answers", 2)
    expected = model(images.astype("float32"), training=False)
    for name, activation, size in (("kind", "softmax", 6), ("where", "linear", 4)):
        teacher = Teacher(model, "conv2", ["conv3"], output=name)
        assert teacher.logits_activation == activation
        assert teacher.num_outputs == size
        found = teacher.head(teacher.extract(images)[1]["conv3"])["outputs"]
        np.testing.assert_allclose(
            array(found), array(expected[name]), rtol=1e-4, atol=1e-5
        )
    assert Teacher(model).num_outputs == 6
    with pytest.raises(TeacherError, match=r"no output 'wher'. Nearest valid: where"):
        Teacher(model, output="wher")


def test_labels() -> None:
    model = archetypes.build("plain")
    labels = list("abcdefg")
    assert Teacher(model, labels=labels).labels == labels
    with pytest.raises(TeacherError, match="6 labels were given for 7 outputs"):
        Teacher(model, labels=labels[:6])
