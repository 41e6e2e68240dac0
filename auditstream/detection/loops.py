"""`agent.loop`: an agent that does the same again and again, or takes steps without an end.

Catalogue D02: the same call eight times, or fifty steps, within ten minutes; or an answer with more than
twenty times the tokens that 95 of 100 answers of the agent stay below. Ours: the same call that failed eight
times within an hour. Who asks slowly whether a job is done may ask often, and gets answers; who fails again
and again at the same is stuck, however long it waits between.
"""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np
import polars as pl

from auditstream.detection.acts import Acts, Hashes, Kind, Mark, is_among
from auditstream.detection.bursts import bursts
from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "agent.loop"

SAME_CALLS = 8
STEPS = 50
WITHIN_US = 600_000_000
FAILING_US = 3_600_000_000
"""Within how long as many failures of the same call are a loop: some wait for minutes between, and what is
tried for an hour is no second try."""

RUNAWAY_FACTOR = 20
RUNAWAY_CALLS = 100
"""Earlier answers of the agent without which its 95th percentile is not believed: five lie above it."""
RUNAWAY_TOKENS = 4_000
"""An answer shorter than that is no runaway, however short the others are."""

_SAME, _STEPS, _FAILING = "same_call_10m", "steps_10m", "same_failure_1h"
_WHAT = {
    _SAME: "the same call of {tool}",
    _STEPS: "steps",
    _FAILING: "the same call of {tool}, which fails",
}
"""What is watched, and what is said of it."""

ATTACKS = ("AML.T0034.002", "LLM10", "ASI08")


def agent_loops(moment: Moment) -> Iterator[Sighting]:
    """Yield the loops that a segment's acts complete, in the order of the log."""
    kinds = moment.new.kind
    tools, steps = (kinds == each for each in (Kind.TOOL, Kind.STEP))
    if tools.any():
        told = moment.new.same[tools]
        calls = moment.of_kind(Kind.TOOL)
        calls = calls.where((calls.same != 0) & is_among(calls.same, told[told != 0]))
        calls_again = list(_loops(moment, calls, calls.same, SAME_CALLS, _SAME))
        yield from calls_again
        yield from _failing(moment, calls.marked(Mark.FAILS), {each.anchor for each in calls_again})
        yield from _long_runs(moment, moment.of_kind(Kind.TOOL), Kind.TOOL)
    if steps.any():
        yield from _long_runs(moment, moment.of_kind(Kind.STEP), Kind.STEP)
    yield from _runaways(moment)


def _failing(moment: Moment, calls: Acts, told: Set[str]) -> Iterator[Sighting]:
    """Yield the calls that fail again and again, but for those that are told of as the same call already."""
    for each in _loops(moment, calls, calls.same, SAME_CALLS, _FAILING):
        if each.anchor not in told:
            yield each


def _long_runs(moment: Moment, acts: Acts, kind: Kind) -> Iterator[Sighting]:
    """Yield the runs with too many acts of a kind; a run that tells its steps is not counted by its calls."""
    if len(acts) < STEPS:
        return
    counts = pl.Series("run", acts.run).value_counts().filter(pl.col("count") >= STEPS)
    runs: Hashes = counts["run"].to_numpy()
    runs = runs[is_among(runs, moment.new.run[moment.new.kind == kind])]
    if kind is Kind.TOOL:
        runs = runs[~is_among(runs, moment.of_kind(Kind.STEP).run)]
    if len(runs):
        acts = acts.where(is_among(acts.run, runs))
        yield from _loops(moment, acts, acts.run, STEPS, _STEPS)


def _loops(moment: Moment, acts: Acts, keys: Hashes, count: int, metric: str) -> Iterator[Sighting]:
    within_us = FAILING_US if metric == _FAILING else WITHIN_US
    found = bursts(keys, acts.time, acts.stamp, count=count, within_us=within_us)
    for first, last in zip(found.first.tolist(), found.last.tolist(), strict=True):
        index = int(acts.index[last])
        if not moment.is_new(index):
            continue
        of_burst = acts.where(np.flatnonzero(keys[: last + 1] == keys[last])[-count:])
        who, event_ids = moment.who(index), of_burst.ids()
        what, minutes = _WHAT[metric].format(tool=who.tool), within_us // 60_000_000
        yield Sighting(
            rule=RULE,
            tenant=who.tenant,
            scope=named(agent=who.agent, run=who.run),
            metric=metric,
            title=f"{who.agent or 'an agent'} makes {what}: {count} within {minutes} minutes in one run",
            severity=Severity.HIGH,
            anchor=samples(event_ids[-1:])[0],
            first_us=int(min(acts.time[first], acts.time[last])),
            last_us=int(acts.time[last]),
            observed=float(count),
            expected=float(count - 1),
            events=samples(event_ids),
            attacks=ATTACKS,
        )


def _runaways(moment: Moment) -> Iterator[Sighting]:
    new = moment.new
    long = new.where((new.kind == Kind.CALL) & (new.tokens >= RUNAWAY_TOKENS))
    if not len(long):
        return
    calls = moment.of_kind(Kind.CALL)
    for agent, tokens, index, time, event_id in zip(
        long.agent, long.tokens.tolist(), long.index.tolist(), long.time.tolist(), long.ids(), strict=True
    ):
        who = moment.who(index)
        earlier = calls.tokens[(calls.agent == agent) & (calls.index < index)]
        if not who.agent or len(earlier) < RUNAWAY_CALLS:
            continue
        usual = float(np.percentile(earlier, 95, method="lower"))
        if tokens <= RUNAWAY_FACTOR * usual:
            continue
        event = samples([event_id])
        yield Sighting(
            rule=RULE,
            tenant=who.tenant,
            scope=named(agent=who.agent, run=who.run),
            metric="output_tokens",
            title=f"an answer of {who.agent} has {tokens} tokens; 95 of 100 have {usual:.0f} at most",
            severity=Severity.HIGH,
            anchor=event[0],
            first_us=time,
            last_us=time,
            observed=float(tokens),
            expected=usual,
            events=event,
            attacks=ATTACKS,
        )
