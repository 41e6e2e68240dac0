"""Adding up what became of a file's lines."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from auditstream.core.errors import RetryableError
from auditstream.core.ports import Outbound
from auditstream.emit.emission import MessageCarrier, Tally, emit
from auditstream.emit.message import Route
from auditstream.emit.reading import Accepted, BadLineError, Reading, Refused
from tests.support.events import event

ROUTE = Route("audit.events.v1", 1, "http://registry/schemas/ids/1")


class Recorded:
    """A way that acknowledges at the end, takes nothing that names a source it dislikes, or breaks."""

    def __init__(self, *, breaks_after: int | None = None) -> None:
        self.sent: list[Outbound] = []
        self.acknowledged = 0
        self._breaks_after = breaks_after

    def send(self, message: Outbound) -> None:
        if len(self.sent) == self._breaks_after:
            self.acknowledged = len(self.sent)
            raise RetryableError("gone")
        if dict(message.headers)["ce_source"] == b"too-large":
            raise BadLineError("event", "is larger than allowed")
        self.sent.append(message)

    def finish(self) -> None:
        self.acknowledged = len(self.sent)


def accepted(line: int, **fields: object) -> Accepted:
    return Accepted(line, event(event_id=uuid.UUID(int=line), **fields))


def readings() -> Iterator[Reading]:
    yield accepted(1, usage={"input_tokens": 5, "output_tokens": 2})
    yield Refused(2, "line", "is not JSON")
    yield accepted(3, source="too-large", usage={"input_tokens": 1000})
    yield accepted(4, usage={"input_tokens": 7, "output_tokens": None})
    yield accepted(5, usage=None)


def test_every_line_is_counted_once_as_sent_or_refused() -> None:
    tally, way, refusals = Tally(), Recorded(), list[Refused]()

    emit(readings(), MessageCarrier(ROUTE, way), tally=tally, on_refusal=refusals.append)

    summary = tally.summary()
    assert (summary["read"], summary["produced"], summary["refused"]) == (5, 3, 2)
    assert (summary["input_tokens"], summary["output_tokens"]) == (12, 2)
    assert summary["first_event_id"] == str(uuid.UUID(int=1))
    assert summary["last_event_id"] == str(uuid.UUID(int=5))
    assert [refused.line for refused in refusals] == [2, 3]
    assert len(way.sent) == 3


def test_what_was_acknowledged_is_told_also_when_the_way_breaks() -> None:
    tally = Tally()

    with pytest.raises(RetryableError, match="gone"):
        emit(
            readings(),
            MessageCarrier(ROUTE, Recorded(breaks_after=1)),
            tally=tally,
            on_refusal=lambda _: None,
        )

    assert (tally.produced, tally.refused) == (1, 1)


def test_a_file_without_events_has_no_first_id() -> None:
    tally = Tally()

    emit([], MessageCarrier(ROUTE, Recorded()), tally=tally, on_refusal=lambda _: None)

    assert tally.summary()["first_event_id"] is None
    assert tally.summary()["read"] == 0
