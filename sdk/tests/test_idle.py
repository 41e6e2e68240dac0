"""A client that is not configured: nothing happens, and what is decorated stays what it was."""

from __future__ import annotations

import asyncio
import threading

import pytest

from auditstream_sdk import AsyncAuditClient, AuditClient


def test_it_takes_everything_and_starts_nothing():
    threads = threading.active_count()
    client = AuditClient.from_env()

    with client.inference(provider="openai") as call:
        call.set(conversation_id="c")
        call.family["response_model"] = "m"
        call.usage(input_tokens=1)
        call.cost(meter="gpu")
        call.fail("timeout")

    assert client.tool_call(name="x").record() is None
    assert client.record({"event_type": "ai.tool_call"}) is None
    assert (client.flush(), client.close(), client.dropped, client.waiting) == (True, True, 0, 0)
    assert not client.is_recording
    assert threading.active_count() == threads


def test_exceptions_go_through_it():
    with pytest.raises(KeyError), AuditClient().tool_call(name="x"):
        raise KeyError


def test_decorated_functions_work():
    client = AuditClient()

    @client.tool_call(name="x")
    def plain(value: int) -> int:
        return value

    @client.tool_call(name="x")
    async def awaited(value: int) -> int:
        return value

    assert (plain(1), asyncio.run(awaited(2))) == (1, 2)


def test_the_client_that_awaits_does_the_same():
    async def run() -> None:
        client = AsyncAuditClient()
        async with client.inference(provider="openai") as call:
            call.family["response_model"] = "m"
        assert await client.tool_call(name="x").record() is None
        assert await client.record({"event_type": "ai.tool_call"}) is None
        assert await client.flush()
        assert await client.close()

        @client.tool_call(name="x")
        async def awaited(value: int) -> int:
            return value

        assert await awaited(3) == 3

    asyncio.run(run())
