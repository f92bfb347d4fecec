"""`ModelCalls`: the requests of one model, with retries, at one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from keras_explainer.errors import (
    BadAnswerError,
    ServingError,
    UnknownModelError,
    UnknownVersionError,
)
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.grpc_transport import GrpcTransport
from keras_explainer.serving.model_choice import ModelChoice
from keras_explainer.serving.model_description import ModelDescription
from keras_explainer.serving.model_metadata import ModelMetadata
from keras_explainer.serving.rest_transport import RestTransport
from keras_explainer.serving.retries import Retries
from keras_explainer.serving.version_status import VersionStatus

T = TypeVar("T")


class ModelCalls:
    """Asks about one model; each answer is checked against the model's metadata.

    Args:
        transport: To the server.
        choice: Of the model.
        retries: For every request.
    """

    def __init__(
        self,
        transport: RestTransport | GrpcTransport,
        choice: ModelChoice,
        retries: Retries,
    ) -> None:
        self.transport = transport
        self.choice = choice
        self.retries = retries
        self._descriptions: dict[int, ModelDescription] = {}

    def predict(
        self,
        metadata: ModelMetadata,
        name: str,
        inputs: Mapping[str, np.ndarray],
        deadline: Deadline,
    ) -> dict[str, np.ndarray]:
        """The outputs of an endpoint for a batch, with the kinds and shapes it has."""
        signature, choice = metadata.signature(name), self._pinned(metadata)
        signature.check_inputs(inputs)
        found = self._tried(
            lambda: self.transport.predict(choice, signature, inputs, deadline),
            deadline,
        )
        rows = len(next(iter(inputs.values())))
        return signature.checked(found, rows)

    def classify(
        self, metadata: ModelMetadata, images: list[bytes], deadline: Deadline
    ) -> list[list[tuple[str, float]]]:
        """Labels and scores of each encoded image."""
        choice = self._pinned(metadata)
        rows = self._tried(
            lambda: self.transport.classify(choice, images, deadline), deadline
        )
        if len(rows) != len(images):
            raise BadAnswerError(
                f"The server classifies {len(rows)} images of {len(images)}."
            )
        return rows

    def ready(self, deadline: Deadline) -> bool:
        """Whether the chosen version answers; asks once."""
        try:
            if self.choice.label is not None:
                self.transport.metadata(self.choice, deadline)
                return True
            known = self.transport.status(ModelChoice(self.choice.name), deadline)
        except ServingError:
            return False
        wanted = self.choice.version
        return any(
            one.available for one in known if wanted is None or one.version == wanted
        )

    def describe(self, metadata: ModelMetadata, deadline: Deadline) -> ModelDescription:
        """What the served explainer says of itself; asked once a version."""
        version = metadata.version
        if version not in self._descriptions:
            metadata.signature("describe")
            inputs = {"requests": np.array([b""], object)}
            found = self.predict(metadata, "describe", inputs, deadline)
            if "description" not in found:
                raise BadAnswerError("The server's description has no 'description'.")
            described = ModelDescription.of_text(found["description"][0])
            self._descriptions[version] = described
        return self._descriptions[version]

    def at_a_version(
        self, asked: Callable[[ModelMetadata], T], deadline: Deadline
    ) -> T:
        """Finds out which version answers, and asks that one for everything."""
        metadata = self.metadata(deadline)
        try:
            return asked(metadata)
        except UnknownVersionError:
            # It has gone since: the server has loaded a newer one.
            newer = self.metadata(deadline)
            if newer.version == metadata.version:
                raise
            return asked(newer)

    def metadata(self, deadline: Deadline) -> ModelMetadata:
        """Which version answers, and its endpoints."""
        try:
            found = self._tried(
                lambda: self.transport.metadata(self.choice, deadline), deadline
            )
        except UnknownVersionError as error:
            raise self._which_versions(error, deadline) from error
        if self.choice.version not in (None, found.version):
            raise BadAnswerError(
                f"The server answers for version {found.version} of {self.choice}."
            )
        return found

    def _which_versions(
        self, error: UnknownVersionError, deadline: Deadline
    ) -> UnknownModelError | UnknownVersionError:
        """The same, with the versions that there are; or that there is no model."""
        try:
            known = self.status(deadline)
        except UnknownModelError as unknown:
            return unknown
        except ServingError:
            return error
        versions = "; ".join(str(one) for one in known)
        return UnknownVersionError(f"{error} It has the versions: {versions}.")

    def status(self, deadline: Deadline) -> list[VersionStatus]:
        """The versions that the server knows of, ascending."""
        choice = ModelChoice(self.choice.name)
        found = self._tried(lambda: self.transport.status(choice, deadline), deadline)
        return sorted(found, key=lambda one: one.version)

    def _pinned(self, metadata: ModelMetadata) -> ModelChoice:
        return ModelChoice(self.choice.name, metadata.version)

    def _tried(self, attempt: Callable[[], T], deadline: Deadline) -> T:
        return self.retries.run(attempt, deadline)
