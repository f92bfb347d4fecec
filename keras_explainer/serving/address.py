"""`Address`: where a server is, and which of its two languages it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from keras_explainer.errors import ConfigError

_SCHEMES = {"http": (True, False), "https": (True, True)}
_SCHEMES |= {"grpc": (False, False), "grpcs": (False, True)}
_ACCEPTED = (
    "'host:8500' or 'grpcs://host:8500' for gRPC, 'http://host:8501' or 'https://host' "
    "for REST"
)


@dataclass(frozen=True)
class Address:
    """A server's address.

    Attributes:
        host: Name or number; IPv6 without brackets.
        port: 1 to 65535.
        rest: Whether it is REST; else gRPC.
        secure: Whether by TLS.
        prefix: Path before `/v1`, of a server behind another one; '' or '/…'.
    """

    host: str
    port: int
    rest: bool
    secure: bool
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Of `host:port`, or of a URL with http, https, grpc or grpcs.

        Raises:
            ConfigError: It is neither.
        """
        if not isinstance(text, str) or not text.strip():
            raise ConfigError(f"A server's address is {_ACCEPTED}; got {text!r}.")
        text = text.strip()
        scheme, separator, _ = text.partition("://")
        if not separator:
            scheme, text = "grpc", f"grpc://{text}"
        known = _SCHEMES.get(scheme.lower())
        if known is None:
            raise ConfigError(
                f"The address {text!r} begins with {scheme!r}; accepted are "
                f"{_ACCEPTED}."
            )
        rest, secure = known
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError(f"The address {text!r}: {error}.") from error
        port = port or ({"http": 8501, "https": 443}.get(scheme.lower()))
        if not host or port is None or parts.username or parts.query or parts.fragment:
            raise ConfigError(f"The address {text!r} is not one of: {_ACCEPTED}.")
        prefix = parts.path.rstrip("/")
        if prefix and not rest:
            raise ConfigError(f"The address {text!r}: gRPC takes no path, {prefix!r}.")
        return cls(host, port, rest, secure, prefix)

    @property
    def target(self) -> str:
        """`host:port`, IPv6 in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        scheme = {(1, 0): "http", (1, 1): "https", (0, 0): "grpc", (0, 1): "grpcs"}
        return f"{scheme[self.rest, self.secure]}://{self.target}{self.prefix}"
