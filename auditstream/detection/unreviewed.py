"""`tool.destructive_unreviewed`: a tool destroyed something that nobody had approved, or does so in a row.

Catalogue D23. A call is approved by a review that names it or its cause, or by one in its conversation in the
ten minutes before it. Approval and call are written by different programs and may reach the log in either
order, so that a call is judged when a minute has passed in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from auditstream.detection.acts import Mark
from auditstream.detection.bursts import bursts
from auditstream.detection.sighting import CRITICAL, HIGH, Sighting, named, samples
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
    if due.height:
        yield from map(_sighting, _unapproved(moment, due).iter_rows(named=True))
    yield from _in_a_row(moment)


def _unapproved(moment: Moment, due: pl.DataFrame) -> pl.DataFrame:
    approvals = moment.all().filter((pl.col("marks") & int(Mark.APPROVES)) != 0)
    if approvals.is_empty():
        return due
    named_by = approvals.select("subject").unique()
    waited = pl.col("time_call") - pl.col("time")
    before = (
        approvals.select("conversation", "time")
        .join(due.select("conversation", "index", time_call="time"), on="conversation")
        .filter(waited.is_between(0, APPROVED_WITHIN_US))
    )
    return (
        due.join(named_by, left_on="event", right_on="subject", how="anti", maintain_order="left")
        .join(named_by, left_on="cause", right_on="subject", how="anti", maintain_order="left")
        .join(before, on="index", how="anti", maintain_order="left")
    )


def _sighting(call: dict[str, Any]) -> Sighting:
    event = samples([call["event_id"]])
    return Sighting(
        rule=RULE,
        tenant=call["tenant"],
        scope=named(agent=call["agent_id"], conversation=call["conversation_id"], tool=call["what"]),
        metric="unreviewed_calls",
        title=f"{call['what'] or 'a tool'} destroyed something, and no review had approved it",
        severity=CRITICAL,
        anchor=event[0],
        first_us=call["time"],
        last_us=call["time"],
        observed=1.0,
        expected=0.0,
        events=event,
        attacks=ATTACKS,
    )


def _in_a_row(moment: Moment) -> Iterator[Sighting]:
    destroys = (pl.col("marks") & int(Mark.DESTROYS)) != 0
    new = moment.new.filter(destroys)
    if new.is_empty():
        return
    calls = moment.all().filter(destroys).join(new, on="run", how="semi", maintain_order="left")
    keys = calls["run"].to_numpy()
    found = bursts(keys, calls["time"].to_numpy(), calls["stamp"].to_numpy(), count=BURST, within_us=BURST_US)
    for first, last in zip(found.first.tolist(), found.last.tolist(), strict=True):
        call = calls.row(last, named=True)
        if call["index"] < moment.first_index:
            continue
        of_run = calls["event_id"].gather(np.flatnonzero(keys[: last + 1] == keys[last])).to_list()
        yield Sighting(
            rule=RULE,
            tenant=call["tenant"],
            scope=named(agent=call["agent_id"], run=call["run_id"]),
            metric="destructive_calls_5m",
            title=f"{call['agent_id'] or 'a run'} made {BURST} destructive calls within 5 minutes",
            severity=HIGH,
            anchor=samples([call["event_id"]])[0],
            first_us=calls["time"][first],
            last_us=call["time"],
            observed=float(BURST),
            expected=float(BURST - 1),
            events=samples(of_run[-BURST:]),
            attacks=ATTACKS,
        )
