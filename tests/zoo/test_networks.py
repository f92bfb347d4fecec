"""The paper's networks: their layers, and the readers of their weight files."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import test_case
from compilation import zero_initializers

from keras_explainer.errors import ConfigError, TeacherError
from keras_explainer.teachers import Teacher
from keras_explainer.teachers.networks import (
    NETWORKS,
    CeilMaxPooling2D,
    GroupedConv2D,
    ImageMean,
    LocalResponseNormalization,
)

pytest.importorskip("scipy")
import mat_files

WIDTH, CLASSES = 8, 5
ALPHA = WIDTH / 96
MEAN = np.array([120.0, 110.0, 100.0], "float32")


class TestLayers(test_case.TestCase):
    """Each layer: shapes, saving, precision, gradient; and against plain NumPy."""

    def test_normalisation(self) -> None:
        layer = LocalResponseNormalization(5, 2.0, 0.1, 0.75)
        self.run_layer_test(
            layer,
            (2, 4, 3, 7),
            expected_output_shape=(2, 4, 3, 7),
            trainable_weights=0,
            non_trainable_weights=0,
        )
        x = test_case.noise((2, 4, 3, 7))
        expected = [
            mat_files._norm(one.astype("float64"), {"param": (5, 2.0, 0.1, 0.75)})
            for one in x
        ]
        found = test_case.to_numpy(layer(x))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def test_pooling(self) -> None:
        layer = CeilMaxPooling2D(3, 2)
        self.run_layer_test(
            layer,
            (2, 8, 7, 3),
            expected_output_shape=(2, 4, 3, 3),
            trainable_weights=0,
            non_trainable_weights=0,
        )
        # All negative: cells that are not there must not count as 0.
        x = -1 - np.abs(test_case.noise((1, 8, 7, 3)))
        pad = {"pool": 3, "stride": 2, "pad": (0, 1, 0, 0)}
        np.testing.assert_allclose(
            test_case.to_numpy(layer(x))[0], mat_files._pool(x[0], pad), rtol=1e-6
        )

    def test_groups(self) -> None:
        layer = GroupedConv2D(6, 3, groups=2, padding="same", activation="relu")
        self.run_layer_test(
            layer,
            (2, 5, 6, 4),
            expected_output_shape=(2, 5, 6, 6),
            trainable_weights=2,
            non_trainable_weights=0,
        )
        layer.bias.assign(np.linspace(-1, 1, 6))
        x = test_case.noise((1, 5, 6, 4))
        weights = tuple(layer.get_weights())
        given = {"weights": weights, "pad": (1, 1, 1, 1), "stride": 1}
        expected = np.maximum(mat_files._conv(x[0], given), 0)
        np.testing.assert_allclose(
            test_case.to_numpy(layer(x))[0], expected, rtol=1e-4, atol=1e-5
        )

    def test_mean(self) -> None:
        layer = ImageMean()
        x = np.full((2, 4, 5, 3), 200.0, "float32")
        found = test_case.to_numpy(layer(x))
        expected = 200 - np.array([123.68, 116.779, 103.939])
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape))
        assert not layer.trainable_weights
        again = ImageMean.from_config(layer.get_config())
        again.build(x.shape)
        again.set_weights([np.zeros((4, 5, 3), "float32")])
        np.testing.assert_array_equal(test_case.to_numpy(again(x)), x)

    @pytest.mark.parametrize("size", [0, 4])
    def test_windows_that_are_not_accepted(self, size: int) -> None:
        with pytest.raises(ConfigError, match="odd"):
            LocalResponseNormalization(size)


@pytest.mark.one_backend
def test_published_sizes() -> None:
    """Parameters of the published networks, without the mean image."""
    published = {"AlexNet": 60_965_224, "VGGM": 102_908_520, "VGGS": 102_908_520}
    for name, build in NETWORKS.items():
        with zero_initializers():
            model = build()
        mean = np.prod(model.input_shape[1:])
        assert model.count_params() - mean == published[name], name


def built(name: str, path: Path, **changes) -> Teacher:
    arguments = {"alpha": ALPHA, "classes": CLASSES, "tap": "conv5", **changes}
    with zero_initializers():
        return Teacher.from_applications(name, weights=path, **arguments)


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def network(request, tmp_path_factory):
    """Name, layers, file and teacher of a narrow network, and an image."""
    name = request.param
    layers = mat_files.NETWORKS[name](WIDTH, CLASSES)
    path = tmp_path_factory.mktemp("mat") / f"{name}.mat"
    mat_files.write(path, layers, MEAN.reshape(1, 1, 3), old=name == "VGGS")
    side = 227 if name == "AlexNet" else 224
    image = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), "uint8")
    return name, layers, path, built(name, path), image


def test_outputs_equal_those_of_matconvnet(network) -> None:
    """Every layer's output, the classifier's too, against NumPy and SciPy."""
    name, layers, _, teacher, image = network
    expected = mat_files.forward(layers, image[0].astype("float64") - MEAN)
    model = teacher.model
    shown = {
        **{f"conv{k}": f"relu{k}" for k in range(1, 6)},
        **{"norm1": "norm1", "pool1": "pool1", "pool2": "pool2", "pool5": "pool5"},
        **{"fc6": "relu6", "fc7": "relu7", "fc8": "prob"},
    }
    outputs = keras.Model(
        model.inputs, {mine: model.get_layer(mine).output for mine in shown}
    )
    found = outputs.predict(image.astype("float32"), verbose=0)
    for mine, theirs in shown.items():
        wanted = expected[theirs]
        got = found[mine].reshape(wanted.shape)
        scale = np.abs(wanted).max()
        assert scale > 1e-3, mine
        np.testing.assert_allclose(got, wanted, atol=2e-5 * scale, err_msg=mine)
    assert teacher.targets == ("fc6", "fc7")
    logits = teacher.classify(image)["logits"]
    np.testing.assert_allclose(logits[0], expected["fc8"][0, 0], rtol=1e-3, atol=1e-4)
    stride = 12.0 if name == "VGGS" else 16.0
    assert teacher.geometry.stride == (stride, stride)


def test_images_that_are_not_0_to_255_are_refused(network) -> None:
    _, _, _, teacher, image = network
    from keras_explainer.errors import DataError

    with pytest.raises(DataError, match="255"):
        teacher.extract(image / 255.0)


def test_a_teacher_from_a_file_comes_back(network) -> None:
    _, _, path, teacher, _ = network
    assert teacher.source["weights"] == str(path)
    assert Teacher.from_source(teacher.source).fingerprint == teacher.fingerprint


@pytest.mark.one_backend
def test_other_networks_are_refused(network, tmp_path: Path) -> None:
    name, layers, path, _, _ = network
    other = "VGGM" if name == "AlexNet" else "AlexNet"
    with pytest.raises(TeacherError, match=r"filters|another network"):
        built(other, path)
    with pytest.raises(TeacherError, match=r"filters .* in 'fc8'"):
        built(name, path, classes=CLASSES + 1)
    changed = [dict(layer) for layer in layers]
    for layer in changed:
        if layer["type"] == "lrn":
            layer["param"] = (5, 1, 5e-4, 0.75)
    mat_files.write(tmp_path / "lrn.mat", changed, None)
    with pytest.raises(TeacherError, match="has param"):
        built(name, tmp_path / "lrn.mat")
    without = [layer for layer in layers if layer["name"] != "pool2"]
    mat_files.write(tmp_path / "pool.mat", without, None)
    with pytest.raises(TeacherError, match="layers of pooling"):
        built(name, tmp_path / "pool.mat")
    broken = [dict(layer) for layer in layers]
    kernel, bias = broken[0]["weights"]
    broken[0]["weights"] = (np.full_like(kernel, np.nan), bias)
    mat_files.write(tmp_path / "nan.mat", broken, None)
    with pytest.raises(TeacherError, match="NaN"):
        built(name, tmp_path / "nan.mat")


def test_a_mean_image_of_the_files_own_size(tmp_path: Path) -> None:
    layers = mat_files.alexnet(WIDTH, CLASSES)
    mean = np.random.default_rng(0).uniform(90, 130, (227, 227, 3)).astype("float32")
    mat_files.write(tmp_path / "alex.mat", layers, mean)
    teacher = built("AlexNet", tmp_path / "alex.mat")
    np.testing.assert_array_equal(teacher.model.get_layer("mean").mean, mean)
    # Of another size: its mean colour.
    layers = mat_files.vgg_m(WIDTH, CLASSES)
    mat_files.write(tmp_path / "m.mat", layers, mean)
    found = np.asarray(built("VGGM", tmp_path / "m.mat").model.get_layer("mean").mean)
    np.testing.assert_allclose(found[3, 5], mean.mean((0, 1)), rtol=1e-5)


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory) -> Path:
    """VGG-16's convolutions are as published: its file cannot be narrow."""
    widths = [64, 64, 128, 128, 256, 256, 256, *[512] * 6]
    pools = {1, 3, 6, 9, 12}
    layers, before = [], 3
    for number, after in enumerate(widths):
        shape = (3, 3, before, after)
        layers += [conv_of(f"conv{number}", shape), mat_files.relu(f"relu{number}")]
        if number in pools:
            layers.append(mat_files.pool(f"pool{number}", 2, 2))
        before = after
    layers += [
        mat_files.conv("fc6", (1, 1, 512, 4096)),
        mat_files.relu("relu6"),
        mat_files.conv("fc7", (1, 1, 4096, 4096)),
        mat_files.relu("relu7"),
        mat_files.conv("fc8", (1, 1, 4096, CLASSES)),
        {"type": "softmax", "name": "prob"},
    ]
    path = tmp_path_factory.mktemp("vgg") / "imagenet-vgg-verydeep-16.mat"
    mat_files.write(path, layers, [123.68, 116.779, 103.939], packed=False)
    return path


def conv_of(name: str, shape) -> dict:
    return mat_files.conv(name, shape, pad=(1, 1, 1, 1))


@pytest.mark.one_backend
def test_vgg16_of_keras_takes_the_file_with_its_colours_turned(vgg16: Path) -> None:
    given = {"input_shape": (32, 32, 3), "classes": CLASSES, "tap": "block5_conv3"}
    with zero_initializers():
        teacher = Teacher.from_applications("VGG16", weights=vgg16, **given)
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), "uint8")
    kernel = mat_files.conv("conv0", (3, 3, 3, 64))["weights"][0]
    bias = mat_files.conv("conv0", (3, 3, 3, 64))["weights"][1]
    centred = image[0] - np.array([123.68, 116.779, 103.939])
    layer = {"weights": (kernel, bias), "pad": (1, 1, 1, 1), "stride": 1}
    expected = np.maximum(mat_files._conv(centred, layer), 0)
    model = teacher.model
    first = keras.Model(model.inputs, model.get_layer("block1_conv1").output)
    found = test_case.to_numpy(first(teacher.preprocess(image), training=False))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-2)
    assert teacher.targets == ("fc1", "fc2")
    with pytest.raises(TeacherError, match="'caffe', not 'tf'"):
        Teacher.from_applications("VGG16", weights=vgg16, preprocessing="tf", **given)


# Files that mean harm, or are none


@pytest.mark.one_backend
@pytest.mark.parametrize("content", [b"", b"x" * 500, b"MATLAB 5.0" + b" " * 200])
def test_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(content)
    with pytest.raises(TeacherError, match=r"no \.mat file"):
        built("AlexNet", path)


@pytest.mark.one_backend
def test_a_file_that_ends_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    mat_files.write(path, mat_files.alexnet(WIDTH, CLASSES), None)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(TeacherError, match="damaged"):
        built("AlexNet", path)


@pytest.mark.one_backend
def test_a_file_that_unpacks_to_too_much(tmp_path: Path, monkeypatch) -> None:
    from scipy.io import savemat

    from keras_explainer.teachers.networks import mat_file

    path = tmp_path / "bomb.mat"
    savemat(path, {"layers": np.zeros((1, 1 << 22))}, do_compression=True)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(mat_file, "MAX_BYTES", 1 << 20)
    with pytest.raises(TeacherError, match="unpacks to more"):
        built("AlexNet", path)


@pytest.mark.one_backend
def test_a_file_of_version_7_3(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(TeacherError, match="-v7"):
        built("AlexNet", path)


@pytest.mark.one_backend
def test_other_things_in_a_mat_file(tmp_path: Path) -> None:
    from scipy.io import savemat

    path = tmp_path / "x.mat"
    savemat(path, {"a": 1})
    with pytest.raises(TeacherError, match="no network of MatConvNet"):
        built("AlexNet", path)
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = "text", 3
    savemat(path, {"layers": cells})
    with pytest.raises(TeacherError, match="none of MatConvNet's"):
        built("AlexNet", path)


def test_networks_without_weights_of_their_own() -> None:
    with pytest.raises(TeacherError, match="no ImageNet weights of AlexNet"):
        Teacher.from_applications("AlexNet", weights="imagenet", alpha=ALPHA)
    with pytest.raises(TeacherError, match="VGGM"):
        Teacher.from_applications("VGG-M")
