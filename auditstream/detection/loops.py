"""`agent.loop`: an agent that does the same again and again, or takes steps without an end.

Catalogue D02: the same call eight times, or fifty steps, within ten minutes; or an answer with more than
twenty times the tokens that 95 of 100 answers of the agent stay below.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.acts import Kind
from auditstream.detection.bursts import bursts
from auditstream.detection.sighting import HIGH, Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "agent.loop"

SAME_CALLS = 8
STEPS = 50
WITHIN_US = 600_000_000

RUNAWAY_FACTOR = 20
RUNAWAY_CALLS = 100
"""Earlier answers of the agent without which its 95th percentile is not believed: five lie above it."""
RUNAWAY_TOKENS = 4_000
"""An answer shorter than that is no runaway, however short the others are."""

ATTACKS = ("AML.T0034.002", "LLM10", "ASI08")

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio, odd: mixes two hashes


def agent_loops(moment: Moment) -> Iterator[Sighting]:
    """Yield the loops that a segment's acts complete, in the order of the log."""
    if moment.new.is_empty():
        return
    tools = _of_runs(moment, Kind.TOOL).filter(pl.col("key").is_not_null())
    yield from _loops(moment, tools, SAME_CALLS, "same_call_10m", by_key=True)
    steps = _of_runs(moment, Kind.STEP)
    yield from _loops(moment, steps, STEPS, "steps_10m", by_key=False)
    # A run that tells no steps is counted by its tool calls.
    calls = _of_runs(moment, Kind.TOOL).join(steps, on="run", how="anti", maintain_order="left")
    yield from _loops(moment, calls, STEPS, "steps_10m", by_key=False)
    yield from _runaways(moment)


def _of_runs(moment: Moment, kind: Kind) -> pl.DataFrame:
    """Return the acts of a kind of the runs that have new ones."""
    new = moment.new.filter(pl.col("kind") == kind)
    if new.is_empty() or moment.old.is_empty():
        return new
    old = moment.old.filter(pl.col("kind") == kind).join(new, on="run", how="semi", maintain_order="left")
    return pl.concat([old, new])


def _loops(
    moment: Moment, acts: pl.DataFrame, count: int, metric: str, *, by_key: bool
) -> Iterator[Sighting]:
    if acts.height < count:
        return
    keys: NDArray[np.uint64] = acts["run"].to_numpy()
    if by_key:
        keys = keys ^ (acts["key"].to_numpy() * _MIX)
    found = bursts(keys, acts["time"].to_numpy(), acts["stamp"].to_numpy(), count=count, within_us=WITHIN_US)
    for first, last in zip(found.first.tolist(), found.last.tolist(), strict=True):
        act = acts.row(last, named=True)
        if act["index"] < moment.first_index:
            continue
        of_burst = acts["event_id"].gather(np.flatnonzero(keys == keys[last])).to_list()[-count:]
        what = f"the same call of {act['what']}" if by_key else "steps"
        yield Sighting(
            rule=RULE,
            tenant=act["tenant"],
            scope=named(agent=act["agent_id"], run=act["run_id"]),
            metric=metric,
            title=f"{act['agent_id'] or 'an agent'} makes {what}: {count} within 10 minutes in one run",
            severity=HIGH,
            anchor=samples([act["event_id"]])[0],
            first_us=min(acts["time"][first], act["time"]),
            last_us=act["time"],
            observed=float(count),
            expected=float(count - 1),
            events=samples(of_burst),
            attacks=ATTACKS,
        )


def _runaways(moment: Moment) -> Iterator[Sighting]:
    is_call = pl.col("kind") == Kind.CALL
    long = moment.new.filter(is_call & (pl.col("agent_id") != "") & (pl.col("tokens") >= RUNAWAY_TOKENS))
    if long.is_empty():
        return
    answers = moment.all().filter(is_call & pl.col("tokens").is_not_null())
    answers = answers.join(long, on="agent", how="semi", maintain_order="left")
    for act in long.iter_rows(named=True):
        earlier = answers.filter((pl.col("agent") == act["agent"]) & (pl.col("index") < act["index"]))
        if earlier.height < RUNAWAY_CALLS:
            continue
        usual = float(np.percentile(earlier["tokens"].to_numpy(), 95, method="lower"))
        if act["tokens"] <= RUNAWAY_FACTOR * usual:
            continue
        event = samples([act["event_id"]])
        yield Sighting(
            rule=RULE,
            tenant=act["tenant"],
            scope=named(agent=act["agent_id"], run=act["run_id"]),
            metric="output_tokens",
            title=f"an answer of {act['agent_id']} has {act['tokens']} tokens; 95 of 100 have {usual:.0f}",
            severity=HIGH,
            anchor=event[0],
            first_us=act["time"],
            last_us=act["time"],
            observed=float(act["tokens"]),
            expected=usual,
            events=event,
            attacks=ATTACKS,
        )
