"""A broker that is away and a gateway that is killed, seen by those who call: what was accepted is there.

AUDITSTREAM_TEST_BROKER_AWAY_S says for how many seconds the broker is away.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.settings import GatewaySettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from auditstream.embedded.gateway_part import GatewayPart
from auditstream.embedded.jvm_kafka import RunningKafka
from auditstream_sdk import AuditClient
from schemas.codec import DatumReader
from schemas.framing import framing_of
from schemas.packaged import schema_json
from tests.conftest import MakeTopic
from tests.support.brokers import Broker
from tests.support.gateway_callers import (
    ACKNOWLEDGED,
    RAISED,
    Crowd,
    Place,
    calling,
    posting,
    recording,
)
from tests.support.gateway_process import readiness, running_gateway
from tests.support.processes import wait_until

AWAY_S = float(os.environ.get("AUDITSTREAM_TEST_BROKER_AWAY_S", "12"))
WITHIN_S = 2.0
"""How long the gateway waits for Kafka, and a strict caller of the SDK for the gateway."""

BUSY_S = 3.0
"""What a machine may add that runs a JVM, a store, a gateway and all callers on two cores."""

HELD_UP_S = 0.5
"""The same for one thread of a process; far less than WITHIN_S, which a caller would feel who waits."""

BACK_S = 60.0
SPOOLED_BYTES = 200
"""Less than any event takes in the spool."""

pytestmark = [pytest.mark.kafka, pytest.mark.fault, pytest.mark.long, pytest.mark.timeout(240 + AWAY_S)]


def new_client(gateway: GatewayPart, mode: str, folder: Path) -> AuditClient:
    return AuditClient(
        url=gateway.url,
        key=gateway.key,
        source=f"svc://{mode}",
        mode=mode,
        spool=folder / mode,
        batch_age_s=0.2,
        retry_most_s=1.0,
        deadline_s=WITHIN_S,
        heartbeat_s=1.0,
    )


def spooled_bytes(client: AuditClient) -> int:
    return sum(file.stat().st_size for file in Path(client.settings.spool).glob("*.log"))


def everything(broker: Broker, topic: str) -> dict[Place, dict[str, Any]]:
    """Return every event of a topic by partition and offset."""
    reader, found = DatumReader(schema_json("audit_event")), {}
    for message in broker.consume(topic, sum(broker.end_offsets(topic).values())):
        value = message.value() or b""
        event = reader.read(value[framing_of(value).payload_offset :])
        found[(message.partition() or 0, message.offset() or 0)] = event
    return found


def check_books(found: dict[Place, dict[str, Any]], *crowds: Crowd) -> None:
    """Compare a topic with what callers sent and were told: nothing is lost, made up, or called lost."""
    told = {event["event_id"]: event for event in found.values() if event["event_type"] == "ai.inference"}
    there = set(map(str, told))
    for crowd in crowds:
        assert crowd.promised <= there, "an event is lost"
        for call in crowd.calls:
            for event_id, place in call.places.items():
                assert str(found[place]["event_id"]) == event_id, "a receipt names another event's place"
    assert there <= {each for crowd in crowds for each in crowd.sent}, "an event that nobody sent"
    own = [event for event in found.values() if event["event_type"] != "ai.inference"]
    assert {event["event_type"] for event in own} == {"ai.auth", "ai.source.heartbeat"}
    assert all(event["outcome"] == "SUCCESS" for event in own), "a refusal, or a report of a loss"
    beats = [event for event in own if event["event_type"] == "ai.source.heartbeat"]
    assert [event for event in beats if event["heartbeat"]["dropped"]] == []
    for source in {event["source"] for event in beats}:
        numbers = {event["source_seq"] for event in told.values() if event["source"] == source}
        assert numbers == set(range(1, len(numbers) + 1)), "a number of a source is missing"
        last = max(event["heartbeat"]["last_seq"] for event in beats if event["source"] == source)
        assert last == len(numbers)


def longest_s(crowd: Crowd) -> float:
    return max(call.took_s for call in crowd.calls)


def test_while_the_broker_is_away_strict_routes_refuse_and_clients_spool_and_all_is_there_afterwards(
    own_kafka: RunningKafka, clickhouse: RunningClickHouse, tmp_path: Path
) -> None:
    broker = Broker("jvm", own_kafka.bootstrap, own_kafka)
    broker.create_topic("events", 4)
    with running_gateway(
        tmp_path / "gateway",
        bootstrap=own_kafka.bootstrap,
        topic="events",
        clickhouse=clickhouse,
        gateway=GatewaySettings(within_s=WITHIN_S),
    ) as gateway:
        batch = new_client(gateway, "batch", tmp_path)
        strict = new_client(gateway, "blocking-strict", tmp_path)
        recorders = Crowd(recording(batch), count=2, pause_s=0.01)
        strict_recorders = Crowd(recording(strict), count=2, pause_s=0.02)
        strict_posts = Crowd(
            posting(gateway.url, gateway.key, "blocking-strict", source="svc://curl"), count=3, pause_s=0.05
        )
        posts = Crowd(
            posting(gateway.url, gateway.key, "blocking", source="svc://curl"), count=3, pause_s=0.05
        )
        doors = ((strict_recorders, ACKNOWLEDGED), (strict_posts, "202"), (posts, "202"))

        def all_take(since_s: float) -> bool:
            return all(crowd.count(answer, since_s=since_s) >= 10 for crowd, answer in doors)

        with batch, strict, calling(recorders, strict_recorders, strict_posts, posts):
            wait_until(lambda: all_take(0.0), within_s=BACK_S, what="all doors take events")
            own_kafka.stop()
            away_s, spooled = time.monotonic(), spooled_bytes(batch)
            wait_until(
                lambda: readiness(gateway.url) == 503, within_s=WITHIN_S + BUSY_S, what="it is not ready"
            )
            seen: set[int] = set()

            def was_away_for_long() -> bool:
                seen.add(readiness(gateway.url))
                return time.monotonic() - away_s > AWAY_S

            wait_until(was_away_for_long, within_s=AWAY_S + BUSY_S, what="the time is over")
            recorded = len(recorders.between(away_s, time.monotonic()))
            wait_until(
                lambda: spooled_bytes(batch) >= spooled + recorded * SPOOLED_BYTES,
                within_s=BUSY_S,
                what="what was recorded meanwhile is in the spool",
            )
            waiting, back_s = batch.waiting, time.monotonic()
            own_kafka.restart()
            wait_until(lambda: all_take(back_s), within_s=BACK_S, what="all doors take events again")
            taken_s = time.monotonic() - back_s
            wait_until(lambda: readiness(gateway.url) == 200, within_s=BUSY_S, what="it is ready again")
            for crowd in (recorders, strict_recorders, strict_posts, posts):
                crowd.end()
            assert batch.flush(BACK_S)
            assert strict.flush(BACK_S)
    found = everything(broker, "events")
    logging.getLogger(__name__).info(
        "away for %.0f s: %d recorded meanwhile, longest call %.0f ms; taken again after %.1f s; "
        "%d events in %d messages",
        back_s - away_s,
        recorded,
        longest_s(recorders) * 1000,
        taken_s,
        len({event["event_id"] for event in found.values()}),
        len(found),
    )

    assert seen == {503}
    for crowd in (strict_posts, posts):
        refused = crowd.between(away_s, back_s)
        assert {call.answer for call in refused} == {"503"}
        assert all(int(call.retry_after) >= 1 for call in refused)
        assert max(call.took_s for call in refused) < WITHIN_S + BUSY_S
    assert all(call.places.keys() == set(call.ids) for call in strict_posts.calls if call.answer == "202")
    raised = strict_recorders.between(away_s, back_s)
    assert {call.answer for call in raised} == {RAISED}
    assert max(call.took_s for call in raised) < WITHIN_S + BUSY_S
    assert recorded > AWAY_S * 10
    assert waiting >= recorded
    assert longest_s(recorders) < batch.settings.queue_wait_s + HELD_UP_S
    check_books(found, recorders, strict_recorders, strict_posts, posts)


def test_a_gateway_that_is_killed_under_its_clients_costs_time_and_nothing_else(
    kafka: Broker, topic: MakeTopic, clickhouse: RunningClickHouse, tmp_path: Path
) -> None:
    name = topic()
    with running_gateway(
        tmp_path / "gateway",
        bootstrap=kafka.bootstrap,
        topic=name,
        clickhouse=clickhouse,
        gateway=GatewaySettings(within_s=WITHIN_S),
    ) as gateway:
        batch = new_client(gateway, "batch", tmp_path)
        strict = new_client(gateway, "blocking-strict", tmp_path)
        recorders = Crowd(recording(batch), count=2, pause_s=0.005)
        strict_recorders = Crowd(recording(strict), count=2, pause_s=0.02)
        with batch, strict, calling(recorders, strict_recorders):
            since_s = 0.0
            for deaths in (1, 2):
                wait_until(
                    lambda since_s=since_s: strict_recorders.count(ACKNOWLEDGED, since_s=since_s) >= 20,
                    within_s=BACK_S,
                    what="clients are served",
                )
                os.kill(gateway.process.pid, signal.SIGKILL)
                wait_until(
                    lambda deaths=deaths: gateway.process.deaths == deaths, within_s=BUSY_S, what="it died"
                )
                since_s = time.monotonic()
                wait_until(
                    lambda: readiness(gateway.url) == 200, within_s=BACK_S, what="another one is ready"
                )
            wait_until(
                lambda: strict_recorders.count(ACKNOWLEDGED, since_s=since_s) >= 20,
                within_s=BACK_S,
                what="clients are served again",
            )
            recorders.end()
            strict_recorders.end()
            assert batch.flush(BACK_S)
            assert strict.flush(BACK_S)

    assert strict_recorders.count(RAISED) > 0
    assert longest_s(recorders) < batch.settings.queue_wait_s + HELD_UP_S
    check_books(everything(kafka, name), recorders, strict_recorders)
