"""`model.silent_swap`: a model answered that was not the one asked for, for the first time.

Catalogue D21. A snapshot of the model asked for is that model (`gpt-4o`, answered by `gpt-4o-2024-08-06`),
and a swap that a router tells of is not silent. What a provider or a deployment's name always does is thus
told once; fingerprints of back ends change with every roll-out, and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import polars as pl

from auditstream.core.event_types import CALL_TYPES
from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples
from schemas.sameness import says_one

RULE = "model.silent_swap"
ATTACKS = ("AML.T0109", "LLM03", "ASI04")

PAIR = ("tenant_id", "inference_provider", "inference_request_model", "inference_response_model")
"""What is seen for the first time."""

_PAIRS: dict[str, pl.DataType] = {
    **dict.fromkeys(PAIR, pl.String()),
    "index": pl.UInt64(),
    "event_id": pl.Binary(),
    "event_time": pl.Int64(),
}

# A path (`models/`), a region and a vendor (`us.anthropic.`) in front of a name.
_FRONT = re.compile(r"^.*/|^(?:[a-z]{2,6}\.)?(?:[a-z0-9]+\.)(?=[a-z])")
# A date, a build, a version, or `latest` behind it. One digit alone is another model: claude-3, claude-3-5.
_BEHIND = re.compile(r"(?:[-@:](?:\d{4}-\d{2}-\d{2}|\d{3,8}|v\d+(?:[.:]\d+)*|latest|preview|exp|stable))+")


def swaps(events: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of models asked for and answered that differ: `PAIR`, and of each its first event.

    Columns beside `PAIR`: `index`, `event_id`, `event_time` in microseconds.

    Args:
        events: A segment's events with `index`, the leaf's; repeats left out.
    """
    if not _may_swap(events):
        return _no_pairs()
    asked, answered = (pl.col(name) for name in PAIR[2:])
    told = events.select(*PAIR, "event_type", "index", "event_id", pl.col("event_time").to_physical())
    found = told.filter(
        (asked != answered) & (asked != "") & (answered != "") & pl.col("event_type").is_in(CALL_TYPES)
    ).drop("event_type")
    # What all of them say tells no pair from another.
    varied = [name for name in PAIR if not says_one(found[name])]
    pairs = found.unique(varied, keep="first", maintain_order=True) if varied else found.head(1)
    if pairs.is_empty():
        return pairs
    differs = [_differ(*names) for names in pairs.select(PAIR[2:]).iter_rows()]
    routed = events.filter(pl.col("event_type") == "ai.routing").select(
        "tenant_id", inference_response_model="routing_to_model"
    )
    return pairs.filter(pl.Series(differs, dtype=pl.Boolean)).join(
        routed, on=("tenant_id", "inference_response_model"), how="anti", maintain_order="left"
    )


@cache
def _no_pairs() -> pl.DataFrame:
    return pl.DataFrame(schema=_PAIRS)


def _may_swap(events: pl.DataFrame) -> bool:
    """Return whether names differ in any event: most often a few pairs of names are all that there is."""
    names = events.select(PAIR[2:])
    pairs = names.head(1) if all(map(says_one, names)) else names.unique()
    return any(_differ(*pair) for pair in pairs.iter_rows())


def _differ(asked: str | None, answered: str | None) -> bool:
    return (
        asked is not None
        and answered is not None
        and "" not in {asked, answered}
        and not is_same_model(asked, answered)
    )


def is_same_model(asked: str, answered: str) -> bool:
    """Return whether two names are of one model: they differ before the name, or in a snapshot behind it."""
    short, long = sorted((_FRONT.sub("", each.lower()) for each in (asked, answered)), key=len)
    if not long.startswith(short):
        short, long = (_BEHIND.sub("", each) for each in (short, long))
        return short == long
    return short == long or _BEHIND.fullmatch(long[len(short) :]) is not None


def sightings(pairs: pl.DataFrame) -> Iterator[Sighting]:
    """Yield a sighting of each pair; the same in every log, so that each tenant is told once."""
    for pair in pairs.iter_rows(named=True):
        provider, asked, answered = (pair[name] or "" for name in PAIR[1:])
        event = samples([pair["event_id"]])
        yield Sighting(
            rule=RULE,
            tenant=pair["tenant_id"],
            scope=named(provider=provider, asked=asked, answered=answered),
            metric="first_seen_pair",
            title=f"{provider} answered with {answered} where {asked} was asked for, the first time",
            severity=Severity.LOW,
            anchor="",
            first_us=pair["event_time"],
            last_us=pair["event_time"],
            observed=1.0,
            expected=0.0,
            events=event,
            attacks=ATTACKS,
        )
