"""Telling of what is asked of a front: nobody who asks waits for somebody else's question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from auditstream.embedded.clickhouse_audit import Audit
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_reach import Reach
from auditstream.embedded.clickhouse_statements import read_statement

HTTP: Any = SimpleNamespace(remote="127.0.0.1", headers={})
CALL: Any = SimpleNamespace(
    credential=Credential("ada", "secret", "reader"), query_id="q", parameters={}, settings={}, database=None
)
STATEMENT = read_statement(b"SELECT count() FROM events")
HISTORY = Reach(("events",), history=True, changes=False)


class Told:
    """An access record that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def tell(self, events: Sequence[Any]) -> None:
        self.events += [event["event_type"] for event in events]


@pytest.fixture
def told() -> Told:
    return Told()


async def test_who_was_just_told_of_may_ask_again_at_once(told: Told) -> None:
    audit = Audit(told, b"k" * 32)  # type: ignore[arg-type]

    async with asyncio.timeout(10):
        for _ in range(3):
            await audit.tell(HTTP, CALL, STATEMENT, HISTORY)
        await audit.close()

    assert told.events == ["ai.auth", "ai.data_access", "ai.data_access", "ai.data_access"]


async def test_a_refusal_is_told_of_before_the_end(told: Told) -> None:
    audit = Audit(told, b"k" * 32)  # type: ignore[arg-type]

    audit.tell_unbelieved(HTTP, "mallory")
    async with asyncio.timeout(10):
        await audit.close()

    assert told.events == ["ai.auth"]
