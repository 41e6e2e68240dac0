"""Telling of questions before they are asked: those that come together are told of together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.core.errors import AuditStreamError
from auditstream.emit.access_record import AccessRecord, Event


@dataclass(slots=True, eq=False)
class _Waiting:
    events: Sequence[Event]
    is_told: bool = False
    error: AuditStreamError | None = None


class Teller:
    """Tells of acts; any number of threads may do so at once.

    Whoever comes while others are being told of waits, and is then told of with all who waited: under load an
    acknowledgement of Kafka's serves many.

    Args:
        record: What acts are told to; one thread at a time.
    """

    def __init__(self, record: AccessRecord) -> None:
        self._record = record
        self._sending = threading.Lock()
        self._guard = threading.Lock()
        self._queue: list[_Waiting] = []

    def tell(self, events: Sequence[Event]) -> None:
        """Return once the events are acknowledged, or kept.

        Raises:
            AccessNotRecordedError: Neither: what they tell of must not be done.
        """
        mine = _Waiting(events)
        with self._guard:
            self._queue.append(mine)
        with self._sending:
            if not mine.is_told:
                self._send()
        if mine.error is not None:
            raise mine.error

    def _send(self) -> None:
        with self._guard:
            batch, self._queue = self._queue, []
        error: AuditStreamError | None = None
        try:
            self._record.tell([event for each in batch for event in each.events])
        except AuditStreamError as raised:
            error = raised
        finally:
            for each in batch:
                each.is_told, each.error = True, error
