"""What the SDK's own tests stand on: loopback, a folder of their own, and the standard library."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditstream_sdk import AuditClient
from auditstream_sdk.testing.gateway import LocalGateway

MakeClient = Callable[..., AuditClient]

QUICK: dict[str, Any] = {
    "key": "ask_test_secret",
    "source": "svc://checkout",
    "batch_age_s": 0.02,
    "linger_s": 0.005,
    "retry_first_s": 0.01,
    "retry_most_s": 0.05,
    "held_retry_s": 0.05,
    "heartbeat_s": 0,
    "exit_deadline_s": 2,
}
"""Settings under which nothing takes long."""


@pytest.fixture
def gateway() -> Iterator[LocalGateway]:
    """A gateway that accepts everything until it is told otherwise."""
    with LocalGateway() as running:
        yield running


@pytest.fixture
def make_client(gateway: LocalGateway, tmp_path: Path) -> Iterator[MakeClient]:
    """Make clients of the gateway with a spool of this test; closed after it."""
    made: list[AuditClient] = []

    def make(**changes: Any) -> AuditClient:
        client = AuditClient(**{"url": gateway.url, "spool": tmp_path / "spool", **QUICK, **changes})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0.5)


@pytest.fixture
def client(make_client: MakeClient) -> AuditClient:
    """A client in mode `batch`."""
    return make_client()
