"""A recorder in memory: events as they would be sent, and assertions over them."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any

from auditstream_sdk.encoding import Event, encoded
from auditstream_sdk.fields import REQUIRED_NAMES
from auditstream_sdk.recording import Captured, Receipt

_SOURCE = "svc://test"
_INSTANCE = "test"


class MemoryRecorder:
    """Keeps events instead of sending them; the blocking modes get a receipt at once."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._lock = threading.Lock()

    @property
    def events(self) -> list[Event]:
        """What was recorded, in order, as the JSON that would be sent."""
        with self._lock:
            return list(self._events)

    def clear(self) -> None:
        """Forget what was recorded."""
        with self._lock:
            self._events.clear()

    def take(self, recording: Captured) -> Receipt | None:
        """Keep an event.

        Raises:
            UnencodableError: A value has no form in JSON: a client would count the event as lost.
        """
        with self._lock:
            recording.sequence = len(self._events) + 1
            event = json.loads(encoded(recording.event(_SOURCE, _INSTANCE, recording.sequence, {})))
            self._events.append(event)
        return Receipt(event["event_id"])

    async def take_soon(self, recording: Captured) -> Receipt | None:
        """Keep an event."""
        return self.take(recording)

    def of_type(self, event_type: str) -> list[Event]:
        """Return the events of a type, in order."""
        return [event for event in self.events if event["event_type"] == event_type]

    def assert_recorded(self, event_type: str, **fields: Any) -> Event:
        """Return the first event of a type that has these fields.

        Args:
            event_type: As `ai.inference`.
            fields: Fields of the envelope or of any of its families, by their plain names; a mapping is
                compared by the keys that it names.

        Raises:
            AssertionError: There is none, or it lacks a field without which the gateway refuses it; says
                what was recorded.
        """
        found = self.of_type(event_type)
        for event in found:
            if not _differences(event, fields):
                missing = _missing(event)
                assert not missing, (
                    f"{event_type} was recorded without {', '.join(missing)}: it would be refused"
                )
                return event
        raise AssertionError(_explanation(event_type, fields, found, self.events))


def _differences(event: Event, fields: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {_value(event, name)!r}, not {wanted!r}"
        for name, wanted in fields.items()
        if not _matches(_value(event, name), wanted)
    ]


def _value(event: Event, name: str) -> Any:
    if name in event:
        return event[name]
    for value in event.values():
        if isinstance(value, dict) and name in value:
            return value[name]
    return None


def _matches(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(value, dict):
        return all(_matches(value.get(key), each) for key, each in wanted.items())
    return bool(value == wanted)


def _missing(event: Event) -> list[str]:
    return [
        f"{family}.{name}"
        for family, names in REQUIRED_NAMES.items()
        for name in names
        if isinstance(event.get(family), dict) and name not in event[family]
    ]


def _explanation(event_type: str, fields: Mapping[str, Any], found: list[Event], events: list[Event]) -> str:
    if not found:
        recorded = ", ".join(sorted({event["event_type"] for event in events})) or "nothing"
        return f"no {event_type} was recorded; recorded was: {recorded}"
    nearest = min((_differences(event, fields) for event in found), key=len)
    return f"{len(found)} {event_type} recorded, none as wanted; of the nearest, {'; '.join(nearest)}"
