"""GET /v1/receipts: what is remembered, what is looked for in the record, and what is not told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from uuid import UUID

import pytest

from auditstream.core.errors import RetryableError, StoreSchemaError
from auditstream.core.ports import Placed
from auditstream.core.settings import GatewaySettings
from auditstream.query.receipts import RecordedValue
from tests.support.gateways import GLOBEX, ID, event, gateway, id_, problem, text

HASH = "ab" * 32
FOUND = RecordedValue("audit.events.v1/3/5e771ed0", 17, Placed("audit.events.v1", 3, 42))


class Record:
    """A store that has one value, of tenant acme."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, UUID, str]] = []

    def find(self, value_sha256: str, event_id: UUID, tenant: str) -> RecordedValue | None:
        self.asked.append((value_sha256, event_id, tenant))
        return FOUND if (value_sha256, event_id, tenant) == (HASH, UUID(ID), "acme") else None


async def test_a_value_that_is_not_remembered_is_looked_for_by_its_hash_and_event() -> None:
    record = Record()
    async with gateway(find_recorded=record.find) as gate:
        found = await gate.client.get(f"/v1/receipts/{HASH}", params={"id": ID})

        assert found.status_code == 200
        assert found.json() == {
            "id": ID,
            "value_sha256": HASH,
            "topic": "audit.events.v1",
            "partition": 3,
            "offset": 42,
            "recorded": {"log_id": "audit.events.v1/3/5e771ed0", "leaf_index": 17},
        }


async def test_the_store_is_asked_only_for_a_hash_with_an_event_and_as_the_callers_tenant() -> None:
    record = Record()
    async with gateway(find_recorded=record.find) as gate:
        problem(await gate.client.get(f"/v1/receipts/{HASH}"), 404, "not_found")
        problem(await gate.client.get("/v1/receipts/nonsense", params={"id": ID}), 404, "not_found")
        assert not record.asked
        other = {"authorization": f"Bearer {gate.keys[GLOBEX]}"}
        refused = await gate.client.get(f"/v1/receipts/{HASH}", params={"id": ID}, headers=other)
        problem(refused, 404, "not_found")
        problem(await gate.client.get(f"/v1/receipts/{HASH}", params={"id": id_(2)}), 404, "not_found")

        assert record.asked == [(HASH, UUID(ID), GLOBEX), (HASH, UUID(id_(2)), "acme")]


async def test_what_is_remembered_is_told_without_the_store() -> None:
    record = Record()
    async with gateway(find_recorded=record.find) as gate:
        receipt = (await gate.post(text(event()))).json()["receipts"][0]
        found = await gate.client.get(f"/v1/receipts/{receipt['value_sha256']}", params={"id": ID})

        assert found.json() == {"id": ID, **receipt}
        assert not record.asked


async def test_a_gateway_that_remembers_nothing_asks_the_store() -> None:
    record = Record()
    async with gateway(GatewaySettings(receipts=0), find_recorded=record.find) as gate:
        receipt = (await gate.post(text(event()))).json()["receipts"][0]
        await gate.client.get(f"/v1/receipts/{receipt['value_sha256']}", params={"id": ID})

        assert record.asked == [(receipt["value_sha256"], UUID(ID), "acme")]


async def test_an_id_that_is_none_is_refused() -> None:
    async with gateway(find_recorded=Record().find) as gate:
        found = problem(await gate.client.get(f"/v1/receipts/{HASH}", params={"id": "x"}), 400, "malformed")

        assert found["field"] == "id"


@pytest.mark.parametrize("error", [RetryableError("no answer"), StoreSchemaError("no view receipts")])
async def test_a_store_that_does_not_tell_is_a_503_with_retry_after(error: Exception) -> None:
    def find(*_: object) -> RecordedValue | None:
        raise error

    async with gateway(find_recorded=find) as gate:
        response = await gate.client.get(f"/v1/receipts/{HASH}", params={"id": ID})

        problem(response, 503, "unavailable")
        assert "retry-after" in response.headers
        assert str(error) not in response.text


async def test_no_more_than_a_few_questions_are_asked_at_a_time() -> None:
    import asyncio

    arrived, go_on = threading.Semaphore(0), threading.Event()
    ask: Callable[..., RecordedValue | None] = lambda *_: (arrived.release(), go_on.wait(10), None)[2]  # noqa: E731
    async with gateway(find_recorded=ask) as gate:
        path = f"/v1/receipts/{HASH}"
        under_way = [asyncio.create_task(gate.client.get(path, params={"id": ID})) for _ in range(4)]
        for _ in under_way:
            assert await asyncio.to_thread(arrived.acquire, timeout=10)
        fifth = await gate.client.get(path, params={"id": ID})
        go_on.set()

        problem(fifth, 503, "busy")
        assert {(await each).status_code for each in under_way} == {404}
