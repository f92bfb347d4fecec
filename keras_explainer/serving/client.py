"""`Client`: explanations from a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from keras_explainer.errors import (
    BadAnswerError,
    BadImageError,
    ConfigError,
    did_you_mean,
    whole_number,
)
from keras_explainer.results import Explanation
from keras_explainer.serving.address import Address
from keras_explainer.serving.answer_reader import AnswerReader, bad_rows
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.grpc_transport import GrpcTransport
from keras_explainer.serving.image_batch import ImageBatch
from keras_explainer.serving.image_request import ImageRequest
from keras_explainer.serving.model_calls import ModelCalls
from keras_explainer.serving.model_choice import ModelChoice
from keras_explainer.serving.model_description import ModelDescription
from keras_explainer.serving.model_metadata import ModelMetadata
from keras_explainer.serving.rest_transport import RestTransport
from keras_explainer.serving.retries import Retries
from keras_explainer.serving.served_explanations import ServedExplanations
from keras_explainer.serving.tls import Tls
from keras_explainer.serving.version_status import VersionStatus

CONTRIBUTIONS = "integrated_gradients"
ON_BAD = ("raise", "skip")


class Client:
    """Asks a TensorFlow Serving that serves explainers, see `docs/serving.md`.

    Several threads may use one client. A call that names no version asks the server
    which one answers, and sends all its batches to that one.

    Args:
        address: "host:8500" or "grpcs://host:8500" for gRPC (it needs the extra
            `serving`), "http://host:8501" or "https://host" for REST (it needs
            nothing more). Redirections and proxies of the environment are not
            followed.
        model: Name of the model on the server.
        version, label: Of the model, one of both at most; the latest without.
        timeout: Seconds that a call may take, all its batches and retries included.
        retries: Further tries of a request that failed, where that may help: the
            server is down or overloaded, the connection broke. Each after a pause that
            doubles from 0.1 s, half of it random.
        batch_size: Images of a request.
        tls: Files for TLS; implies it for "host:port".
        headers: Sent with each request, such as `{"Authorization": …}` for a server
            before TensorFlow Serving, which itself knows no users.
        rest_form: "row" or "column", the two forms of the REST interface.
        max_message_bytes: Of a request and of an answer.

    Raises:
        ConfigError: An argument that is not accepted, or gRPC without its packages.
        TlsError: Files for TLS that cannot be used.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 60.0,
        retries: int = 3,
        batch_size: int = 32,
        tls: Tls | None = None,
        headers: Mapping[str, str] | None = None,
        rest_form: str = "row",
        max_message_bytes: int = 256 * 2**20,
    ) -> None:
        given = Address.parse(address)
        if tls is not None and not given.secure:
            if "://" in address:
                raise ConfigError(
                    f"tls= is for a safe connection, {given} is none: give "
                    f"{'https' if given.rest else 'grpcs'}://."
                )
            given = Address.parse(f"grpcs://{address}")
        self.address = given
        self.choice = ModelChoice(model, version, label)
        self.timeout = Deadline(timeout).seconds
        self.batch_size = whole_number("batch_size", batch_size)
        self.max_message_bytes = whole_number("max_message_bytes", max_message_bytes)
        settings = (given, tls, _headers(headers), self.max_message_bytes)
        transport = (
            RestTransport(*settings, rest_form)
            if given.rest
            else GrpcTransport(*settings)
        )
        self._calls = ModelCalls(transport, self.choice, Retries(retries))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._calls.transport.close()

    # What can be asked

    def explain(
        self,
        images: Any,
        class_index: int | str | None = None,
        *,
        k: int | None = None,
        contributions: str | None = CONTRIBUTIONS,
        names: Iterable[str] | None = None,
        on_bad: str = "raise",
        batch_size: int | None = None,
        timeout: float | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> ServedExplanations:
        """Explains images, as `Explainer.explain` in the same process does.

        Of each image there are as many parts as the export has, the first by rank.

        Args:
            images: `(n, h, w, C)` or one image `(h, w, C)`, RGB 0..255, any size (it
                is resized by the server); encoded images as bytes; paths of image
                files; or a list of these. Of an export without the teacher: features
                of its tap, `(n, H, W, C)`.
            class_index: The class that is explained: its index or its label; None
                explains the teacher's own, image by image.
            k: Keep the first `k` parts that are present; None keeps all.
            contributions: "integrated_gradients", or None for none, which is faster.
            names: Of the images, one each; None takes paths.
            on_bad: "raise" for images that cannot be explained, or "skip": they are
                in `bad` of the result.
            batch_size, timeout: Instead of the client's.
            progress: Called with the images that are done, and all.

        Raises:
            BadImageError: Images that cannot be explained; it holds the other
                explanations.
            ServingError: One of its kinds, see `keras_explainer.errors`.
            DataError, ConfigError: Images or arguments that are not accepted.
        """
        if on_bad not in ON_BAD:
            raise ConfigError(
                f"on_bad is 'raise' or 'skip', got {on_bad!r}. "
                + did_you_mean(str(on_bad), ON_BAD)
            )
        if contributions not in (None, CONTRIBUTIONS):
            raise ConfigError(
                f"A server gives contributions by '{CONTRIBUTIONS}', or None; got "
                f"{contributions!r}."
            )
        k = None if k is None else whole_number("k", k)
        request = self._request(images, names, batch_size)
        deadline = self._deadline(timeout)

        def explained(metadata: ModelMetadata) -> ServedExplanations:
            return self._explained(
                metadata,
                request,
                class_index,
                k,
                contributions is not None,
                deadline,
                progress,
            )

        found = self._calls.at_a_version(explained, deadline)
        if found.bad and on_bad == "raise":
            raise BadImageError(
                _bad_message(found.bad, request), dict(found.bad), found
            )
        return found

    def classify(
        self,
        images: Any,
        *,
        batch_size: int | None = None,
        timeout: float | None = None,
    ) -> list[list[tuple[str, float]]]:
        """The teacher's highest classes, by TensorFlow Serving's Classify method.

        Args:
            images: Encoded images or paths, one or a list.
            batch_size, timeout: Instead of the client's.

        Returns:
            Of each image (label, score), the highest first.

        Raises:
            BadImageError: Images that cannot be read; `found` has the other rows.
            ServingError, DataError, ConfigError: As `explain`.
        """
        request = self._request(images, None, batch_size)
        if not request.encoded:
            raise ConfigError(
                "classify takes encoded images (bytes or paths); for arrays there is "
                "explain(contributions=None)."
            )
        deadline = self._deadline(timeout)

        def classified(metadata: ModelMetadata) -> list[list[tuple[str, float]]]:
            metadata.signature("classify")
            bad: dict[int, str] = {}
            found: list[list[tuple[str, float]]] = [[] for _ in range(request.count)]
            for batch in request.batches():
                bad |= batch.bad
                if batch.rows:
                    self._classified(metadata, batch, deadline, found, bad)
            if bad:
                raise BadImageError(_bad_message(bad, request), bad, found)
            return found

        return self._calls.at_a_version(classified, deadline)

    def part_maps(
        self,
        images: Any,
        *,
        batch_size: int | None = None,
        timeout: float | None = None,
    ) -> np.ndarray:
        """The masked maps of all filters.

        Args:
            images: An array, as in `explain`.
            batch_size, timeout: Instead of the client's.

        Returns:
            float32 (n, H, W, F).

        Raises:
            BadImageError: Images that are wrong; `found` has NaN in their rows.
            ServingError, DataError, ConfigError: As `explain`.
        """
        return self._of_arrays("part_maps", images, batch_size, timeout)["part_maps"]

    def reconstruct(
        self,
        images: Any,
        *,
        batch_size: int | None = None,
        timeout: float | None = None,
    ) -> dict[str, np.ndarray]:
        """The reconstruction of each of the teacher's target layers, by its path.

        Args:
            images, batch_size, timeout: See `part_maps`.
        """
        return self._of_arrays("reconstruct", images, batch_size, timeout)

    def description(self, timeout: float | None = None) -> ModelDescription:
        """What the served explainer says of itself: its teacher, labels, sizes."""
        deadline = self._deadline(timeout)
        return self._calls.at_a_version(
            lambda found: self._calls.describe(found, deadline), deadline
        )

    def metadata(self, timeout: float | None = None) -> ModelMetadata:
        """The version that answers, and its endpoints with inputs and outputs."""
        return self._calls.metadata(self._deadline(timeout))

    def status(self, timeout: float | None = None) -> list[VersionStatus]:
        """The versions of the model that the server knows of.

        Raises:
            UnknownModelError: It knows no such model.
            ServingError: As `explain`.
        """
        return self._calls.status(self._deadline(timeout))

    def ready(self, timeout: float = 5.0) -> bool:
        """Whether the model, in the version that was chosen, answers now.

        Never raises because of the server: whatever is wrong there, it is not ready.
        """
        return self._calls.ready(Deadline(timeout))

    # How it is asked

    def _explained(
        self,
        metadata: ModelMetadata,
        request: ImageRequest,
        class_index: int | str | None,
        k: int | None,
        contributions: bool,
        deadline: Deadline,
        progress: Callable[[int, int], object] | None,
    ) -> ServedExplanations:
        about = self._calls.describe(metadata, deadline)
        shared = contributions and about.no_contributions is None
        name = "explain_contributions" if shared else "explain"
        if request.encoded and about.input == "features":
            raise ConfigError("The model takes features of its teacher, no images.")
        signature = metadata.signature(f"{name}_jpeg" if request.encoded else name)
        images = "images_bytes" if request.encoded else about.input
        scores = signature.outputs.get("scores")
        classes = None if scores is None or scores.shape is None else scores.shape[-1]
        index = about.class_index(class_index, classes)
        reader = AnswerReader(about, index, contributions, k)
        items: list[Explanation] = []
        bad: dict[int, str] = {}
        done = 0
        for batch in request.batches():
            bad |= batch.bad
            done += len(batch.bad) + len(batch.rows)
            if batch.rows:
                inputs = {images: batch.value}
                if shared:
                    chosen = -1 if index is None else index
                    inputs["class_index"] = np.full(len(batch.rows), chosen, "int32")
                found = self._calls.predict(metadata, signature.name, inputs, deadline)
                wrong = bad_rows(found)
                bad |= {batch.rows[at]: text for at, text in wrong.items()}
                items += [
                    reader.explanation(found, at, row, request.name(row))
                    for at, row in enumerate(batch.rows)
                    if at not in wrong
                ]
            if progress is not None:
                progress(done, request.count)
        return ServedExplanations(
            items=tuple(items),
            teacher=about.teacher,
            tap=about.tap,
            fingerprint=about.fingerprint,
            output=about.output,
            share=about.share,
            filters=about.filters,
            bad=dict(sorted(bad.items())),
            version=metadata.version,
        )

    def _classified(
        self,
        metadata: ModelMetadata,
        batch: ImageBatch,
        deadline: Deadline,
        found: list[list[tuple[str, float]]],
        bad: dict[int, str],
    ) -> None:
        rows = self._calls.classify(metadata, list(batch.value), deadline)
        for row, classes in zip(batch.rows, rows, strict=True):
            scores = np.array([score for _, score in classes])
            if not classes or np.isnan(scores).all():
                bad[row] = "The image cannot be decoded."
            elif not np.isfinite(scores).all():
                raise BadAnswerError("The server's scores are NaN or infinite.")
            else:
                found[row] = classes

    def _of_arrays(
        self, name: str, images: Any, batch_size: int | None, timeout: float | None
    ) -> dict[str, np.ndarray]:
        request = self._request(images, None, batch_size)
        if request.encoded:
            raise ConfigError(f"{name} takes images as an array (n, h, w, C).")
        deadline = self._deadline(timeout)

        def asked(metadata: ModelMetadata) -> dict[str, np.ndarray]:
            parts: dict[str, list[np.ndarray]] = {}
            bad: dict[int, str] = {}
            images = next(iter(metadata.signature(name).inputs), "images")
            for batch in request.batches():
                inputs = {images: batch.value}
                found = self._calls.predict(metadata, name, inputs, deadline)
                bad |= {batch.rows[at]: text for at, text in bad_rows(found).items()}
                for key, value in found.items():
                    if key != "status" or value.dtype != object:
                        parts.setdefault(key, []).append(value)
            joined = {key: np.concatenate(given) for key, given in parts.items()}
            if bad:
                raise BadImageError(_bad_message(bad, request), bad, joined)
            return joined

        return self._calls.at_a_version(asked, deadline)

    def _deadline(self, timeout: float | None) -> Deadline:
        return Deadline(self.timeout if timeout is None else timeout)

    def _request(
        self, images: Any, names: Iterable[str] | None, batch_size: int | None
    ) -> ImageRequest:
        size = self.batch_size if batch_size is None else batch_size
        # JSON writes a number of an image in four characters and more, a byte in 4/3.
        share = 8 if self.address.rest else 2
        return ImageRequest(images, names, size, self.max_message_bytes // share)


def _headers(given: Mapping[str, str] | None) -> dict[str, str]:
    found = dict(given or {})
    for name, value in found.items():
        good = isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_.-]+", name)
        if not good or not isinstance(value, str) or not value.isprintable():
            raise ConfigError(f"headers are {{name: printable text}}, got {name!r}.")
    return found


def _bad_message(bad: Mapping[int, str], request: ImageRequest) -> str:
    shown = [
        f"{request.name(row) or f'image {row}'}: {text.rstrip('.')}"
        for row, text in sorted(bad.items())[:5]
    ]
    more = f"; and {len(bad) - 5} more" if len(bad) > 5 else ""
    return (
        f"{len(bad)} of {request.count} images cannot be explained: "
        f"{'; '.join(shown)}{more}."
    )
