"""Tests of code that records: the pytest fixture `audit_recorder` keeps what every client records."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditstream_sdk.client import stand_in
from auditstream_sdk.testing.gateway import LocalGateway
from auditstream_sdk.testing.memory import MemoryRecorder

__all__ = ["LocalGateway", "MemoryRecorder", "audit_recorder"]


@pytest.fixture
def audit_recorder() -> Iterator[MemoryRecorder]:
    """Keep what all clients record during the test, those not configured included; nothing is sent."""
    recorder = MemoryRecorder()
    stand_in(recorder)
    try:
        yield recorder
    finally:
        stand_in(None)
