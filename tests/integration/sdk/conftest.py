"""A provider on a real socket, and clients of the SDK that keep what they record."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditstream_sdk.integrations.faults import FAULTS
from tests.support.audit_memory import AsyncAuditMemory, AuditMemory
from tests.support.fake_providers import FakeProvider, fake_provider


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider that answers what the test lays out."""
    with fake_provider() as running:
        yield running


@pytest.fixture
def audit() -> AuditMemory:
    return AuditMemory()


@pytest.fixture
def async_audit() -> AsyncAuditMemory:
    return AsyncAuditMemory()


@pytest.fixture(autouse=True)
def no_swallowed_errors() -> Iterator[None]:
    """Fail a test in which the instrumentation swallowed an error of its own."""
    before = FAULTS.count
    yield
    assert FAULTS.count == before, "the instrumentation failed; see the log"
