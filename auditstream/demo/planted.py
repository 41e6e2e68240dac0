"""What is planted in the day: repeats, and messages that are no events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from auditstream.demo.sendings import Sending, Spoil
from schemas.framing import prefix

_REPEATS = 6
_LONGEST_GAP = 150  # messages between an event and its repeat
_NO_SUCH_SCHEMA = 999_999


class Planting:
    """Places in a day, chosen by a seed.

    A repeat is of the first event from its place on whose sender may repeat it.

    Args:
        random: Chooses the places.
        events: Number of events of the day.

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
        self._wanted: list[int] = []
        self._due: dict[int, list[Sending]] = defaultdict(list)
        self._repeatable: Sending | None = None

    def after(self, position: int, sending: Sending) -> Iterator[Sending]:
        """Yield what is to be sent after the event at a position; ask for every position, in order."""
        if position in self._gap_of:
            self._wanted.append(self._gap_of[position])
        if sending.may_be_repeated:
            self._repeatable = replace(sending, kind="duplicate")
            if self._wanted:
                self._due[position + self._wanted.pop(0)].append(self._repeatable)
        yield from self._due.pop(position, ())
        if position in self._spoil_of:
            yield replace(sending, kind="dead letter", spoil=self._spoil_of[position])

    def rest(self) -> Iterator[Sending]:
        """Yield what is due after the day's last event; of repeats, as many as the places were."""
        for _, repeats in sorted(self._due.items()):
            yield from repeats
        if self._repeatable is not None:
            yield from (self._repeatable for _ in self._wanted)


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


_SPOILS: tuple[Spoil, ...] = (_garbage, _unknown_schema, _nothing, _empty, _cut_short)
