"""Dead letters as messages again: the same bytes, the framing that they came with, and what they are."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from auditstream.core.ports import Outbound
from auditstream.emit.dead_letter_replay import message_of, replay, replay_event
from auditstream.emit.kafka_way import KafkaWay
from auditstream.query.dead_letters import Count, DeadLetter
from schemas.framing import Framing, framing_of, prefix

GUID = uuid.UUID("0195511c-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 1, tzinfo=UTC)


def letter(value: bytes | None, schema_id: str = "", *, index: int = 0, partition: int = 2) -> DeadLetter:
    topic = "audit.events.v1"
    log = f"{topic}/{partition}/0a"
    return DeadLetter(log, index, topic, partition, 40, schema_id, "unknown_schema", value)


class KafkaHeard:
    """Hears what is sent."""

    def __init__(self) -> None:
        self.heard: list[tuple[Outbound, int]] = []
        self.finished = False

    def send(self, message: Outbound, *, partition: int) -> None:
        self.heard.append((message, partition))

    def finish(self) -> None:
        self.finished = True


@pytest.mark.parametrize(
    ("value", "schema_id", "framing"),
    [
        (prefix(17) + b"datum", "17", Framing(17, 5)),
        (b"datum", "17", Framing(17, 0)),
        (b"\x01" + GUID.bytes + b"datum", str(GUID), Framing(GUID, 17)),
        (b"datum", str(GUID), Framing(GUID, 0)),
    ],
)
def test_a_replay_names_its_schema_as_the_letter_did(value: bytes, schema_id: str, framing: Framing) -> None:
    message = message_of(letter(value, schema_id))

    assert message.value == value
    assert framing_of(message.value, message.headers) == framing


def test_a_replay_of_what_named_no_schema_names_none() -> None:
    message = message_of(letter(b"nonsense"))

    assert dict(message.headers) == {
        "replay_of": b"audit.events.v1/2/0a/0",
        "replay_reason": b"unknown_schema",
    }


def test_letters_go_to_where_they_came_from_and_nulls_stay_where_they_are() -> None:
    kafka = KafkaHeard()

    letters = [letter(b"a"), letter(None, index=1), letter(b"b", index=2, partition=3)]
    sent = replay(letters, kafka, too_large=lambda *_: pytest.fail("nothing is"))

    assert sent == {"audit.events.v1": 2}
    assert [(message.value, partition) for message, partition in kafka.heard] == [(b"a", 2), (b"b", 3)]
    assert kafka.finished


def test_a_letter_that_fits_into_no_message_keeps_no_other_from_being_sent() -> None:
    way = KafkaWay({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1}, timeout_s=30)
    left_out: list[tuple[str, str]] = []
    letters = [letter(b"x" * size, index=index, partition=0) for index, size in enumerate((9, 1_048_000, 9))]

    sent = replay(letters, way, too_large=lambda one, reason: left_out.append((one.leaf, reason)))

    assert (sent, way.acknowledged) == ({"audit.events.v1": 2}, 2)
    assert left_out == [("audit.events.v1/0/0a/1", "is larger than 1,000,000 bytes")]


def test_the_event_says_who_sends_how_many_of_which_reason() -> None:
    counts = [
        Count("events", "unknown_schema", 5, 0, AT, AT),
        Count("other", "undecodable", 3, 1, AT, AT),
        Count("events", "undecodable", 1, 0, AT, AT),
    ]

    event = replay_event(counts, actor="ada", at=AT)

    assert (event["event_type"], event["actor_id"], event["source"]) == (
        "ai.config.change", "ada", "urn:auditstream:dlq",
    )  # fmt: skip
    assert event["change"]["object_id"] == "events, other"
    assert event["attributes"] == {
        "replayed": "8", "reason.unknown_schema": "5", "reason.undecodable": "3",
    }  # fmt: skip
