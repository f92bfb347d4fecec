"""`Tls`: how a client knows its server, and makes itself known."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_explainer.errors import ConfigError, TlsError

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Tls:
    """Files and names for a safe connection; the server is always verified.

    Attributes:
        ca: PEM file of the authorities that may have signed the server's certificate;
            None for those of the system (gRPC: those that gRPC brings).
        certificate, key: PEM files of the client's own, if the server asks for one.
        server_name: The name in the server's certificate, where it is not the host's.
    """

    ca: PathLike | None = None
    certificate: PathLike | None = None
    key: PathLike | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("A client's certificate and its key are given together.")
        for name in ("ca", "certificate", "key"):
            path = getattr(self, name)
            if path is not None and not Path(path).is_file():
                raise ConfigError(f"There is no file {path} ({name}= of Tls).")

    def context(self) -> ssl.SSLContext:
        """For HTTPS.

        Raises:
            TlsError: A file is no PEM, or the key is not the certificate's.
        """
        try:
            context = ssl.create_default_context(
                cafile=None if self.ca is None else os.fspath(self.ca)
            )
            if self.certificate is not None and self.key is not None:
                context.load_cert_chain(
                    os.fspath(self.certificate),
                    os.fspath(self.key),
                    password=self._no_password,
                )
        except (OSError, ValueError) as error:
            raise TlsError(f"The files for TLS cannot be used: {error}.") from error
        return context

    def credentials(self) -> Any:
        """For gRPC.

        Raises:
            TlsError: A file cannot be read, or is no PEM.
        """
        import grpc

        self.context()  # gRPC takes any bytes, and fails at the connection

        def content(path: PathLike | None) -> bytes | None:
            return None if path is None else Path(path).read_bytes()

        return grpc.ssl_channel_credentials(
            content(self.ca), content(self.key), content(self.certificate)
        )

    @staticmethod
    def _no_password() -> str:
        # Without this, OpenSSL asks on the terminal, and waits.
        raise ValueError("the key is encrypted; give one without a password")
