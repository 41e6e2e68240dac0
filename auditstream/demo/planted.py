"""What is planted in the hour: repeats, and messages that are no events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from auditstream.demo.messages import Message
from schemas.framing import prefix

_REPEATS = 6
_LONGEST_GAP = 150  # messages between an event and its repeat
_NO_SUCH_SCHEMA = 999_999


class Planting:
    """Places in an hour, chosen by a seed.

    Args:
        random: Chooses the places.
        events: Number of events of the hour.

    Attributes:
        duplicates: How many repeats there are.
        dead_letters: How many messages that are no events.
    """

    def __init__(self, random: Random, events: int) -> None:
        self.duplicates = _REPEATS
        self.dead_letters = len(_SPOILS)
        last = events - min(_LONGEST_GAP, events // 2) - 1
        places = random.sample(range(1, last), self.duplicates + self.dead_letters)
        gaps = [0 if number % 2 else random.randrange(1, events - last) for number in range(self.duplicates)]
        self._gap_of = dict(zip(places, gaps, strict=False))
        self._spoil_of = dict(zip(places[self.duplicates :], _SPOILS, strict=True))
        self._due: dict[int, list[Message]] = defaultdict(list)

    def after(self, position: int, message: Message) -> Iterator[Message]:
        """Yield what is to be sent after the event at a position; ask for every position, in order."""
        if position in self._gap_of:
            repeat = replace(message, kind="duplicate")
            self._due[position + self._gap_of[position]].append(repeat)
        yield from self._due.pop(position, ())
        if position in self._spoil_of:
            yield replace(message, value=self._spoil_of[position](message.value or b""), kind="dead letter")


def _garbage(_: bytes) -> bytes:
    return b'{"event": "this is JSON, not Avro"}'


def _unknown_schema(value: bytes) -> bytes:
    return prefix(_NO_SUCH_SCHEMA) + value[5:]


def _nothing(_: bytes) -> None:
    return None


def _empty(_: bytes) -> bytes:
    return b""


def _cut_short(value: bytes) -> bytes:
    return value[: len(value) // 2]


_SPOILS = (_garbage, _unknown_schema, _nothing, _empty, _cut_short)
