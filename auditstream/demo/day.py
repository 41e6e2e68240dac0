"""One working day of three companies, event by event in the order of time; the same for the same seed.

Planted in it are a handful of repeats (the same event again, at once or later, as a producer that got no
answer sends it) and of dead letters; and, where it has enough events for anything to stand out, incidents.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from random import Random

import numpy as np

from auditstream.core.clock import EPOCH
from auditstream.demo.background import DAY_US, Background
from auditstream.demo.calibration import TokenCounts, arrivals
from auditstream.demo.calls import ModelCalls
from auditstream.demo.cast import COMPANIES, MODELS, SHADOW_SOURCE, TENANT_OF, Company
from auditstream.demo.drafts import Conversation, Draft, Pen
from auditstream.demo.incidents import IncidentWriter, Planted
from auditstream.demo.planted import Planting
from auditstream.demo.sendings import Sending
from auditstream.demo.shared_costs import SHARED
from auditstream.demo.turns import Turns

LEAST_EVENTS = 200
LEAST_WITH_INCIDENTS = 4_000
"""Events of a day below which nothing is usual in it: what is seldom used stays unknown."""

_EVENTS_A_TURN = 5.55
_SPARE = 1.2  # turns that may begin, so that there are enough of them up to the end of the day
_GOES_ON = 0.72
_MOST_OPEN = 60
_UNPRICED = frozenset(model.name for model in MODELS if not model.has_price)


@dataclass(slots=True)
class Tally:
    """What has been generated so far; repeats and dead letters are not in the counts of events.

    Attributes:
        events: Distinct events.
        duplicates: Planted repeats.
        dead_letters: Planted dead letters.
        by_tenant: Events by the tenant that they belong to; under an empty name those of nobody.
        by_type: Events by type.
        input_tokens: Sum over the events.
        output_tokens: Likewise.
        unpriced: Events with token counts of a model that nobody has a price for.
        unregistered: Events with a credential that nobody registered.
    """

    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0
    by_tenant: Counter[str] = field(default_factory=Counter)
    by_type: Counter[str] = field(default_factory=Counter)
    input_tokens: int = 0
    output_tokens: int = 0
    unpriced: int = 0
    unregistered: int = 0

    @property
    def messages(self) -> int:
        """All messages."""
        return self.events + self.duplicates + self.dead_letters

    def add(self, draft: Draft) -> None:
        """Count an event."""
        self.events += 1
        self.by_type[draft["event_type"]] += 1
        self.by_tenant[TENANT_OF.get(draft["credential_id"], "")] += 1
        self.unregistered += draft["source"] == SHADOW_SOURCE
        usage = draft.get("usage")
        if usage is not None:
            self.input_tokens += usage["input_tokens"]
            self.output_tokens += usage.get("output_tokens", 0)
            self.unpriced += draft["inference"]["request_model"] in _UNPRICED


class Day:
    """The plan of a day; iterate over `sendings` once.

    Args:
        seed: The same seed, number and end give the same events.
        events: Number of distinct events, at least `LEAST_EVENTS`; those of incidents come on top.
        end: End of the day; event times lie in the day before it.

    Attributes:
        planted: Repeats and dead letters, by number and place.
        incidents: What there is to be found in it.
        tally: What has been generated so far.
    """

    def __init__(self, *, seed: int, events: int, end: datetime) -> None:
        self._ordinary = max(events, LEAST_EVENTS)
        self.end = end
        self.tally = Tally()
        self._end_us = (end - EPOCH) // timedelta(microseconds=1)
        self._start_us = self._end_us - DAY_US
        self._numpy = np.random.default_rng(seed)
        self._pen = Pen(Random(seed), TokenCounts(self._numpy))  # noqa: S311 - repeatable is the point
        incidents = Planted()
        if self._ordinary >= LEAST_WITH_INCIDENTS:
            # A pen of its own: the rest of the day is the same with and without them.
            pen = Pen(Random(f"incidents {seed}"), TokenCounts(np.random.default_rng([seed, 1])))  # noqa: S311
            incidents = IncidentWriter(pen, self._start_us, DAY_US).planted()
        self.incidents, self._added = incidents.incidents, incidents.drafts
        self.events = self._ordinary + len(self._added)
        self.planted = Planting(Random(seed), self.events)  # noqa: S311
        change_us = self._start_us + DAY_US // 2
        self._background = Background(self._pen, self._start_us, change_us)
        self._turns = Turns(self._pen, ModelCalls(self._pen, change_us))
        self._open: dict[str, list[Conversation]] = defaultdict(list)

    @property
    def events_of_incidents(self) -> int:
        """How many of the events are there because of incidents."""
        return len(self._added)

    @property
    def expected_messages(self) -> int:
        """How many messages there will be."""
        return self.events + self.planted.duplicates + self.planted.dead_letters

    def sendings(self) -> Iterator[Sending]:
        """Yield what is sent, in that order.

        Every source instance numbers its events; spans, which have no place for a number, are left out. The
        SDK gives numbers of its own instead.
        """
        sequence: Counter[str] = Counter()
        for position, draft in enumerate(self._drafts()):
            sending = Sending(draft)
            if sending.way != "traces":
                instance = draft["source_instance"]
                draft["source_seq"] = sequence[instance]
                sequence[instance] += 1
                if "heartbeat" in draft:
                    draft["heartbeat"]["last_seq"] = draft["source_seq"]
            self.tally.add(draft)
            yield sending
            yield from self._counted(self.planted.after(position, sending))
        yield from self._counted(self.planted.rest())

    def _counted(self, extras: Iterator[Sending]) -> Iterator[Sending]:
        for extra in extras:
            self.tally.duplicates += extra.kind == "duplicate"
            self.tally.dead_letters += extra.kind == "dead letter"
            yield extra

    def _drafts(self) -> Iterator[Draft]:
        """Yield as many drafts as were asked for, in the order of their times."""
        numbers = count()
        beside = [*self._background.drafts(), *self._added]
        waiting = [(draft["event_time"], next(numbers), draft) for draft in beside]
        heapq.heapify(waiting)
        left, unwritten = self.events, self.events - len(beside)
        starts = list(self._starts())
        for place, at_us in enumerate(starts):
            while waiting and waiting[0][0] <= at_us and left:
                left -= 1
                yield heapq.heappop(waiting)[2]
            # As many turns as are needed begin, all over the day: what is to come is not known before.
            if not self._pen.chance(unwritten / (_EVENTS_A_TURN * (len(starts) - place))):
                continue
            for draft in self._turns.next_of(self._conversation(at_us), at_us):
                unwritten -= 1
                heapq.heappush(waiting, (draft["event_time"], next(numbers), draft))
        while left:
            left -= 1
            if waiting and waiting[0][0] < self._end_us:
                yield heapq.heappop(waiting)[2]
            else:  # a short day whose turns were few
                company = COMPANIES[left % len(COMPANIES)]
                yield self._background.heartbeat(company, company.projects[0], self._end_us - 1)

    def _starts(self) -> Iterator[int]:
        turns = int((self._ordinary - len(SHARED)) / _EVENTS_A_TURN * _SPARE) + 1
        for second in arrivals(turns, DAY_US / 1e6, self._numpy):
            yield self._start_us + int(second * 1e6)

    def _conversation(self, at_us: int) -> Conversation:
        """Return whose turn it is: a conversation that waits for its next one, or a new one."""
        pen = self._pen
        company = _weighted(pen, COMPANIES)
        open_ = self._open[company.tenant]
        if open_ and pen.chance(_GOES_ON):
            found = open_[pen.random.randrange(len(open_))]
            if found.free_at_us <= at_us:
                return found
        project = pen.random.choices(company.projects, [each.weight for each in company.projects])[0]
        conversation = pen.conversation(company, project)
        open_.append(conversation)
        if len(open_) > _MOST_OPEN:
            open_.pop(pen.random.randrange(len(open_) - 1))
        return conversation


def _weighted(pen: Pen, companies: tuple[Company, ...]) -> Company:
    chosen: Company = pen.random.choices(companies, [company.weight for company in companies])[0]
    return chosen
