"""What TensorFlow Serving's refusals mean, by the words of its messages."""

from __future__ import annotations

from keras_explainer.errors import (
    RefusedError,
    ServerFaultError,
    ServingError,
    UnknownModelError,
    UnknownSignatureError,
    UnknownVersionError,
)
from keras_explainer.serving.model_choice import ModelChoice


def no_model(choice: ModelChoice, said: str) -> RefusedError:
    """The error for 'not found': of a version if one was asked for."""
    if choice.version is None and choice.label is None:
        return UnknownModelError(f"The server has no {choice}. {said}")
    return UnknownVersionError(f"The server has no {choice}. {said}")


def refusal(choice: ModelChoice, message: str, said: str) -> ServingError:
    """The error for a request that the server does not accept.

    Args:
        choice: What was asked for.
        message: The server's.
        said: The same with its source, for the error.
    """
    if "Unrecognized servable version label" in message:
        return UnknownVersionError(f"The server has no {choice}. {said}")
    if "Serving signature" in message and "not found" in message:
        return UnknownSignatureError(said)
    if "padding is turned off" in message:
        # The server put images of another size, of another client, into the batch.
        return ServerFaultError(said)
    return RefusedError(said)
