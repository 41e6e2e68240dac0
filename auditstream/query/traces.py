"""The events of one trace as a tree: who called whom, how long it took, and what it cost.

A trace is of the W3C: spans with ids, each naming its parent. Events that are no spans of their own (a policy
check, a review, an evaluation) hang from the event that they speak about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.query.current_events import CurrentEvents, current_events
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import ANSWERED_MODEL

MOST_EVENTS = 5_000
"""Events of a trace at most; an agent that needs more has a fault that a tree would not show."""

_LONGEST_ID = 64  # characters; the W3C's have 32
_SUBJECTS = (
    "policy_subject_event_id",
    "review_subject_event_id",
    "evaluation_subject_event_id",
    "causation_id",
)
_COLUMNS = (
    "event_id", "event_time", "event_type", "source", "duration_us", "span_id", "parent_span_id", "agent_id",
    "tool_name", "inference_operation", "outcome", "error_type", "policy_verdict", "input_tokens",
    "output_tokens", "cost_effective", "cost_currency", "cost_status", *_SUBJECTS,
)  # fmt: skip


@dataclass(slots=True)
class Step:
    """One event of a trace, with what it led to.

    Attributes:
        event: Its columns by name, those of a search and more; `model` is the one that answered.
        children: What it led to, by time.
    """

    event: Mapping[str, Any]
    children: list[Step] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        """When it began (UTC): `event_time` is that of its beginning."""
        time: datetime = self.event["event_time"]
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time

    @property
    def end(self) -> datetime:
        """When it ended; where it began when nobody said how long it took."""
        return self.start + timedelta(microseconds=self.event["duration_us"] or 0)

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Step]]:
        """Yield the step and all below it, each with its depth, in the order of a tree on a page."""
        pending = [(depth, self)]
        while pending:
            level, step = pending.pop()
            yield level, step
            pending.extend((level + 1, child) for child in reversed(step.children))


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole trace.

    Attributes:
        trace_id: Its id.
        roots: Steps that nothing in the trace led to, by time.
        events: How many events it has.
        is_whole: Whether it has no more of them than were read.
    """

    trace_id: str
    roots: tuple[Step, ...]
    events: int
    is_whole: bool = True

    def walk(self) -> Iterator[tuple[int, Step]]:
        """Yield every step with its depth, in the order of a tree on a page."""
        for root in self.roots:
            yield from root.walk()

    @property
    def start(self) -> datetime:
        """When the first step began."""
        return min(step.start for _, step in self.walk())

    @property
    def end(self) -> datetime:
        """When the last step ended."""
        return max(step.end for _, step in self.walk())

    def tokens(self, name: str) -> int:
        """Return the sum of `input_tokens` or `output_tokens`."""
        return sum(step.event[name] or 0 for _, step in self.walk())

    @property
    def costs(self) -> dict[str, Decimal]:
        """Effective cost by currency; events without a price have no part in it."""
        costs: dict[str, Decimal] = {}
        for _, step in self.walk():
            if step.event["cost_effective"] is not None:
                currency = step.event["cost_currency"]
                costs[currency] = costs.get(currency, Decimal(0)) + step.event["cost_effective"]
        return costs

    @property
    def unpriced(self) -> int:
        """Events that need a price and have none."""
        return sum(step.event["cost_status"] == "unpriced" for _, step in self.walk())


def trace(reader: Reader, trace_id: str, *, tenant: str | None = None) -> Trace:
    """Return the events of a trace as a tree, with costs as they are known now.

    Args:
        reader: The store.
        trace_id: As the events have it; hexadecimal digits are taken in either case.
        tenant: Only this tenant's events.

    Raises:
        RequestError: It is no id.
        NotFoundError: No event has it.
        RetryableError: No answer.
    """
    wanted = trace_id.strip()
    if not wanted or len(wanted) > _LONGEST_ID:
        raise RequestError(f"{trace_id!r} is no trace id", hint="A trace id has 32 hexadecimal digits.")
    conditions = Conditions()
    if tenant is not None:
        conditions.add_tenant(tenant)
    ids = conditions.bind(sorted({wanted, wanted.lower()}), "Array(String)")
    conditions.add(f"trace_id IN {ids}")

    def read(current: CurrentEvents) -> list[dict[str, Any]]:
        found = current.select(f"{', '.join(_COLUMNS)}, {ANSWERED_MODEL} AS model", conditions)
        sql = f"{found}\nORDER BY event_time, event_id\nLIMIT {MOST_EVENTS + 1}"
        return current.reader.table(sql, conditions.parameters, doing="read of a trace").records()

    # When a trace was is told by its events: what was booked to them is looked for once they are there.
    rows, came = read(CurrentEvents(reader, is_adjusted=False)), _came(reader, tenant)
    if rows or came:
        current = current_events(reader, tenant=tenant, period=Period() if came else _period(rows))
        rows = read(current) if current.is_adjusted else rows
    if not rows:
        hint = "`auditstream search trace:ID` shows events of a trace; `auditstream status` what is recorded."
        raise NotFoundError(f"trace {wanted}: no event has it", hint=hint)
    return tree(wanted, rows[:MOST_EVENTS], is_whole=len(rows) <= MOST_EVENTS)


def _came(reader: Reader, tenant: str | None) -> bool:
    """Return whether events of others came to whom is asked for; they may be of any trace and time."""
    conditions = Conditions()
    conditions.add("kind = 'attribution'")
    if tenant is not None:
        conditions.add_tenant(tenant)
    # A move is taken from one and given to another: whoever sees both sees that nothing came to them.
    sql = f"""
SELECT 1 FROM cost_adjustments WHERE {conditions.sql}
GROUP BY log_id, leaf_index HAVING sum(if(stands, 1, -1)) > 0 LIMIT 1"""  # noqa: S608  values are parameters
    return bool(reader.table(sql, conditions.parameters, doing="look for events that came").rows)


def _period(rows: Sequence[Mapping[str, Any]]) -> Period:
    """Return when the events of a trace are, of which there may be more than were read."""
    end = Step(rows[-1]).start + timedelta(microseconds=1)
    return Period(Step(rows[0]).start, end if len(rows) <= MOST_EVENTS else None)


def tree(trace_id: str, rows: Sequence[Mapping[str, Any]], *, is_whole: bool = True) -> Trace:
    """Return rows, in order of time, as a tree.

    A step hangs from the span that it names as its parent, else from the event that it speaks about. What
    names nothing in the trace is a root, and so is the earliest of steps that name each other in a circle:
    every row is in the tree, and once.
    """
    steps = [Step(row) for row in rows]
    by_span: dict[str, int] = {}
    by_event: dict[str, int] = {}
    for number, step in enumerate(steps):
        by_event[str(step.event["event_id"])] = number
        if step.event["span_id"]:
            by_span.setdefault(step.event["span_id"], number)  # a span's first event stands for it
    parents = [_parent(step, number, by_span, by_event) for number, step in enumerate(steps)]
    _cut_circles(parents)
    for number, step in enumerate(steps):
        if (parent := parents[number]) is not None:
            steps[parent].children.append(step)
    roots = tuple(step for step, parent in zip(steps, parents, strict=True) if parent is None)
    return Trace(trace_id, roots, len(steps), is_whole)


def _parent(step: Step, number: int, by_span: Mapping[str, int], by_event: Mapping[str, int]) -> int | None:
    event = step.event
    # A later event of the same span, as a policy check of a call, belongs to the first.
    if event["span_id"] and (first := by_span[event["span_id"]]) != number:
        return first
    named = [by_span.get(event["parent_span_id"]) if event["parent_span_id"] else None]
    named += [by_event.get(str(event[name]).lower()) for name in _SUBJECTS if event[name]]
    return next((parent for parent in named if parent is not None and parent != number), None)


def _cut_circles(parents: list[int | None]) -> None:
    """Make a root of the earliest step of every circle."""
    settled: set[int] = set()
    for number in range(len(parents)):
        path: dict[int, int] = {}  # each step of the way up with its place on it
        at: int | None = number
        while at is not None and at not in settled:
            if at in path:
                circle = list(path)[path[at] :]
                parents[min(circle)] = None
                break
            path[at] = len(path)
            at = parents[at]
        settled.update(path)
