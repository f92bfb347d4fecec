"""Safe connections: who is known, and who is not."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from conformance_server import ConformanceServer
from odd_server import OddServer, answer, read_request

from keras_explainer.errors import ConfigError, ServerDownError, TlsError
from keras_explainer.serving import Client, Tls


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """PEM files: an authority, a server's and a client's certificate, a stranger."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True
        )

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        openssl(
            *("req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem"),
        )
    for name, hosts in (("server", "DNS:localhost"), ("client", "DNS:client")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={hosts}\n")
        openssl(
            *("req", *key, "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        openssl(
            *("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", "ca.pem"),
            *("-CAkey", "ca.key", "-CAcreateserial", "-extfile", f"{name}.ext"),
            *("-out", f"{name}.pem"),
        )
    openssl(
        *("pkcs8", "-topk8", "-in", "client.key", "-out", "locked.key"),
        *("-passout", "pass:secret"),
    )
    return folder


@pytest.fixture(scope="module")
def safe(store, files):
    with ConformanceServer(store, files / "server.pem", files / "server.key") as server:
        yield server


@pytest.fixture(scope="module")
def mutual(store, files):
    """Asks clients for a certificate too."""
    with ConformanceServer(
        store, files / "server.pem", files / "server.key", files / "ca.pem"
    ) as server:
        yield server


@pytest.fixture(params=["grpc", "rest"])
def kind(request):
    return request.param


def test_a_server_that_is_known(safe, files, kind, images):
    tls = Tls(ca=files / "ca.pem")
    with Client(getattr(safe, kind), "small", tls=tls) as client:
        assert len(client.explain(images)) == 5
    if kind == "grpc":
        address = safe.grpc.removeprefix("grpcs://")
        with Client(address, "small", tls=tls) as client:
            assert client.ready()


def test_a_server_that_is_not_known(safe, files, kind, images):
    for tls in (None, Tls(ca=files / "stranger.pem")):
        with (
            Client(getattr(safe, kind), "small", tls=tls, timeout=10) as client,
            pytest.raises(TlsError, match="No safe connection"),
        ):
            client.explain(images)


def test_the_name_of_the_server(safe, files, kind, images):
    address = getattr(safe, kind)
    wrong = Tls(ca=files / "ca.pem", server_name="other.example")
    with (
        Client(address, "small", tls=wrong, timeout=10) as client,
        pytest.raises(TlsError),
    ):
        client.explain(images)
    number = address.replace("localhost", "127.0.0.1")
    named = Tls(ca=files / "ca.pem", server_name="localhost")
    with Client(number, "small", tls=named) as client:
        assert client.ready()


def test_a_client_that_makes_itself_known(mutual, files, kind, images):
    known = Tls(
        ca=files / "ca.pem", certificate=files / "client.pem", key=files / "client.key"
    )
    with Client(getattr(mutual, kind), "small", tls=known) as client:
        assert len(client.explain(images)) == 5
    unknown = Tls(ca=files / "ca.pem")
    with (
        Client(
            getattr(mutual, kind), "small", tls=unknown, retries=0, timeout=10
        ) as client,
        pytest.raises((TlsError, ServerDownError)),
    ):
        client.explain(images)


def test_no_safe_connection_where_the_server_has_none(server, files, kind, images):
    address = {
        "grpc": f"grpcs://{server.grpc}",
        "rest": server.rest.replace("http:", "https:"),
    }[kind]
    tls = Tls(ca=files / "ca.pem")
    with (
        Client(address, "small", tls=tls, retries=0, timeout=10) as client,
        pytest.raises((TlsError, ServerDownError)),
    ):
        client.explain(images)


def test_a_safe_connection_that_ends_early(files):
    """Not a matter of certificates: it is tried again."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "server.pem", files / "server.key")
    body = b'{"model_version_status": [{"version": "1", "state": "AVAILABLE"}]}'

    def behave(connection, number):
        if number == 0:
            return  # before the handshake
        safe = context.wrap_socket(connection, server_side=True)
        read_request(safe)
        safe.sendall(answer(body)[: 40 if number == 1 else None])
        safe.close()

    with OddServer(behave, reads=False) as odd:
        address = f"https://localhost:{odd.target.rpartition(':')[2]}"
        with Client(address, "small", tls=Tls(ca=files / "ca.pem")) as client:
            assert client.status()[0].available
        assert odd.connections == 3


def test_files_that_cannot_be_used(files, tmp_path):
    with pytest.raises(ConfigError, match="no file"):
        Tls(ca=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match="together"):
        Tls(certificate=files / "client.pem")
    with pytest.raises(ConfigError, match="https"):
        Client("http://host:1", "small", tls=Tls())
    (tmp_path / "text.pem").write_text("hello")
    for tls in (
        Tls(ca=tmp_path / "text.pem"),
        Tls(certificate=files / "client.pem", key=files / "server.key"),
        Tls(certificate=files / "client.pem", key=files / "locked.key"),
    ):
        for address in ("https://host:1", "grpcs://host:1"):
            with pytest.raises(TlsError, match="cannot be used"):
                Client(address, "small", tls=tls)
