"""What an explainer can be asked once it has learned."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from keras import ops

from keras_explainer.datasets.feature_cache import FeatureCache
from keras_explainer.datasets.views import ViewSpec
from keras_explainer.errors import DataError
from keras_explainer.explainer import learning
from keras_explainer.explainer.start_sample import in_memory


class Explaining:
    """Explanations of images, and what they rest on: means, levels, fingerprint."""

    def explain(
        self, images: Any, class_index: int | str | None = None, **kwargs: Any
    ) -> Any:
        """Per image: the parts, where they are, and what each adds to a class' logit.

        Args:
            images, class_index, **kwargs: see `keras_explainer.explanation.explain`.

        Returns:
            `keras_explainer.results.Explanations`.
        """
        from keras_explainer.explanation import explain

        return explain(self, images, class_index, **kwargs)  # type: ignore[arg-type]

    def measure_tracks(self, features: Any) -> None:
        """Measures the tracks' means and variances on train images, and keeps them.

        Args:
            features: images in any form that `fit` takes.
        """
        learning.measure_tracks(self, in_memory(self.features(features)))  # type: ignore

    def calibrate_presence(self, images: Any) -> None:
        """Sets from which strength on each filter's part is said to be there.

        `fit` does it at its end; for an explainer of before there were levels, or one
        that is to be used on images of another kind. See `presence.presence_levels`.

        Args:
            images: train images in any form that `fit` takes, at least some dozens;
                no annotation is read. Features must have several views.

        Raises:
            DataError: features of one view, or what are no images for the teacher.
        """
        views = self.views if self.views.count > 1 else ViewSpec(count=4)  # type: ignore
        features = self.features(images, views=views)  # type: ignore
        if isinstance(features, FeatureCache) and features.views < 2:
            raise DataError(
                "Presence is calibrated on several views of each image, these features "
                "have one. Give the images, or features with views."
            )
        learning.calibrate_presence(self, in_memory(features))  # type: ignore[arg-type]

    @property
    def share(self) -> float:
        """`p`, the share of the interpretable track, in (0, 1)."""
        return float(ops.convert_to_numpy(self.encoder.gate.share))  # type: ignore

    @property
    def filters_fingerprint(self) -> str:
        """sha256 of the weights that make the filters' maps, 64 hex digits."""
        digest = hashlib.sha256()
        for layer in (self.encoder.conv_1, self.encoder.conv_2):  # type: ignore
            for variable in layer.weights:
                values = ops.convert_to_numpy(ops.cast(variable, "float32"))
                digest.update(np.ascontiguousarray(values, "<f4").tobytes())
        return digest.hexdigest()
