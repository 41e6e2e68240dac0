"""`tool.destructive_unreviewed`: a tool destroyed something that nobody had approved, or does so in a row.

Catalogue D23. A call is approved by a review that names it or its cause, or by one in its conversation in the
ten minutes before it. Approval and call are written by different programs and may reach the log in either
order, so that a call is judged when a minute has passed in the log.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auditstream.detection.acts import Acts, Mark, is_among
from auditstream.detection.bursts import bursts
from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "tool.destructive_unreviewed"
WAIT_US = 60_000_000
APPROVED_WITHIN_US = 600_000_000
BURST = 5
BURST_US = 300_000_000
ATTACKS = ("AML.T0101", "ASI02", "LLM06")


def unreviewed_destruction(moment: Moment) -> Iterator[Sighting]:
    """Yield the destructive calls whose minute is over and that nobody approved, then bursts of such."""
    due = moment.due(Mark.DESTROYS, WAIT_US)
    if len(due):
        approvals = moment.notable().marked(Mark.APPROVES)
        approved = is_among(due.event, approvals.subject) | is_among(due.cause, approvals.subject)
        for place in np.flatnonzero(~approved).tolist():
            if not _is_approved_before(due, place, approvals):
                yield _sighting(moment, due.where(slice(place, place + 1)))
    yield from _in_a_row(moment)


def _is_approved_before(calls: Acts, place: int, approvals: Acts) -> bool:
    waited = calls.time[place] - approvals.time
    here = (approvals.conversation == calls.conversation[place]) & (approvals.conversation != 0)
    return bool((here & (waited >= 0) & (waited <= APPROVED_WITHIN_US)).any())


def _sighting(moment: Moment, call: Acts) -> Sighting:
    event, who = samples(call.ids()), moment.who(int(call.index[0]))
    return Sighting(
        rule=RULE,
        tenant=who.tenant,
        scope=named(agent=who.agent, conversation=who.conversation, tool=who.tool),
        metric="unreviewed_calls",
        title=f"{who.tool or 'a tool'} destroyed something, and no review had approved it",
        severity=Severity.CRITICAL,
        anchor=event[0],
        first_us=int(call.time[0]),
        last_us=int(call.time[0]),
        observed=1.0,
        expected=0.0,
        events=event,
        attacks=ATTACKS,
    )


def _in_a_row(moment: Moment) -> Iterator[Sighting]:
    new = moment.new.marked(Mark.DESTROYS)
    if not len(new):
        return
    calls = moment.notable().marked(Mark.DESTROYS)
    calls = calls.where(is_among(calls.run, new.run))
    found = bursts(calls.run, calls.time, calls.stamp, count=BURST, within_us=BURST_US)
    for first, last in zip(found.first.tolist(), found.last.tolist(), strict=True):
        index = int(calls.index[last])
        if not moment.is_new(index):
            continue
        of_run = calls.where(np.flatnonzero(calls.run[: last + 1] == calls.run[last])[-BURST:])
        who, event_ids = moment.who(index), of_run.ids()
        yield Sighting(
            rule=RULE,
            tenant=who.tenant,
            scope=named(agent=who.agent, run=who.run),
            metric="destructive_calls_5m",
            title=f"{who.agent or 'a run'} made {BURST} destructive calls within 5 minutes",
            severity=Severity.HIGH,
            anchor=samples(event_ids[-1:])[0],
            first_us=int(min(calls.time[first], calls.time[last])),
            last_us=int(calls.time[last]),
            observed=float(BURST),
            expected=float(BURST - 1),
            events=samples(event_ids),
            attacks=ATTACKS,
        )
