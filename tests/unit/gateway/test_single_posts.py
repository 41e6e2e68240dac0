"""Single events by the short way: what a caller, Kafka and the metrics see is what the long way does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from auditstream.core.settings import GatewaySettings
from schemas.json_form import json_of
from tests.support.events import full_event
from tests.support.gateways import GLOBEX, ID, TestGateway, event, gateway, id_, text
from tests.support.wires import Wire
from tests.unit.gateway.test_events_endpoint import BAD_BODIES


@asynccontextmanager
async def wire(gate: TestGateway, *, is_short: bool = True) -> AsyncIterator[Wire]:
    made = Wire(gate, is_short=is_short)
    try:
        yield made
    finally:
        made.end()
        await asyncio.gather(*made.state.tasks)


async def told(gate: TestGateway) -> list[str]:
    """Return what is counted by route, and how often something took its time."""
    lines = (await gate.client.get("/metrics")).text.splitlines()
    found = [line for line in lines if "route=" in line or "_produce_seconds_count" in line]
    return [line for line in found if "_created" not in line]


FULL = json_of(full_event() | {"tenant_id": "acme", "credential_id": "acme-1", "sealed": {}}).encode()
BODIES = [
    text(event()),
    text(event(tenant_id="acme", credential_id="another")),
    text(event(attributes={"content.output": "said"}, actor_id="u1", src_ip="192.0.2.9")),
    text(event(tenant_id=GLOBEX)),
    text(event(source="ünd")),
    text(event(), event(event_id=id_(2))),
    FULL,
    *(each[0] for each in BAD_BODIES),
]
HEADS: list[dict[str, str | None]] = [
    {"content_type": "application/json; charset=utf-8"},
    {"content_type": "text/plain"},
    {"content_type": None},
    {"content_type": "application/x-ndjson"},
    {"content_type": "application/cloudevents+json"},
    {"ce_specversion": "1.0", "ce_id": "1", "ce_type": "t", "ce_source": "s"},
    {"content_encoding": "identity"},
    {"content_encoding": "gzip"},
    {"auditstream_mode": "batch"},
    {"auditstream_mode": "blocking-strict"},
    {"auditstream_mode": "yolo"},
    {"query": "?mode=batch"},
    {"authorization": None},
    {"authorization": "Bearer nonsense"},
    {"connection": "close"},
    {"expect": "100-continue"},
]


CASES: list[tuple[bytes, dict[str, Any]]] = [
    *((body, {}) for body in BODIES),
    *((text(event()), head) for head in HEADS),
]


async def test_answers_messages_and_counts_are_those_of_the_long_way() -> None:
    async with gateway() as one, gateway() as other:
        for body, head in CASES:
            seen = []
            for gate, is_short in ((one, True), (other, False)):
                gate.producer.messages.clear()
                async with wire(gate, is_short=is_short) as connection:
                    connection.feed(connection.request(body, **head))
                    answers = await connection.answers(2 if "expect" in head else 1)
                    seen.append(
                        (
                            [(each.status, each.headers, each.body) for each in answers],
                            connection.is_closed,
                            gate.producer.messages.copy(),
                            [each | {"event_id": None} for each in gate.sign_ins.events()],
                            await told(gate),
                        )
                    )
            for short, long in zip(*seen, strict=True):
                assert short == long, (body[:100], head)


async def test_a_single_event_that_came_as_a_whole_is_answered_in_one_write_without_a_task() -> None:
    async with gateway() as gate, wire(gate) as connection:
        connection.feed(connection.request(text(event())))
        (answer,) = await connection.answers()

        assert (answer.status, json.loads(answer.body)["ids"]) == (202, [ID])
        assert len(connection.writes) == 1
        assert not connection.state.tasks


async def test_a_body_that_comes_right_behind_its_head_is_taken_without_a_task() -> None:
    async with gateway() as gate, wire(gate) as connection:
        whole = connection.request(text(event()))
        for piece in (whole[:30], whole[30:-90], whole[-90:-20], whole[-20:]):
            connection.feed(piece)
            await asyncio.sleep(0)
            assert not connection.state.tasks
        (answer,) = await connection.answers()

        assert (answer.status, json.loads(answer.body)["ids"]) == (202, [ID])
        assert len(connection.writes) == 1


async def test_a_body_that_comes_late_is_waited_for_by_a_task() -> None:
    async with gateway() as gate, wire(gate) as connection:
        whole = connection.request(text(event()))
        connection.feed(whole[:-20])
        while not connection.state.tasks:
            await asyncio.sleep(0)
        connection.feed(whole[-20:])
        (answer,) = await connection.answers()

        assert (answer.status, json.loads(answer.body)["ids"]) == (202, [ID])


async def test_a_body_that_is_large_is_read_at_once() -> None:
    async with gateway() as gate, wire(gate) as connection:
        whole = connection.request(text(event(attributes={"k": "x" * 200_000})))
        connection.feed(whole[:100_000])
        assert len(connection.state.tasks) == 1
        connection.feed(whole[100_000:])

        assert (await connection.answers())[0].status == 202


async def test_a_caller_who_leaves_before_the_end_of_a_small_body_is_counted() -> None:
    async with gateway() as gate:
        async with wire(gate) as connection:
            connection.feed(connection.request(text(event()))[:-20])
        assert 'requests_total{route="/v1/events",status="4xx"} 1.0' in "".join(await told(gate))
        assert not gate.producer.messages
        assert not connection.writes


async def test_requests_one_behind_the_other_are_answered_in_their_order() -> None:
    async with gateway() as gate, wire(gate) as connection:
        bodies = [
            text(event(event_id=id_(1))),
            b"{",
            text(event(event_id=id_(3))),
            text(event(event_id=id_(4))),
        ]
        connection.feed(b"".join(connection.request(body) for body in bodies))
        answers = await connection.answers(4)

        assert [each.status for each in answers] == [202, 400, 202, 202]
        ids = [json.loads(each.body).get("ids") for each in answers]
        assert ids == [[id_(1)], None, [id_(3)], [id_(4)]]


async def test_events_of_many_callers_are_each_answered_with_their_own_place() -> None:
    async with gateway() as gate:
        wires = [Wire(gate) for _ in range(250)]
        for number, each in enumerate(wires):
            each.feed(each.request(text(event(event_id=id_(number)))))
        receipts = {}
        for number, each in enumerate(wires):
            answer = json.loads((await each.answers())[0].body)
            assert answer["ids"] == [id_(number)]
            receipts[answer["receipts"][0]["offset"]] = number
            each.end()

        found = {offset: each["event_id"] for offset, each in enumerate(gate.producer.events())}
        assert {offset: str(name) for offset, name in found.items()} == {
            offset: id_(number) for offset, number in receipts.items()
        }
        assert len(found) == 250


async def test_what_kafka_did_not_acknowledge_is_a_503_with_retry_after() -> None:
    async with gateway() as gate, wire(gate) as connection:
        gate.producer.away = True
        connection.feed(connection.request(text(event())))
        (answer,) = await connection.answers()

        assert (answer.status, json.loads(answer.body)["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "2"
        assert 'events_total{reason="unavailable",route="/v1/events"} 1.0' in "".join(await told(gate))


async def test_what_kafka_does_not_acknowledge_does_not_count_against_limits() -> None:
    async with gateway(labels={"gateway_events_per_day": "1"}) as gate, wire(gate) as connection:
        gate.producer.away = True
        for number in (1, 2):
            connection.feed(connection.request(text(event())))
            await connection.answers(number)
        gate.producer.away = False
        connection.feed(connection.request(text(event())))

        assert [each.status for each in await connection.answers(3)] == [503, 503, 202]


async def test_where_there_is_no_room_the_long_way_waits_and_an_event_counts_once_against_its_limits() -> (
    None
):
    labels = {"gateway_events_per_day": "2"}
    async with gateway(labels=labels) as gate, wire(gate) as first, wire(gate) as second:
        gate.producer.gate = asyncio.Event()
        first.feed(first.request(text(event(event_id=id_(1)))))
        while not gate.producer.waiting:
            await asyncio.sleep(0)
        assert len(first.state.tasks) == 1
        gate.producer.gate.set()
        assert (await first.answers())[0].status == 202
        gate.producer.gate = None
        for number in (2, 3):
            second.feed(second.request(text(event(event_id=id_(number)))))
            await second.answers(number - 1)

        assert [each.status for each in await second.answers(2)] == [202, 429]


async def test_a_caller_who_left_is_not_answered_and_its_event_is_recorded() -> None:
    async with gateway() as gate:
        connection = Wire(gate)
        connection.feed(connection.request(text(event())))
        connection.end()
        while not gate.producer.messages:
            await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert not connection.writes


async def test_a_connection_that_is_to_end_is_closed_after_the_answer() -> None:
    async with gateway() as gate, wire(gate) as connection:
        gate.producer.gate = None
        connection.feed(connection.request(text(event())))
        connection.protocol.shutdown()
        (answer,) = await connection.answers()

        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert connection.is_closed


async def test_a_body_above_the_settings_limit_is_refused_however_small() -> None:
    async with gateway(GatewaySettings(body_bytes=1_024)) as gate, wire(gate) as connection:
        connection.feed(connection.request(text(event(source="x" * 1_000))))

        assert (await connection.answers())[0].status == 413
