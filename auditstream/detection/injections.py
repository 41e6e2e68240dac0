"""`injection.to_action`: an injection was seen, and within ten minutes the conversation changes something.

Catalogue D07. The decision and the tool call may reach the log in either order; what counts is when they
happened. One sighting a decision: that of the first call after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from auditstream.detection.acts import Mark
from auditstream.detection.sighting import CRITICAL, HIGH, Sighting, named, samples
from auditstream.detection.window import Moment

RULE = "injection.to_action"
WITHIN_US = 600_000_000
ATTACKS = ("AML.T0051.001", "AML.T0053", "LLM01", "ASI01", "MCP06")

_EITHER = int(Mark.INJECTED | Mark.CHANGES)


def injections_to_actions(moment: Moment) -> Iterator[Sighting]:
    """Yield the injections that a segment's acts show to have led to an action, or may have.

    Severity is critical, and high where the injection was blocked: another attempt may have come through.
    """
    is_either = (pl.col("marks") & _EITHER) != 0
    new = moment.new.filter(is_either & (pl.col("conversation_id") != ""))
    if new.is_empty():
        return
    acts = moment.all().filter(is_either).join(new, on="conversation", how="semi", maintain_order="left")
    signals = acts.filter((pl.col("marks") & int(Mark.INJECTED)) != 0)
    actions = acts.filter((pl.col("marks") & int(Mark.CHANGES)) != 0)
    if signals.is_empty() or actions.is_empty():
        return
    after = pl.col("time_action") - pl.col("time")
    stamps = (pl.col("stamp_action") - pl.col("stamp")).abs()
    pairs = (
        signals.join(actions, on="conversation", suffix="_action")
        .filter(after.is_between(0, WITHIN_US) & (stamps <= WITHIN_US))
        .with_columns(pl.max_horizontal("index", "index_action").alias("seen"))
    )
    # Told already, when both were in the log before.
    told = pairs.filter(pl.col("seen") < moment.first_index)
    pairs = (
        pairs.join(told, on="index", how="anti")
        .sort("index", "time_action", "index_action")
        .unique("index", keep="first", maintain_order=True)
    )
    for pair in pairs.iter_rows(named=True):
        yield _sighting(pair)


def _sighting(pair: dict[str, Any]) -> Sighting:
    def text(name: str) -> str:  # one of the two acts is new, and has its texts
        return pair[name] or pair[f"{name}_action"] or ""

    blocked = bool(pair["marks"] & Mark.BLOCKS)
    seconds = (pair["time_action"] - pair["time"]) // 1_000_000
    said = "was seen and blocked" if blocked else "was seen"
    tool = pair["what_action"] or "a tool that changes something"
    return Sighting(
        rule=RULE,
        tenant=text("tenant"),
        scope=named(agent=text("agent_id"), conversation=text("conversation_id")),
        metric="seconds_to_action",
        title=f"an injection {said}, and {seconds} s later its conversation called {tool}",
        severity=HIGH if blocked else CRITICAL,
        anchor=samples([pair["event_id"]])[0],
        first_us=pair["time"],
        last_us=pair["time_action"],
        observed=float(seconds),
        expected=WITHIN_US / 1_000_000,
        events=samples([pair["event_id"], pair["event_id_action"]]),
        attacks=ATTACKS,
    )
