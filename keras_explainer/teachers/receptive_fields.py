"""Strides and receptive fields of all values of a graph, layer by layer.

Per axis, cell i of a map has its centre at `centre + stride * i` pixels and sees a
window of `size` pixels. A window of k cells with dilation d, stride t and p cells of
padding before it gives
    size' = size + d (k - 1) stride,  centre' = centre + (d (k - 1) / 2 - p) stride,
    stride' = t stride.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_explainer.teachers.frozen_layer import run_frozen
from keras_explainer.teachers.graph_step import Step, call_step, variables_of
from keras_explainer.teachers.model_graph import ModelGraph
from keras_explainer.teachers.tap_geometry import TapGeometry

layers = keras.layers


@dataclass(frozen=True)
class AxisField:
    """One axis of a map: `size` and `centre` are None when they are not known."""

    stride: float
    size: float | None
    centre: float | None


Fields = tuple[AxisField, AxisField]

_WINDOWS = (
    layers.Conv2D,
    layers.DepthwiseConv2D,
    layers.SeparableConv2D,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
)
# Layers that leave each cell where it is. Normalisation over space is among them: it
# reaches over the whole map and locates nothing.
_IN_PLACE = (
    layers.Activation,
    layers.ReLU,
    layers.LeakyReLU,
    layers.PReLU,
    layers.ELU,
    layers.Softmax,
    layers.BatchNormalization,
    layers.LayerNormalization,
    layers.GroupNormalization,
    layers.UnitNormalization,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.AlphaDropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
    layers.Rescaling,
    layers.Normalization,
    layers.Dense,
    layers.Add,
    layers.Subtract,
    layers.Multiply,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    layers.Concatenate,
)


class ReceptiveFields:
    """The fields of all values of a graph with a known input size.

    Args:
        graph: The flattened model.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.shapes: list[Any] = [value.shape for value in graph.values]
        self._fields: dict[int, Fields | None] = {
            graph.input: (AxisField(1.0, 1.0, 0.5), AxisField(1.0, 1.0, 0.5))
        }
        self._probed: dict[str, bool] = {}
        for step in graph.steps:
            fields = self._through(step)
            for value in step.outputs:
                self._fields[value] = fields if self._is_map(value) else None

    def stride(self, value: int) -> tuple[float, float]:
        """Pixels between cells; image size / map size when it cannot be derived."""
        fields = self._fields.get(value)
        if fields is not None:
            return fields[0].stride, fields[1].stride
        image, cells = self.shapes[self.graph.input], self.shapes[value]
        return image[1] / cells[1], image[2] / cells[2]

    def geometry(self, value: int) -> TapGeometry:
        """The geometry of one map."""
        shape, fields = self.shapes[value], self._fields.get(value)
        return TapGeometry(
            image_size=_pair(self.shapes[self.graph.input]),
            map_size=_pair(shape),
            stride=self.stride(value),
            receptive_field=_both(fields, lambda axis: axis.size),
            first_centre=_both(fields, lambda axis: axis.centre),
        )

    def _is_map(self, value: int) -> bool:
        return len(self.shapes[value]) == 4

    def _through(self, step: Step) -> Fields | None:
        """The fields after one step, None when the step is not understood."""
        if not any(self._is_map(value) for value in step.outputs):
            return None
        layer = step.operation
        if layer is None or isinstance(layer, _IN_PLACE):
            if isinstance(layer, layers.Concatenate) and layer.axis not in (-1, 3):
                return None
            return self._merge(step)
        if len(step.inputs) != 1 or not self._is_map(step.inputs[0]):
            return self._merge(step) if self._keeps_positions(step) else None
        before = self._fields.get(step.inputs[0])
        if before is None:
            return None
        sizes = _pair(self.shapes[step.inputs[0]])
        after = [self._axis(layer, axis, before[axis], sizes[axis]) for axis in (0, 1)]
        if after[0] is not None and after[1] is not None:
            return after[0], after[1]
        return before if self._keeps_positions(step) else None

    def _merge(self, step: Step) -> Fields | None:
        """Branches that meet; a 1x1 map is broadcast and locates nothing."""
        cells = _pair(self.shapes[step.outputs[0]])
        branches = [
            self._fields.get(value)
            for value in step.inputs
            if self._is_map(value) and _pair(self.shapes[value]) == cells
        ]
        if not branches or any(branch is None for branch in branches):
            return None
        known = [branch for branch in branches if branch is not None]
        return (
            _agree([branch[0] for branch in known]),
            _agree([branch[1] for branch in known]),
        )

    def _axis(
        self, layer: Any, axis: int, field: AxisField, cells: int
    ) -> AxisField | None:
        if isinstance(layer, layers.Conv2DTranspose):
            return _transposed(layer, axis, field)
        if isinstance(layer, _WINDOWS):
            pooling = hasattr(layer, "pool_size")
            window = (layer.pool_size if pooling else layer.kernel_size)[axis]
            dilation = 1 if pooling else layer.dilation_rate[axis]
            reach = dilation * (window - 1)
            step = layer.strides[axis]
            padding = _same_padding(cells, reach + 1, step, layer.padding)
            return _window(field, reach, step, padding)
        if isinstance(layer, layers.ZeroPadding2D):
            return _shifted(field, -layer.padding[axis][0])
        if isinstance(layer, layers.Cropping2D):
            return _shifted(field, layer.cropping[axis][0])
        if isinstance(layer, layers.CenterCrop):
            target = (layer.height, layer.width)[axis]
            return _shifted(field, (cells - target) // 2) if target <= cells else None
        if isinstance(layer, layers.UpSampling2D):
            return _resized(field, 1 / layer.size[axis], layer.interpolation, 1.0)
        if isinstance(layer, layers.Resizing):
            if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio:
                return None
            target = (layer.height, layer.width)[axis]
            ratio = cells / target
            wide = max(ratio, 1.0) if layer.antialias else 1.0
            return _resized(field, ratio, layer.interpolation, wide)
        return None

    def _keeps_positions(self, step: Step) -> bool:
        """Whether an unknown operation changes only the cells that change in its input.

        Found by a probe, once for each kind and configuration: a layer of the user's
        that scales channels, an operation of `keras.ops`.
        """
        maps = [value for value in step.inputs if self._is_map(value)]
        cells = _pair(self.shapes[step.outputs[0]])
        if not any(_pair(self.shapes[value]) == cells for value in maps):
            return False
        key = _kind(step.operation)
        if key not in self._probed:
            try:
                self._probed[key] = self._probe(step, cells)
            except Exception:
                # An operation that refuses random input tells nothing.
                self._probed[key] = False
        return self._probed[key]

    def _probe(self, step: Step, cells: tuple[int, int]) -> bool:
        random = np.random.default_rng(0)
        inputs = {
            value: random.uniform(0.5, 1.5, (1, *self.shapes[value][1:]))
            for value in step.inputs
        }
        # Off the middle, which a flip would leave in place.
        at = ((cells[0] - 1) // 3, (cells[1] - 1) // 4)

        def output() -> np.ndarray:
            tensors = {
                str(value): keras.ops.convert_to_tensor(
                    array, dtype=self.graph.values[value].dtype
                )
                for value, array in inputs.items()
            }
            result = run_frozen(
                lambda given: call_step(step, {int(k): v for k, v in given.items()}),
                variables_of([step.operation]),
                tensors,
            )
            result = keras.tree.flatten(result)[0]
            return keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))

        before = output()
        for value in step.inputs:
            if self._is_map(value) and _pair(self.shapes[value]) == cells:
                inputs[value] = inputs[value].copy()
                inputs[value][0, at[0], at[1]] += random.uniform(
                    0.5, 1.0, self.shapes[value][-1]
                )
        after = output()
        changed = np.argwhere((before != after).any(-1)[0])
        return bool(len(changed) == 1 and tuple(changed[0]) == at)


def _window(field: AxisField, reach: int, step: int, padding: int) -> AxisField:
    return AxisField(
        field.stride * step,
        _plus(field.size, reach * field.stride),
        _plus(field.centre, (reach / 2 - padding) * field.stride),
    )


def _transposed(layer: Any, axis: int, field: AxisField) -> AxisField | None:
    """Output o gathers inputs i with o = i t + j - p, j = 0 … d (k - 1).

    The window bounds what any output sees: it depends on o mod t.
    """
    if layer.output_padding is not None:
        return None
    step = layer.strides[axis]
    reach = layer.dilation_rate[axis] * (layer.kernel_size[axis] - 1)
    cut = max(reach + 1 - step, 0) // 2 if layer.padding == "same" else 0
    return AxisField(
        field.stride / step,
        _plus(field.size, reach / step * field.stride),
        _plus(field.centre, (cut - reach / 2) / step * field.stride),
    )


def _shifted(field: AxisField, cells: int) -> AxisField:
    return AxisField(
        field.stride, field.size, _plus(field.centre, cells * field.stride)
    )


def _resized(
    field: AxisField, ratio: float, interpolation: str, wide: float
) -> AxisField:
    """Cell i of the new map lies at (i + .5) ratio - .5 of the old one.

    The window bounds what any cell sees: which old cells it reads depends on where
    between them it lies.
    """
    nearest = 1 - ratio if ratio < 1 else 1.0
    reach = wide * {"nearest": nearest, "bilinear": 2.0}.get(interpolation, 6.0)
    return AxisField(
        field.stride * ratio,
        _plus(field.size, reach * field.stride),
        _plus(field.centre, (0.5 * ratio - 0.5) * field.stride),
    )


def _same_padding(cells: int, window: int, step: int, padding: str) -> int:
    """Cells of padding before the map; 'same' puts the odd one after it."""
    if padding != "same":
        return 0
    needed = (math.ceil(cells / step) - 1) * step + window - cells
    return max(needed, 0) // 2


def _agree(axes: Sequence[AxisField]) -> AxisField:
    """Branches that meet: the widest window, and the centre that all share."""
    first = axes[0]
    sizes = [axis.size for axis in axes if axis.size is not None]
    centres = [axis.centre for axis in axes]
    same = all(
        centre is not None
        and first.centre is not None
        and abs(centre - first.centre) < 1e-6
        and abs(axis.stride - first.stride) < 1e-6
        for centre, axis in zip(centres, axes, strict=True)
    )
    size = max(sizes) if len(sizes) == len(axes) else None
    return AxisField(first.stride, size, first.centre if same else None)


def _kind(operation: Any) -> str:
    """Class and configuration without the name, which is another for each layer."""
    try:
        config = dict(operation.get_config())
    except Exception:
        config = {"id": id(operation)}
    config.pop("name", None)
    return f"{type(operation).__module__}.{type(operation).__name__}{config}"


def _plus(number: float | None, more: float) -> float | None:
    return None if number is None else number + more


def _pair(shape: Sequence[Any]) -> tuple[int, int]:
    return int(shape[1]), int(shape[2])


def _both(
    fields: Fields | None, of: Callable[[AxisField], float | None]
) -> tuple[float, float] | None:
    if fields is None:
        return None
    first, second = of(fields[0]), of(fields[1])
    return None if first is None or second is None else (first, second)
