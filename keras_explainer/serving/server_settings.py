"""`ServerSettings`: how TensorFlow Serving is run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keras_explainer.errors import ConfigError, whole_number

IMAGE = "tensorflow/serving:2.21.0"
NOBODY = "65534:65534"


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Settings of the server and of its container.

    Attributes:
        image: Of the container.
        cpus, memory: Limits: cores, and a size such as "4g".
        publish: Whether the two ports can be reached from this machine, by the
            loopback interface; else by containers of the same network alone.
        grpc_port, rest_port: On the loopback interface.
        max_batch_size: Images that the server computes together at most, and of a
            request at most; 0 for no batching.
        batch_timeout_ms: How long a request waits for others.
        monitoring: Whether figures for Prometheus are given, at
            `/monitoring/prometheus/metrics` of the REST port.
        user: "UID:GID" that the server runs as.

    Raises:
        ConfigError: A value that is not accepted.
    """

    image: str = IMAGE
    cpus: float = 2.0
    memory: str = "4g"
    publish: bool = True
    grpc_port: int = 8500
    rest_port: int = 8501
    max_batch_size: int = 32
    batch_timeout_ms: float = 2.0
    monitoring: bool = False
    user: str = NOBODY

    def __post_init__(self) -> None:
        for name in ("grpc_port", "rest_port"):
            if whole_number(name, getattr(self, name)) > 65535:
                raise ConfigError(f"{name} is 1 to 65535, got {getattr(self, name)}.")
        if self.grpc_port == self.rest_port:
            raise ConfigError(f"grpc_port and rest_port are both {self.grpc_port}.")
        if self.max_batch_size:
            whole_number("max_batch_size", self.max_batch_size)
        if not self.cpus > 0 or not 0 <= self.batch_timeout_ms <= 10_000:
            raise ConfigError(
                "cpus is above 0 and batch_timeout_ms 0 to 10000, got "
                f"{self.cpus} and {self.batch_timeout_ms}."
            )
        for name, pattern, example in (
            ("memory", r"[1-9][0-9]*[kmg]b?", "'4g'"),
            ("user", r"[0-9]+:[0-9]+", "'1000:1000'"),
            ("image", r"[\w./:@-]+", f"'{IMAGE}'"),
        ):
            if not re.fullmatch(pattern, str(getattr(self, name)), re.IGNORECASE):
                raise ConfigError(
                    f"{name} is something like {example}, got {getattr(self, name)!r}."
                )
