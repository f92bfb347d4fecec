"""Servers that are down, slow, overloaded, or break off."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conformance_server import ConformanceServer
from odd_server import OddServer, answer, ok
from serving_errors import ServingFault

from keras_explainer.errors import (
    BadAnswerError,
    DeadlineError,
    MessageTooLargeError,
    RefusedError,
    ServerDownError,
    ServerFaultError,
)
from keras_explainer.serving import Client
from keras_explainer.serving.deadline import Deadline
from keras_explainer.serving.retries import Retries


def fault(code, message="later", count=1):
    return [ServingFault(code, message)] * count


@pytest.fixture
def nobody():
    """An address where nobody listens."""
    taken = socket.create_server(("127.0.0.1", 0))
    address = taken.getsockname()
    taken.close()
    return f"127.0.0.1:{address[1]}"


@pytest.fixture(params=["grpc", "rest"])
def scheme(request):
    return "" if request.param == "grpc" else "http://"


def test_a_server_that_is_down(nobody, scheme, images):
    start = time.monotonic()
    with Client(scheme + nobody, "small", retries=1, timeout=20) as client:
        with pytest.raises(ServerDownError, match="No server answers"):
            client.explain(images)
        assert not client.ready()
    assert time.monotonic() - start < 10


def test_a_host_that_there_is_not(scheme, images):
    with (
        Client(f"{scheme}no.such.host.invalid:8500", "small", retries=0) as client,
        pytest.raises((ServerDownError, DeadlineError)),
    ):
        client.explain(images, timeout=10)


def test_a_host_that_is_looked_up_for_long(monkeypatch):
    found = socket.getaddrinfo

    def slow(*arguments, **settings):
        time.sleep(3)
        return found(*arguments, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    start = time.monotonic()
    with (
        Client("http://localhost:1", "small") as client,
        pytest.raises(DeadlineError),
    ):
        client.status(timeout=0.3)
    assert time.monotonic() - start < 2.0


def test_a_server_that_comes_up(nobody, images, store):
    """Retries last until it is there."""
    port = int(nobody.rpartition(":")[2])
    started = []

    def later():
        time.sleep(0.3)
        served = socket.create_server(("127.0.0.1", port))
        started.append(served)
        connection, _ = served.accept()
        connection.recv(65536)
        body = {"model_version_status": [{"version": "3", "state": "AVAILABLE"}]}
        connection.sendall(answer(json.dumps(body).encode()))
        connection.close()

    thread = threading.Thread(target=later, daemon=True)
    thread.start()
    with Client(f"http://{nobody}", "small", retries=6) as client:
        assert [one.version for one in client.status(timeout=20)] == [3]
    thread.join(5)
    started[0].close()


@pytest.mark.parametrize(
    "code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "UNKNOWN", "ABORTED"]
)
def test_what_passes_is_tried_again(local, server, images, code):
    client = local(retries=2)
    client.description()
    server.faults.extend(fault(code, count=2))
    assert len(client.explain(images, contributions=None)) == 5
    server.faults.extend(fault(code, count=3))
    with pytest.raises((ServerDownError, ServerFaultError), match="later"):
        client.explain(images, contributions=None)
    assert not server.faults


def test_the_batch_of_another_client_is_tried_again(local, server, images):
    client = local(retries=1)
    message = "from different tasks have different shapes and padding is turned off"
    server.faults.extend(fault("FAILED_PRECONDITION", message))
    assert len(client.explain(images, contributions=None)) == 5


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "PERMISSION_DENIED"])
def test_what_does_not_pass_is_not_tried_again(local, server, images, code):
    client = local(retries=3)
    client.description()
    server.asked.clear()
    server.faults.extend(fault(code, 'it\'s "wrong" é\n', count=2))
    with pytest.raises(RefusedError, match=r"it's \"wrong\""):
        client.explain(images, contributions=None)
    assert len(server.asked) == 1


def test_a_server_that_is_slow(local, server, images):
    client = local(retries=5)
    client.description()
    server.pause = 5.0
    start = time.monotonic()
    with pytest.raises(DeadlineError, match=r"within 0\.4 s"):
        client.explain(images, contributions=None, timeout=0.4)
    assert time.monotonic() - start < 2.0


def test_the_deadline_holds_for_all_batches(local, server, images):
    client = local(batch_size=1)
    client.explain(images, contributions=None)
    server.pause = 0.2
    start = time.monotonic()
    with pytest.raises(DeadlineError):
        client.explain(images, contributions=None, timeout=0.5)
    assert time.monotonic() - start < 1.0


def trickle(connection, _):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


def slow_head(connection, _):
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def silent(connection, _):
    connection.recv(1)


@pytest.mark.parametrize("behave", [trickle, slow_head, silent])
def test_a_byte_now_and_then_is_no_answer(behave):
    start = time.monotonic()
    with OddServer(behave) as odd, Client(f"http://{odd.target}", "small") as client:
        with pytest.raises(DeadlineError):
            client.status(timeout=0.4)
        assert not client.ready(timeout=0.2)
    assert time.monotonic() - start < 2.0


def test_grpc_where_nobody_speaks_it(images):
    start = time.monotonic()
    with (
        OddServer(silent, reads=False) as odd,
        Client(odd.target, "small") as client,
        pytest.raises((DeadlineError, ServerDownError)),
    ):
        client.status(timeout=0.5)
    with (
        OddServer(lambda connection, _: connection.sendall(b"hello\r\n" * 9)) as odd,
        Client(odd.target, "small", retries=1) as client,
        pytest.raises((DeadlineError, ServerDownError, ServerFaultError)),
    ):
        client.status(timeout=2)
    assert time.monotonic() - start < 5.0


def test_the_wrong_port(server, images):
    """gRPC's port asked by REST, and the other way round."""
    with pytest.raises((BadAnswerError, ServerDownError, RefusedError)):
        Client(f"http://{server.grpc}", "small", retries=0, timeout=5).explain(images)
    rest = server.rest.removeprefix("http://")
    with pytest.raises((ServerDownError, ServerFaultError, DeadlineError)):
        Client(rest, "small", retries=0, timeout=5).explain(images)


def test_a_connection_that_breaks_is_tried_again():
    body = {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}
    good = answer(json.dumps(body).encode())

    def behave(connection, number):
        connection.sendall(good[: len(good) // 2] if number < 2 else good)

    with OddServer(behave) as odd, Client(f"http://{odd.target}", "small") as client:
        assert client.status()[0].available
        assert odd.connections == 3


def test_an_answer_without_end():
    def endless(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b" " * 65536)

    with (
        OddServer(endless) as odd,
        Client(f"http://{odd.target}", "small", max_message_bytes=10**6) as client,
        pytest.raises(MessageTooLargeError, match="max_message_bytes"),
    ):
        client.status()


def test_a_connection_that_lay_idle_and_was_closed():
    body = {"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}
    good = ok(json.dumps(body).encode())
    with (
        OddServer(good) as odd,
        Client(f"http://{odd.target}", "small", retries=0) as client,
    ):
        for _ in range(3):
            assert client.status()
            time.sleep(0.05)


def test_messages_that_are_too_large(local, store, images):
    with pytest.raises(MessageTooLargeError, match="max_message_bytes"):
        local(max_message_bytes=4000).explain(images[:1], contributions=None)
    with (
        ConformanceServer(store, max_bytes=4000) as small,
        Client(small.grpc, "small") as client,
        pytest.raises(MessageTooLargeError, match="larger than max"),
    ):
        client.explain(images, contributions=None)


def test_pauses_grow_and_are_random():
    retries = Retries(8, first=0.1, longest=2.0)
    for number in range(8):
        full = min(2.0, 0.1 * 2**number)
        pauses = {retries.pause(number) for _ in range(50)}
        assert all(full / 2 <= pause <= full for pause in pauses)
        assert len(pauses) > 10


def test_no_retry_that_the_deadline_has_no_time_for():
    tries = []

    def attempt():
        tries.append(1)
        raise ServerDownError("down")

    start = time.monotonic()
    with pytest.raises(ServerDownError):
        Retries(50, first=0.05).run(attempt, Deadline(0.3))
    assert time.monotonic() - start < 0.35
    assert 2 <= len(tries) < 6


def test_many_threads_use_one_client(local, images):
    """Each gets its own answer."""
    client = local(version=1)
    expected = [client.explain(images[row])[0].answer for row in range(5)]

    def ask(number):
        return client.explain(images[number % 5])[0].answer

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(24)))
    for number, answer_ in enumerate(found):
        assert answer_.class_index == expected[number % 5].class_index
        assert answer_.score == pytest.approx(expected[number % 5].score, rel=1e-5)
