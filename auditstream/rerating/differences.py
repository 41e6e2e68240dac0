"""From what is booked and what is known now to the rows that book the difference. Pure.

Of one leaf at most, in this order, each worked out on top of the ones before:

- `attribution`: minus at the former owner, plus at the new one, with the price that was booked;
- `same_call`: minus of all that is booked, where another report has the call's cost; plus where that is over;
- `reprice`: the difference of amounts; where the currency changes (a first price too), minus and plus.

A further report of a call has no figures: its move books none, and its price is left as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from auditstream.core.ids import uuid7
from auditstream.pricing.route_windows import REFUSAL
from auditstream.rerating.bookings import BOOKED, BOOKED_AGAIN, FOUND, OWNER, PRICE
from auditstream.rerating.calls import AGAIN, FIRST_REPORT
from auditstream.rerating.rating import NEW
from sinks.adjustments import ADJUSTMENT_SCHEMA, COST_TOTALS, COUNTS

KEPT = "kept"
"""Column: why a price that is booked stays although another would be found now; null where it does not.

`undated`: the new price's date is not known, so it may be one of today; `no_price`: there is none any more.
"""

_TOKENS = COUNTS[3:]
_MODEL = (
    pl.when(pl.col("inference_response_model") != "")
    .then("inference_response_model")
    .otherwise("inference_request_model")
)
_KINDS = ("attribution", "same_call", "reprice")


@dataclass(frozen=True, slots=True)
class Because:
    """What all rows of an append say of themselves.

    Attributes:
        state: What was read of the adjustments of these leaves; part of the rows' ids.
        revision: Revision of the reference data.
        reason: Why, for people; a sentence a kind where it is empty.
        actor: Who books.
        approved_by: Who else approved, where somebody had to.
        at: When (UTC).
    """

    state: str
    revision: str
    reason: str
    actor: str
    approved_by: str
    at: datetime


def with_kept(rated: pl.DataFrame, *, take_undated: bool) -> pl.DataFrame:
    """Return rated leaves with `KEPT`, and the booked price as the new one where it stays.

    A price that is booked is not given up for none, nor for one of which nobody says since when it holds.

    Args:
        rated: Leaves with what is booked and what would be recorded today.
        take_undated: Whether prices without a date count for the past too.
    """
    had, has = (pl.col(f"{prefix}cost_status") == "priced" for prefix in (BOOKED, NEW))
    other_list = pl.col(f"{NEW}cost_list").ne_missing(pl.col(f"{BOOKED}cost_list"))
    undated = has & (pl.col(f"{NEW}price_basis") == "undated") & other_list & (not take_undated)
    kept = (
        pl.when(had & ~has).then(pl.lit("no_price")).when(had & undated).then(pl.lit("undated")).alias(KEPT)
    )
    marked = rated.with_columns(kept)
    is_kept = pl.col(KEPT).is_not_null()
    return marked.with_columns(
        *(
            pl.when(is_kept).then(f"{BOOKED}{name}").otherwise(f"{NEW}{name}").alias(f"{NEW}{name}")
            for name in PRICE
        ),
        pl.when(~is_kept).then(REFUSAL).alias(REFUSAL),
    )


def moved() -> pl.Expr:
    """Return whether a leaf has another owner now."""
    return pl.any_horizontal(pl.col(f"{NEW}{name}") != pl.col(f"{BOOKED}{name}") for name in OWNER)


def repriced() -> pl.Expr:
    """Return whether a leaf that is to have figures has another price now."""
    compared = ("cost_status", "cost_currency", *COST_TOTALS)
    differs = (pl.col(f"{NEW}{name}").ne_missing(pl.col(f"{BOOKED}{name}")) for name in compared)
    return ~pl.col(AGAIN) & pl.any_horizontal(*differs)


def settled() -> pl.Expr:
    """Return whether a leaf becomes a further report of a call, or is one no more."""
    return pl.col(AGAIN) != pl.col(BOOKED_AGAIN)


def differences(leaves: pl.DataFrame, because: Because) -> pl.DataFrame:
    """Return the rows that bring the books to what is known now: `ADJUSTMENT_SCHEMA`, by leaf and kind.

    Args:
        leaves: Columns of `sinks.rated_leaves.LEAF_COLUMNS`, `bookings`, `rating` and `calls`.
        because: What the rows say of themselves.
    """
    moves, prices, calls = (leaves.filter(change) for change in (moved(), repriced(), settled()))
    other_currency = pl.col(f"{NEW}cost_currency") != pl.col(f"{BOOKED}cost_currency")
    exchanged, changed = prices.filter(other_currency), prices.filter(~other_currency)
    again, apart = calls.filter(pl.col(AGAIN)), calls.filter(~pl.col(AGAIN))
    parts = [
        _rows(moves, "attribution", -1, owner=BOOKED, price=BOOKED, stands=False),
        _rows(moves, "attribution", +1, owner=NEW, price=BOOKED, stands=True),
        _rows(again, "same_call", -1, owner=NEW, price=BOOKED, stands=True),
        _rows(apart, "same_call", +1, owner=NEW, price=BOOKED, stands=True),
        _rows(exchanged, "reprice", -1, owner=NEW, price=BOOKED, stands=False),
        _rows(exchanged, "reprice", +1, owner=NEW, price=NEW, stands=True),
        _changed_amounts(changed),
    ]
    rows = pl.concat(parts)
    if rows.is_empty():
        return pl.DataFrame(schema=ADJUSTMENT_SCHEMA)
    return _signed(rows, because)


def _rows(
    leaves: pl.DataFrame, kind: str, sign: int, *, owner: str, price: str, stands: bool
) -> pl.DataFrame:
    """Return a row a leaf with all of its figures at an owner and a price, taken away or added."""
    figures = ~pl.col(BOOKED_AGAIN) if kind == "attribution" else pl.lit(value=True)
    failed = (pl.col("outcome") == "FAILURE").cast(pl.Int64)
    unpriced = (pl.col(f"{price}cost_status") == "unpriced").cast(pl.Int64)
    counts = {
        "events": pl.lit(1, pl.Int64), "failures": failed, "unpriced_events": unpriced,
        **{name: pl.col(name).fill_null(0) for name in _TOKENS},
    }  # fmt: skip
    return _described(leaves, kind, owner=owner, price=price, stands=stands).hstack(
        leaves.select(
            *(_where(figures, value * sign).alias(name) for name, value in counts.items()),
            *(
                _where(figures, pl.col(f"{price}{name}").fill_null(0) * sign)
                .cast(pl.Decimal(38, 12))
                .alias(name)
                for name in COST_TOTALS
            ),
        )
    )


def _changed_amounts(leaves: pl.DataFrame) -> pl.DataFrame:
    """Return a row a leaf with the difference of two prices in one currency."""
    new, old = ((pl.col(f"{prefix}cost_status") == "unpriced").cast(pl.Int64) for prefix in (NEW, BOOKED))
    counts = dict.fromkeys(COUNTS, pl.lit(0, pl.Int64)) | {"unpriced_events": new - old}
    amounts = {
        name: pl.col(f"{NEW}{name}").fill_null(0) - pl.col(f"{BOOKED}{name}").fill_null(0)
        for name in COST_TOTALS
    }
    return _described(leaves, "reprice", owner=NEW, price=NEW, stands=True).hstack(
        leaves.select(
            *(value.alias(name) for name, value in counts.items()),
            *(value.cast(ADJUSTMENT_SCHEMA[name]).alias(name) for name, value in amounts.items()),
        )
    )


def _where(figures: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(figures).then(value).otherwise(value * 0)


def _described(leaves: pl.DataFrame, kind: str, *, owner: str, price: str, stands: bool) -> pl.DataFrame:
    """Return what a row a leaf says beside its figures."""
    says_owner, says_price = kind == "attribution" and stands, kind == "reprice" and stands
    nothing, no_lines = pl.lit(""), pl.lit([], dtype=ADJUSTMENT_SCHEMA["costs"])
    revisions = {
        "attribution": (pl.col("reference_revision").cast(pl.String), nothing),
        "reprice": (pl.col(f"{BOOKED}price_book_revision"), pl.col(f"{NEW}price_book_revision")),
        "same_call": (nothing, nothing),
    }
    before, after = revisions[kind]
    priced = (
        (pl.col(f"{NEW}{name}") if says_price else nothing).alias(name)
        for name in ("cost_status", "price_basis")
    )
    return leaves.select(
        pl.lit(kind).alias("kind"),
        "log_id", "leaf_index", "event_id", "event_time", "event_type",
        pl.lit(stands).alias("stands"),
        *(pl.col(f"{owner}{name}").alias(name) for name in OWNER),
        "feature_id", "agent_id", "credential_id", "inference_provider",
        _MODEL.alias("model"),
        pl.col(f"{price}cost_currency").alias("cost_currency"),
        *(
            (pl.col(f"{NEW}{name}") if says_owner else pl.lit(None)).cast(ADJUSTMENT_SCHEMA[name]).alias(name)
            for name in FOUND
        ),
        *priced,
        (pl.col(FIRST_REPORT) if kind == "same_call" else nothing).alias("same_call_as"),
        (pl.col(f"{NEW}costs") if says_price else no_lines).alias("costs"),
        before.alias("old_revision"),
        after.alias("new_revision"),
    )  # fmt: skip


_REASONS = {
    "attribution": "the reference data names another owner",
    "reprice": "the price book has another price",
    "same_call": "another event reports the same call",
}


def _signed(rows: pl.DataFrame, because: Because) -> pl.DataFrame:
    """Return the rows with their ids, in order of leaf and kind, and with who books them, when and why."""
    kind = pl.col("kind")
    reason = kind.replace_strict(_REASONS) if not because.reason else pl.lit(because.reason)
    place = kind.replace_strict({name: place for place, name in enumerate(_KINDS)}, return_dtype=pl.UInt8)
    described = rows.with_columns(
        pl.when(kind == "attribution")
        .then(pl.lit(because.revision))
        .otherwise("new_revision")
        .alias("new_revision"),
        pl.col("attribution_method").fill_null(""),
        reason.alias("reason"),
        pl.lit(because.approved_by).alias("approved_by"),
        pl.lit(because.at).cast(ADJUSTMENT_SCHEMA["recorded_at"]).alias("recorded_at"),
        pl.lit(because.actor).alias("actor"),
    ).sort("log_id", "leaf_index", place, "stands", maintain_order=True)
    said = described.select(
        "log_id",
        "leaf_index",
        "kind",
        "stands",
        *OWNER,
        "cost_currency",
        *COUNTS,
        *COST_TOTALS,
        "cost_status",
    )
    milliseconds = described["event_time"].dt.epoch("ms").to_list()
    ids = [
        uuid7(at_ms, _digest(because.state, row)).bytes
        for at_ms, row in zip(milliseconds, said.iter_rows(), strict=True)
    ]
    return described.with_columns(adjustment_id=pl.Series(ids, dtype=pl.Binary)).select(
        pl.col(name).cast(dtype) for name, dtype in ADJUSTMENT_SCHEMA.items()
    )


def _digest(state: str, row: Sequence[object]) -> bytes:
    return hashlib.sha256("\0".join((state, *map(str, row))).encode()).digest()[:10]
