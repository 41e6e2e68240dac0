"""The SDK over TLS: a certificate that is trusted, and one that is not."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream_sdk import AuditClient, SettingsError
from auditstream_sdk.testing import LocalGateway
from tests.support.certificates import certificate


@pytest.fixture
def trusted(tmp_path: Path) -> tuple[Path, Path]:
    return certificate(tmp_path, "trusted")


@pytest.fixture
def gateway(trusted: tuple[Path, Path]) -> Iterator[LocalGateway]:
    """A gateway behind TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*trusted)
    gateway = LocalGateway()
    gateway._server.socket = context.wrap_socket(
        gateway._server.socket, server_side=True, do_handshake_on_connect=False
    )
    with gateway:
        yield gateway


def client_of(gateway: LocalGateway, ca_file: Path, folder: Path) -> AuditClient:
    return AuditClient(
        url=gateway.url.replace("http:", "https:"),
        key="k",
        source="svc://x",
        spool=folder / "spool",
        ca_file=ca_file,
        heartbeat_s=0,
        retry_first_s=0.01,
        exit_deadline_s=0.2,
    )


def test_events_go_to_a_gateway_whose_certificate_is_trusted(gateway, trusted, tmp_path):
    over = []

    def slow_once(request):
        if not over:
            over.append(request)
            request.cut()

    gateway.behave = slow_once
    with client_of(gateway, trusted[0], tmp_path) as client:
        for number in range(600):
            client.tool_call(name=f"t{number}").record()
        assert client.flush(10)

    assert len(gateway.events) == 600


def test_nothing_is_sent_to_one_whose_certificate_is_not(gateway, tmp_path, caplog):
    other, _ = certificate(tmp_path, "other")

    with client_of(gateway, other, tmp_path) as client:
        client.tool_call(name="t").record()
        assert not client.flush(0.5)

    assert gateway.requests == 0
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_file_of_certificates_that_cannot_be_read_is_refused_by_name(gateway, tmp_path):
    with pytest.raises(SettingsError, match="ca_file"):
        client_of(gateway, tmp_path / "none.pem", tmp_path)
