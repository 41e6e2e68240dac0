"""Announcements: what each event says, and that sending waits for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.core.errors import ContractError, RetryableError
from auditstream.core.ports import Outbound
from auditstream.emit.announcements import CONFIG_CHANGE, Said, announce, announcement
from auditstream.emit.message import Route
from schemas.codec import decode
from schemas.packaged import schema_json

ROUTE = Route("audit.events.v1", 1, "http://registry/schemas/ids/1")
SAID = Said(by="seal", actor="ada", at=datetime(2026, 1, 2, tzinfo=UTC))
CHANGE = {"object_type": "log key", "object_id": "a/0/e", "after_hash": "00" * 32}


class RememberingWay:
    """Keeps what it is given; acknowledges at `finish`, or never."""

    def __init__(self, *, answers: bool = True) -> None:
        self.acknowledged = 0
        self.sent: list[Outbound] = []
        self._answers = answers

    def send(self, message: Outbound) -> None:
        self.sent.append(message)

    def finish(self) -> None:
        if not self._answers:
            raise RetryableError("nobody acknowledges")
        self.acknowledged = len(self.sent)


def decoded(messages: Sequence[Outbound]) -> list[dict[str, Any]]:
    return [decode((message.value or b"")[5:], schema_json("audit_event")) for message in messages]


def test_an_announcement_says_who_did_what_when_and_from_which_part() -> None:
    event = announcement(CONFIG_CHANGE, SAID, change=CHANGE)

    assert event["actor_id"] == "ada"
    assert event["source"] == "urn:auditstream:seal"
    assert event["event_time"] == SAID.at
    assert event["change"]["object_id"] == "a/0/e"
    assert event["event_id"].version == 7


def test_what_breaks_the_contract_is_not_announced() -> None:
    with pytest.raises(ContractError, match="after_hash"):
        announcement(CONFIG_CHANGE, SAID, change=CHANGE | {"after_hash": "not hex"})


def test_sending_returns_when_everything_is_acknowledged() -> None:
    way = RememberingWay()

    sent = announce([announcement(CONFIG_CHANGE, SAID, change=CHANGE) for _ in range(3)], ROUTE, way)

    assert sent == way.acknowledged == 3
    assert [each["actor_id"] for each in decoded(way.sent)] == ["ada"] * 3


def test_what_nobody_acknowledges_is_an_error() -> None:
    with pytest.raises(RetryableError):
        announce([announcement(CONFIG_CHANGE, SAID, change=CHANGE)], ROUTE, RememberingWay(answers=False))
