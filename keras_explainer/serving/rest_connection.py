"""`RestConnection`: requests by HTTP that end when their deadline does."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from keras_explainer.errors import (
    DeadlineError,
    MessageTooLargeError,
    ServerDownError,
    TlsError,
)
from keras_explainer.serving.address import Address
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.tls import Tls

_CHUNK = 1 << 18


class RestConnection:
    """Connections to one server, which several threads may use at a time.

    A connection is kept for the next request. Redirections and the proxies of the
    environment are not followed: images go where the address says, and nowhere else.

    Args:
        address: Of REST.
        tls: For HTTPS.
        headers: Sent with each request.
        max_bytes: Of an answer.
    """

    def __init__(
        self,
        address: Address,
        tls: Tls | None,
        headers: Mapping[str, str],
        max_bytes: int,
    ) -> None:
        self.address = address
        self.headers = dict(headers)
        self.max_bytes = max_bytes
        self._tls = tls
        self._context = (tls or Tls()).context() if address.secure else None
        self._idle: deque[http.client.HTTPConnection] = deque()

    def request(
        self, method: str, path: str, body: bytes | None, deadline: Deadline
    ) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            ServerDownError, DeadlineError, TlsError, MessageTooLargeError
        """
        while True:
            try:
                connection, used = self._idle.pop(), True
            except IndexError:
                connection, used = self._connect(deadline), False
            try:
                return self._ask(connection, method, path, body, deadline)
            except ServerDownError:
                # The server may have closed a connection that lay idle.
                if not used:
                    raise

    def close(self) -> None:
        """Closes what is open."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, deadline: Deadline) -> http.client.HTTPConnection:
        address = self.address
        connection = http.client.HTTPConnection(address.host, address.port)
        try:
            plain = self._plain(deadline)
        except (OSError, UnicodeError) as error:
            # The system gives up by itself too, after minutes.
            if isinstance(error, TimeoutError) and deadline.is_over:
                raise deadline.missed() from error
            raise ServerDownError(
                f"No server answers at {address} ({_reason(error)})."
            ) from error
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = plain
        if self._context is not None:
            name = self._tls.server_name if self._tls else None
            safe = self._context.wrap_socket(
                plain,
                server_hostname=name or address.host,
                do_handshake_on_connect=False,
            )
            connection.sock = safe
            try:
                with self._watched(safe, deadline):
                    safe.do_handshake()
            except DeadlineError:
                safe.close()
                raise
            except (OSError, ValueError) as error:
                safe.close()
                if _is_refusal(error):
                    raise TlsError(
                        f"No safe connection to {address}: {_reason(error)}."
                    ) from error
                raise ServerDownError(
                    f"The server at {address} ends the connection before it is safe "
                    f"({_reason(error)})."
                ) from error
        return connection

    def _plain(self, deadline: Deadline) -> socket.socket:
        """A connection to the first of the host's numbers that answers."""
        problem = OSError("the host has no number")
        for number in self._numbers(deadline):
            try:
                return socket.create_connection(number, timeout=deadline.left())
            except OSError as error:
                if deadline.is_over:
                    raise
                problem = error
        raise problem

    def _numbers(self, deadline: Deadline) -> list[tuple[str, int]]:
        """The host's numbers; the system's look-up alone knows no deadline."""
        host, port = self.address.host, self.address.port
        found: list[tuple[str, int]] = []
        problems: list[BaseException] = []

        def look_up() -> None:
            try:
                known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                found.extend((str(one[4][0]), port) for one in known)
            except (OSError, UnicodeError) as error:
                problems.append(error)

        thread = threading.Thread(target=look_up, daemon=True)
        thread.start()
        thread.join(deadline.left())
        if thread.is_alive():
            raise TimeoutError
        if problems:
            raise problems[0]
        return found

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes | None,
        deadline: Deadline,
    ) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", **self.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        kept = False
        try:
            with self._watched(connection.sock, deadline):
                # A server that refuses a large body may answer before it has all of it.
                with suppress(BrokenPipeError, ConnectionResetError):
                    connection.request(method, path, body, headers)
                response = connection.getresponse()
                found = self._read(response)
            kept = not response.will_close
            return response.status, found
        except (DeadlineError, MessageTooLargeError):
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            if _is_refusal(error):
                # With TLS 1.3 a server refuses a client's certificate only now.
                raise TlsError(
                    f"The server at {self.address} ends the safe connection: "
                    f"{_reason(error)}."
                ) from error
            raise ServerDownError(
                f"The connection to {self.address} broke before the answer was whole "
                f"({_reason(error)})."
            ) from error
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.close()

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        parts, size = [], 0
        while chunk := response.read(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > self.max_bytes:
                raise MessageTooLargeError(
                    f"The answer of {self.address} is larger than {self.max_bytes} "
                    "bytes (max_message_bytes=); ask for fewer images at a time."
                )
        unmeasured = response.length is None and not response.chunked
        if response.length or (unmeasured and not parts):
            raise http.client.IncompleteRead(b"", response.length)
        return b"".join(parts)

    @contextmanager
    def _watched(self, sock: socket.socket, deadline: Deadline) -> Iterator[None]:
        """Ends the connection when the deadline passes, whatever it waits for.

        A timeout of the socket alone starts anew with every byte.
        """
        over = threading.Event()

        def end() -> None:
            over.set()
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        left = deadline.left()
        sock.settimeout(left + 1.0)
        timer = threading.Timer(left, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if over.is_set() or deadline.is_over:
                raise deadline.missed() from error
            raise
        finally:
            timer.cancel()
        if over.is_set():
            raise deadline.missed()


def _is_refusal(error: BaseException) -> bool:
    """Whether TLS itself fails; a connection that merely ends is another matter."""
    ends = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)
    return isinstance(error, ssl.SSLError) and not isinstance(error, ends)


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
