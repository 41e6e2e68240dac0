"""The SDK writes to Kafka without the gateway: receipts, refusals, and a schema not registered yet."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auditstream_sdk import AsyncAuditClient, NotAcknowledgedError, RefusedError
from schemas.codec import decode
from schemas.framing import framing_of
from schemas.packaged import schema_json, schema_text
from tests.support.brokers import Broker
from tests.support.registry import running_registry


def settings(kafka: Broker, registry: str, tenant: str, folder: Path, **changes: Any) -> Mapping[str, Any]:
    return {
        "url": f"kafka://{kafka.bootstrap}",
        "registry": registry,
        "tenant": tenant,
        "source": "svc://checkout",
        "spool": folder / "spool",
        "heartbeat_s": 0,
        "mode": "blocking-strict",
        "deadline_s": 20,
        **changes,
    }


@pytest.fixture
def tenant() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


async def test_events_arrive_in_the_tenants_topic_with_receipts(kafka, tenant, tmp_path):
    topic = f"audit.direct.{tenant}.v1"
    kafka.create_topic(topic)
    async with running_registry() as registry:
        schema = registry.add(f"{topic}-value", schema_text("audit_event"))
        async with AsyncAuditClient(**settings(kafka, registry.url, tenant, tmp_path)) as client:

            async def call(number: int) -> Any:
                async with client.tool_call(name=f"t{number}", conversation_id=f"c{number % 3}") as recording:
                    pass
                return recording.receipt

            receipts = await asyncio.gather(*(call(number) for number in range(30)))

    messages = await asyncio.to_thread(kafka.consume, topic, 30)
    places = {(message.partition(), message.offset()): message for message in messages}
    for number, receipt in enumerate(receipts):
        message = places[receipt.partition, receipt.offset]
        framing = framing_of(message.value())
        datum = decode(message.value()[framing.payload_offset :], schema_json("audit_event"))
        assert (framing.schema, receipt.topic) == (schema, topic)
        assert (str(datum["event_id"]), datum["tenant_id"]) == (receipt.event_id, tenant)
        assert datum["tool"]["name"] == f"t{number}"
        assert message.key() == f"{tenant}|c{number % 3}".encode()
    assert len({message.partition() for message in messages if message.key() == f"{tenant}|c1".encode()}) == 1


async def test_what_is_no_event_of_the_schema_is_refused_and_costs_no_other(kafka, tenant, tmp_path):
    topic = f"audit.direct.{tenant}.v1"
    kafka.create_topic(topic)
    async with running_registry() as registry:
        registry.add(f"{topic}-value", schema_text("audit_event"))
        async with AsyncAuditClient(**settings(kafka, registry.url, tenant, tmp_path)) as client:
            found = await asyncio.gather(
                client.record({"event_type": "ai.tool_call", "tool": {"name": "good"}}),
                client.record({"event_type": "ai.tool_call", "tool": {"label": "bad"}}),
                return_exceptions=True,
            )

    assert found[0].topic == topic
    assert isinstance(found[1], RefusedError)
    assert "tool.name: is required" in found[1].message


async def test_a_schema_that_nobody_registered_keeps_events_in_the_spool(kafka, tenant, tmp_path, caplog):
    topic = f"audit.direct.{tenant}.v1"
    kafka.create_topic(topic)
    async with running_registry() as registry:
        given = settings(kafka, registry.url, tenant, tmp_path, held_retry_s=0.1)
        async with AsyncAuditClient(**given) as client:
            with pytest.raises(NotAcknowledgedError):
                await client.tool_call(name="early").record()
            registry.add(f"{topic}-value", schema_text("audit_event"))
            assert await client.flush(20)

    (message,) = await asyncio.to_thread(kafka.consume, topic, 1)
    assert b"early" in message.value()
    assert f"subject {topic}-value" in caplog.text
