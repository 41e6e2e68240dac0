"""Every use is told of first: refused when nobody hears, or kept and sent later with the count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.core.errors import RetryableError
from auditstream.emit.access_events import Access, access_event, sign_in_event
from auditstream.emit.access_key import access_key, query_hmac
from auditstream.emit.access_record import AccessNotRecordedError, AccessRecord, Event
from auditstream.emit.access_spool import Spool
from auditstream.emit.announcements import Said

SAID = Said(by="cli", actor="ada", at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


class Kafka:
    """Hears events, or is away."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.is_away = False

    def __call__(self, events: Sequence[Event]) -> None:
        if self.is_away:
            raise RetryableError("Kafka is away")
        self.heard += events


def event(command: str = "search") -> Event:
    return access_event(SAID, Access(query_hmac="00" * 32, command=command, tables=("events_current",)))


def commands(events: Sequence[Event]) -> list[str]:
    return [each["attributes"].get("command", each["event_type"]) for each in events]


def test_an_access_says_who_read_what_with_which_command() -> None:
    found = event()

    assert found["event_type"] == "ai.data_access"
    assert found["actor_id"] == "ada"
    assert found["data_access"]["tables"] == ["events_current"]
    assert found["attributes"] == {"command": "search"}


def test_what_a_client_says_of_itself_is_cut_to_fit() -> None:
    found = sign_in_event(SAID, user="x" * 10_000)

    assert len(found["access"]["subject_id"]) == 256


def test_without_a_spool_nothing_is_done_that_nobody_hears_of() -> None:
    kafka = Kafka()
    kafka.is_away = True

    with pytest.raises(AccessNotRecordedError, match="Kafka is away") as raised:
        AccessRecord(kafka).tell([event()])

    assert raised.value.exit_code == 6
    assert "WHEN_KAFKA_IS_AWAY" in raised.value.hint


def test_what_was_kept_goes_first_and_is_counted(tmp_path: Path) -> None:
    kafka, spool = Kafka(), Spool(tmp_path / "spool", 10_000)
    record = AccessRecord(kafka, spool)
    kafka.is_away = True
    record.tell([event("first")])
    record.tell([event("second")])
    kafka.is_away = False

    record.tell([event("third")])

    assert commands(kafka.heard) == ["first", "second", "ai.source.heartbeat", "third"]
    assert kafka.heard[2]["attributes"]["spooled"] == "2"
    assert kafka.heard[2]["heartbeat"]["dropped"] == 0
    assert spool.is_empty


def test_what_was_kept_has_the_same_ids_however_often_it_is_sent(tmp_path: Path) -> None:
    kafka, path = Kafka(), tmp_path / "spool"
    kafka.is_away = True
    AccessRecord(kafka, Spool(path, 10_000)).tell([event()])
    kafka.is_away = False
    before = path.read_bytes()
    AccessRecord(kafka, Spool(path, 10_000)).tell([])
    path.write_bytes(before)  # as if the process had died before it emptied the file

    AccessRecord(kafka, Spool(path, 10_000)).tell([])

    ids = [each["event_id"] for each in kafka.heard]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_a_full_spool_refuses(tmp_path: Path) -> None:
    kafka = Kafka()
    kafka.is_away = True

    with pytest.raises(AccessNotRecordedError, match=r"at most 10$"):
        AccessRecord(kafka, Spool(tmp_path / "spool", 10)).tell([event()])


def test_a_key_is_made_once_and_names_equal_queries_alike(tmp_path: Path) -> None:
    key = access_key(tmp_path / "access" / "key")

    assert access_key(tmp_path / "access" / "key") == key
    assert access_key(tmp_path / "other" / "key") != key
    assert query_hmac(key, b"a") == query_hmac(key, b"a") != query_hmac(key, b"b")
    assert (tmp_path / "access" / "key").stat().st_mode & 0o777 == 0o600
