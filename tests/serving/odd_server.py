"""`OddServer`: a server that does what none should, on the loopback interface."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any


class OddServer:
    """Gives each connection to `behave`, after it has read a request's head and body.

    Args:
        behave: Called with the socket and the number of the connection, from 0; the
            connection is closed when it returns.
        reads: Whether a request is read first.
    """

    def __init__(
        self, behave: Callable[[Any, int], object], reads: bool = True
    ) -> None:
        self.behave = behave
        self.reads = reads
        self.connections = 0
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> OddServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        # Wakes `accept`.
        socket.create_connection(self._socket.getsockname(), 1).close()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self.over.is_set():
                connection.close()
                return
            number, self.connections = self.connections, self.connections + 1
            threading.Thread(
                target=self._one, args=(connection, number), daemon=True
            ).start()

    def _one(self, connection: Any, number: int) -> None:
        with connection:
            try:
                if self.reads:
                    read_request(connection)
                self.behave(connection, number)
            except OSError:
                pass


def read_request(connection: Any) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    size = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            size = int(line.partition(b":")[2])
    while len(body) < size:
        body += connection.recv(65536)
    return body


def answer(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def ok(body: bytes, more: str = "") -> Callable[[Any, int], None]:
    """A behaviour: answers 200 with the body."""
    return lambda connection, _: connection.sendall(answer(body, more=more))
