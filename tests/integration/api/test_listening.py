"""The API on a socket: by HTTPS with a certificate of one's own, and settings that make no sense."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from auditstream.api.app import create_app
from auditstream.api.parts import Parts
from auditstream.api.service import server_config
from auditstream.core.errors import ConfigError
from auditstream.core.listening import listening_socket
from auditstream.core.metrics import Metrics
from auditstream.core.settings import ApiSettings
from tests.support.access_house import House
from tests.support.processes import wait_until


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return chain, private


@contextmanager
def served(settings: ApiSettings) -> Iterator[int]:
    """Serve an API in a thread, and lend its port."""
    nothing: Any = None
    house = House()
    parts = Parts(desk=house.desk, entry=house.entry, metrics=Metrics(), publish=nothing, evidence=nothing)
    sock = listening_socket(settings.listen, setting="api.listen")
    server = uvicorn.Server(server_config(create_app(parts), settings))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        wait_until(lambda: server.started, within_s=60, what="the API listens")
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()


def test_with_a_certificate_the_api_answers_by_https(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    settings = ApiSettings(listen="127.0.0.1:0", tls_certificate=chain, tls_key=key)
    trusting = ssl.create_default_context(cafile=str(chain))

    with served(settings) as port, httpx.Client(verify=trusting, timeout=20) as client:
        health = client.get(f"https://127.0.0.1:{port}/healthz")
        refused = client.get(f"https://127.0.0.1:{port}/api/v1/events")

    assert health.json() == {"status": "ok"}
    assert refused.status_code == 401


def test_headers_longer_than_any_search_are_not_taken() -> None:
    with served(ApiSettings(listen="127.0.0.1:0")) as port, httpx.Client(timeout=20) as client:
        try:
            status = client.get(f"http://127.0.0.1:{port}/healthz", headers={"x": "a" * 200_000}).status_code
        except httpx.TransportError:  # it was sending on when the connection was closed
            status = 0

    assert status in {0, 400, 431}


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:99999", ":8090"])
def test_an_address_that_cannot_be_listened_on_is_refused_by_name(listen: str) -> None:
    with pytest.raises(ConfigError, match=r"api\.listen"):
        listening_socket(listen, setting="api.listen")


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    nothing: Any = None

    for settings in (
        ApiSettings(tls_certificate=chain),
        ApiSettings(tls_key=key),
        ApiSettings(tls_certificate=tmp_path / "none", tls_key=key),
        ApiSettings(tls_certificate=key, tls_key=chain),
    ):
        with pytest.raises(ConfigError, match="tls"):
            server_config(nothing, settings)
