"""Detection over one partition of the usage topic: deltas in, findings out.

A minute is closed when event time has passed it, with all that belongs to it whatever the order in which logs
brought it, and judged once. So the findings are a function of what the logs say, not of how they interleave,
of repeats, or of where the work was broken off and taken up from a snapshot.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.acquaintances import Acquaintances
from auditstream.detection.detector import Detector, Keys
from auditstream.detection.episodes import Episodes, Judged
from auditstream.detection.suppression import Suppression
from auditstream.detection.traits import FIRST_SEEN
from schemas.records.detection import Finding
from streams.detecting.credential_news import credential_news
from streams.detecting.delta import MINUTE_US, ROW, Delta
from streams.detecting.event_time import NEVER, EventTime
from streams.detecting.key_surroundings import KeySurroundings
from streams.detecting.keys import KeyTable
from streams.detecting.log_order import LogOrder
from streams.detecting.open_entities import OpenEntities
from streams.detecting.open_minutes import OpenMinutes
from streams.detecting.recent_rows import RecentRows
from streams.detecting.scope_sums import bucket_of, by_scope
from streams.detecting.shared_traffic import SharedTraffic
from streams.detecting.tenant_money import TenantMoney

STATE_VERSION = 6
"""Grows when `PartitionDetection.state` changes its form."""

_MOST_AHEAD = 10
"""Minutes that an event may be later than its broker time: a clock that is further ahead is wrong."""

_MOST_OPEN_ROWS = 1_000_000
"""Rows of open minutes, about 200 MB, beyond which the oldest is closed though a log lags behind it."""

_LONGEST_QUIET = 1_500
"""Minutes without usage that pass one by one: an episode is over after a day at the latest."""

_HOUR = 60
_TRAFFIC = "traffic"
_EVENTS = list(ROW).index("events")


@dataclass(slots=True)
class Left:
    """What was left out, and why.

    Attributes:
        late: Events that came after their minute was closed.
        ahead: Events whose time is far beyond that of the broker.
        foreign: Rows whose spend is in another currency than the tenant's.
        evicted: Keys that made room for others, or were forgotten after a week.
        overflowed: Times that a key had no room and was counted under `__other__`.
        forced: Minutes that were closed early because too much was held.
    """

    late: int = 0
    ahead: int = 0
    foreign: int = 0
    evicted: int = 0
    overflowed: int = 0
    forced: int = 0


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What a snapshot holds.

    Attributes:
        facts: What JSON takes.
        arrays: Arrays by name.
        rows: Rows of open minutes, in Arrow's stream format.
    """

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    rows: bytes = b""


class PartitionDetection:
    """Detection over one partition; single-threaded, and pure in what it is given.

    Args:
        detectors: The detectors; this partition's own.
        suppression: Mutes and windows, None for none.
        keys: Numbers of keys, for tests with other bounds.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        suppression: Suppression | None = None,
        keys: KeyTable | None = None,
    ) -> None:
        self.left = Left()
        self._detectors = detectors
        self._keys = KeyTable() if keys is None else keys
        self._time = EventTime()
        self._order = LogOrder(self._time)
        self._open = OpenMinutes()
        self._entities = OpenEntities()
        self._known = Acquaintances()
        self._money = TenantMoney()
        self._recent = RecentRows()
        self._traffic = SharedTraffic()
        self._closed: int | None = None
        self._surroundings = KeySurroundings(
            self._keys, self._money, self._recent, self._known, self._traffic
        )
        self.episodes = Episodes(self._surroundings, suppression)

    def apply(self, delta: Delta) -> list[Finding]:
        """Take in a delta, and return the findings of the minutes that it closes."""
        if self._order.admits(delta):
            self._add(delta)
        return list(self._close())

    @property
    def closed_until_us(self) -> int:
        """Return the end of the last closed minute in microseconds; `NEVER` before the first."""
        return NEVER if self._closed is None else (self._closed + 1) * MINUTE_US

    @property
    def key_count(self) -> int:
        """Return how many keys are followed."""
        return len(self._keys)

    def names(self, keys: Keys) -> list[tuple[str, str]]:
        """Return tenant and scope of keys."""
        return [self._keys.name(int(key)) for key in keys]

    def state(self) -> PartitionState:
        """Return everything that findings depend on."""
        key_facts, key_arrays = self._keys.state()
        known_facts, known_arrays = self._known.state()
        arrays = {f"keys/{name}": array for name, array in key_arrays.items()}
        arrays |= {f"known/{name}": array for name, array in known_arrays.items()}
        for detector in self._detectors:
            for name, array in detector.state().items():
                arrays[f"{_place(detector)}/{name}"] = array
        arrays[_TRAFFIC] = np.frombuffer(self._traffic.state(), np.uint8)
        facts = {
            "version": STATE_VERSION,
            "time": self._time.state(),
            "order": self._order.state(),
            "keys": key_facts,
            "money": self._money.state(),
            "entities": self._entities.state(),
            "known": known_facts,
            "episodes": self.episodes.state(),
            "closed": self._closed,
            "left": [self.left.late, self.left.ahead, self.left.forced, self.left.evicted],
            "detectors": [_place(each) for each in self._detectors],
        }
        return PartitionState(facts, arrays, self._open.state())

    def restore(self, state: PartitionState) -> None:
        """Take over what `state` returned; a detector of another version begins without history.

        Raises:
            InvariantError: The state of episodes is of another version.
        """
        facts = state.facts
        self._time.restore(facts["time"])
        self._order.restore(facts["order"])
        self._keys.restore(facts["keys"], _under("keys", state.arrays))
        self._money.restore(facts["money"])
        self._entities.restore(facts["entities"])
        self._known.restore(facts["known"], _under("known", state.arrays))
        self._open.restore(state.rows)
        self._traffic.restore(state.arrays[_TRAFFIC].tobytes())
        self.episodes.restore(facts["episodes"])
        self._closed = facts["closed"]
        self.left.late, self.left.ahead, self.left.forced, self.left.evicted = facts["left"]
        self._count_left()
        self._surroundings.minute = self._closed or 0
        for detector in self._detectors:
            detector.reserve(self._keys.capacity)
            if _place(detector) in facts["detectors"]:
                detector.restore(_under(_place(detector), state.arrays))

    def _add(self, delta: Delta) -> None:
        closed = -math.inf if self._closed is None else self._closed
        last = delta.recorded_until_us // MINUTE_US + _MOST_AHEAD
        for minute, rows in delta.rows.items():
            if closed < minute <= last:
                self._open.add(minute, rows)
            elif minute <= closed:
                self.left.late += sum(row[_EVENTS] for row in rows)
            else:
                self.left.ahead += sum(row[_EVENTS] for row in rows)
        for minute, entities in delta.entities.items():
            if closed < minute <= last:
                self._entities.add(minute, delta.recorded_from_us, entities)

    def _close(self) -> Iterator[Finding]:
        """Close what event time has passed."""
        now_us = self._time.now_us()
        through = -1 if now_us == NEVER else now_us // MINUTE_US - 1
        while len(self._open) > _MOST_OPEN_ROWS:
            self.left.forced += 1
            yield from self._close_through(self._open.minutes()[0])
        yield from self._close_through(through)

    def _close_through(self, through: int) -> Iterator[Finding]:
        if self._closed is not None and through <= self._closed:
            return
        for minute in self._open.minutes():
            if minute > through:
                break
            if self._closed is not None:
                yield from self._pass(self._closed + 1, minute)
            yield from self._judge(minute)
            self._closed = minute
        if self._closed is not None:
            yield from self._pass(self._closed + 1, through + 1)
            self._closed = through
            self._time.forget(through * MINUTE_US)
            self._entities.forget(through + 1)

    def _pass(self, begin: int, end: int) -> Iterator[Finding]:
        """Let minutes without usage pass: episodes end in them."""
        for minute in range(begin, min(end, begin + _LONGEST_QUIET)):
            self._surroundings.minute = minute
            yield from self.episodes.step(minute + 1, [])
            yield from self._each_hour(minute)

    def _judge(self, minute: int) -> Iterator[Finding]:
        """Judge a minute with all that is in it."""
        self._surroundings.minute = minute
        deadline_us = self._time.deadline_us(minute)
        taken, late = self._open.take(minute, deadline_us)
        entities = self._entities.take(minute, deadline_us)
        self.left.late += late
        if taken.is_empty():
            yield from self._pass(minute, minute + 1)
            return
        rows = self._money.in_one_currency(taken, minute)
        self._recent.add(minute, rows)
        self._traffic.add(minute, rows)
        sums = by_scope(rows)
        names = list(zip(sums.get_column("tenant"), sums.get_column("scope"), strict=True))
        numbered = self._keys.number_all(names, minute, self._held())
        yield from self._forget(np.array(sorted(numbered.gone), np.int32))
        self._keys.release(numbered.gone)
        self._adopt(numbered.new)
        bucket = bucket_of(sums, numbered.keys, minute)
        bucket, strayed = credential_news(bucket, rows, entities, self._keys, self._known)
        for key in strayed:
            self.episodes.note(*self._keys.name(key), FIRST_SEEN, minute + 1)
        tenants = sums.filter(pl.col("scope") == "")
        self._money.spend(tenants.select("tenant", "spend").iter_rows(), minute)
        judged: list[Judged] = []
        for detector in self._detectors:
            in_episode = self.episodes.in_episode(detector.slug, self._keys.capacity, detector.metric)
            scores = detector.observe(bucket, in_episode)
            named = detector.slug, detector.metric, detector.version, detector.family
            judged.append(Judged(*named, scores, minute, bucket.minutes))
        yield from self.episodes.step(minute + 1, judged)
        yield from self._each_hour(minute)
        self._count_left()

    def _adopt(self, new: list[int]) -> None:
        """Make room for new keys, and name the tenant as a whole as what young ones stand on."""
        parents = {key: self._keys.number(self._keys.name(key)[0], "") for key in sorted(new)}
        known = [(key, parent) for key, parent in parents.items() if parent is not None and parent != key]
        pairs = np.array(known, np.int32).reshape(-1, 2)
        for detector in self._detectors:
            detector.reserve(self._keys.capacity)
            if known and isinstance(detector, _WithParents):
                detector.adopt(pairs[:, 0], pairs[:, 1])

    def _each_hour(self, minute: int) -> Iterator[Finding]:
        if (minute + 1) % _HOUR:
            return
        idle = self._keys.idle(minute, self._held())
        self._keys.evicted += len(idle)
        yield from self._forget(idle)
        self._money.forget_others(self._keys.tenants())

    def _forget(self, keys: Keys) -> Iterator[Finding]:
        if len(keys):
            self._known.forget(keys.tolist())
            yield from self.episodes.forget(keys)
            for detector in self._detectors:
                detector.forget(keys)

    def _held(self) -> NDArray[np.bool_]:
        """Return by number which keys are in an episode of any detector."""
        held = np.zeros(self._keys.capacity, np.bool_)
        for slug in {each.slug for each in self._detectors}:
            held |= self.episodes.in_episode(slug, len(held))
        return held

    def _count_left(self) -> None:
        self.left.evicted, self.left.overflowed = self._keys.evicted, self._keys.overflowed
        self.left.foreign = self._money.foreign


@runtime_checkable
class _WithParents(Protocol):
    """A detector in which young keys stand on others."""

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the parent of each key."""
        ...


def _place(detector: Detector) -> str:
    """Return under what a detector's arrays are kept: another version does not find them."""
    return f"{detector.slug}/{detector.metric}/{detector.version}"


def _under(place: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    start = f"{place}/"
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
