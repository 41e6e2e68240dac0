"""The demonstration's services at a real gateway: what each door lets in is the event of the day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from auditstream.core.errors import RetryableError
from auditstream.demo.batches import Batches, CloudEventBatches, EventLines, SpanBatches
from auditstream.demo.cast import TENANT_OF
from auditstream.demo.day import Day
from auditstream.demo.facts import facts, service_keys
from auditstream.demo.sdk_service import SdkService
from auditstream.demo.sendings import Sending, Way
from auditstream.demo.traffic import Sender
from schemas.intake import datum_of
from tests.support.gateway_server import ServedGateway, served
from tests.support.gateways import KeptMessages

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
BATCHES: dict[Way, type[Batches]] = {
    "ndjson": EventLines,
    "cloudevents": CloudEventBatches,
    "traces": SpanBatches,
}
PERSONS = {"actor_id", "actor_hash", "review", "change", "access"}
"""Fields in which pseudonyms take the place of persons."""

STAMPED = {"observed_time", "tenant_id"}
NOT_IN_SPANS = {"severity", "retrieval", "attributes", "schema_rev"}


def sendings(way: Way) -> list[Sending]:
    """Return what one service sends by a door in a short day."""
    found = [each for each in Day(seed=5, events=1_500, end=END).sendings() if each.way == way]
    return [each for each in found if each.draft["source"] == found[0].draft["source"]]


def sender(way: Way, gateway: ServedGateway, key: str, first: Mapping[str, Any], folder: Path) -> Sender:
    if way == "sdk":
        return SdkService(gateway.url, key, first, folder)
    return BATCHES[way](gateway.url, key)


def kept(gateway: ServedGateway) -> list[dict[str, Any]]:
    """Return the events that the gateway sent to Kafka."""
    assert isinstance(gateway.producer, KeptMessages)
    return gateway.producer.events()


@pytest.mark.parametrize("way", ["sdk", "ndjson", "cloudevents", "traces"])
def test_every_door_lets_the_day_s_events_in_as_they_are_but_for_persons(way: Way, tmp_path: Path) -> None:
    sent, keys = sendings(way), service_keys()
    credential = sent[0].draft["credential_id"]
    with served(tmp_path, KeptMessages, stated=list(facts(keys))) as gateway:
        service = sender(way, gateway, keys[credential], sent[0].draft, tmp_path)
        for sending in sent:
            service.send(sending)
        service.finish()
        assert service.acknowledged == len(sent) > 30
        service.abandon()
        received = [event for event in kept(gateway) if event["source"] == sent[0].draft["source"]]

    by_id = {str(event["event_id"]): event for event in received}
    assert sorted(map(str, (event["event_id"] for event in received))) == sorted(
        each.draft["event_id"] for each in sent
    )
    ignored = PERSONS | STAMPED | (NOT_IN_SPANS if way == "traces" else set())
    ignored |= {"source_instance", "source_seq", "heartbeat"} if way == "sdk" else set()
    for sending in sent:
        event = by_id[sending.draft["event_id"]]
        assert (event["tenant_id"], event["credential_id"]) == (TENANT_OF[credential], credential)
        expected = datum_of(sending.draft, "audit_event")
        for name in expected.keys() - ignored:
            assert of_the_same_fields(event[name], expected[name]) == expected[name], name
        if sending.draft["actor_type"] == "USER":
            assert event["actor_id"].startswith("user-")
            assert event["actor_hash"]
            assert sending.draft["actor_id"] not in repr(event)


def of_the_same_fields(value: Any, expected: Any) -> Any:
    """Return of a decoded value what another one has: records come back with the defaults of the others."""
    if isinstance(expected, dict) and isinstance(value, dict):
        return {name: of_the_same_fields(value[name], each) for name, each in expected.items()}
    if isinstance(expected, list) and isinstance(value, list):
        return [of_the_same_fields(*pair) for pair in zip(value, expected, strict=True)]
    return value


def test_the_sdk_s_numbers_are_dense_and_a_heartbeat_tells_how_far_they_are(tmp_path: Path) -> None:
    sent, keys = sendings("sdk"), service_keys()
    with served(tmp_path, KeptMessages, stated=list(facts(keys))) as gateway:
        service = SdkService(gateway.url, keys[sent[0].draft["credential_id"]], sent[0].draft, tmp_path)
        for sending in sent:
            service.send(sending)
        service.finish()
        received = [event for event in kept(gateway) if event["source"] == sent[0].draft["source"]]

    instances = [key for key, _ in groupby(event["source_instance"] for event in received)]
    assert len(instances) == 1
    assert [event["source_seq"] for event in received] == list(range(1, len(sent) + 1))
    beats = [event for event in received if event["event_type"] == "ai.source.heartbeat"]
    assert beats
    assert all(beat["heartbeat"]["last_seq"] == beat["source_seq"] for beat in beats)


@pytest.mark.parametrize("way", ["sdk", "ndjson", "cloudevents", "traces"])
def test_what_the_gateway_does_not_accept_is_an_error_and_no_silence(way: Way, tmp_path: Path) -> None:
    sent, keys = sendings(way)[:40], service_keys()
    change = {"trace_id": "00" * 16} if way == "traces" else {"outcome": "MAYBE"}
    sent[3] = Sending({**sent[3].draft, **change})
    with served(tmp_path, KeptMessages, stated=list(facts(keys))) as gateway:
        service = sender(way, gateway, keys[sent[0].draft["credential_id"]], sent[0].draft, tmp_path)
        with pytest.raises(RetryableError, match=r"accepted 39 of 40|1 were refused"):
            send_all(service, sent)
        service.abandon()


def send_all(service: Sender, sent: list[Sending]) -> None:
    for sending in sent:
        service.send(sending)
    service.finish()
