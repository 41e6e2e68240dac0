"""The fields that rules may name, by log source: columns of events, or what a record of another log holds.

Our own log source is `product: ai_audit`, with an event type as `service` where a rule is about one: its
fields are the columns of table `events`, and `attributes.KEY`. Those of `record_logs` are other systems': the
fields are those of their records, nested ones by dotted path, which importers keep in `attributes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.rules.fault import RuleFaultError
from auditstream.detection.rules.record_logs import RECORD_LOGS, RecordLog, record_log
from schemas.columns import BY_NAME
from schemas.flatten import FRAME_SCHEMA

_MONEY = pl.Decimal(38, 12)

# What attribution, pricing and the search for repeats add before rules are asked.
_ADDED: dict[str, pl.DataType] = {
    "tenant_claim": pl.String(),
    "attribution_method": pl.String(),
    "cost_currency": pl.String(),
    "cost_list": _MONEY,
    "cost_contracted": _MONEY,
    "cost_effective": _MONEY,
    "cost_billed": _MONEY,
    "price_basis": pl.String(),
    "cost_status": pl.String(),
}

_COLUMNS: dict[str, pl.DataType] = {**FRAME_SCHEMA, **_ADDED}
_MATCHED = (pl.String, pl.Int32, pl.Int64, pl.Float64, pl.Boolean, pl.Decimal, pl.Datetime)

ATTRIBUTES = "attributes"

_KEY = re.compile(r"[^\s|]{1,256}")


@dataclass(frozen=True, slots=True)
class Field:
    """A field as a rule reads it.

    Attributes:
        name: As the rule has it.
        column: Column of the frame that must not be wholly null for it to have a value.
        input: Name of the value among a rule's inputs: the column itself, or a key of its map.
        dtype: Type of the value.
        symbols: Values of a closed vocabulary, in capitals; empty where any text may come.
    """

    name: str
    column: str
    input: str
    dtype: pl.DataType
    symbols: frozenset[str] = frozenset()

    @property
    def value(self) -> pl.Expr:
        """The value, over the columns of a frame of events."""
        if self.input == self.column:
            return pl.col(self.column)
        return pl.col(self.column).map.get(self.input.removeprefix(f"{self.column}."))


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which events a rule is asked about.

    Attributes:
        event_type: The type that they have; empty for any.
        source: What their `source` begins with; empty for any.
    """

    event_type: str = ""
    source: str = ""

    @property
    def log(self) -> RecordLog | None:
        """The log whose records' fields these are; None for the columns of events."""
        return record_log(self.source)

    def may_have(self, distinct: Callable[[str], Sequence[str | None] | None]) -> bool:
        """Return whether events can be of it, by the texts that a column has: a look at all is spared.

        Args:
            distinct: Returns the texts of column `event_type` or `source`; None where they are not known.
        """
        if self.event_type and (types := distinct("event_type")) is not None and self.event_type not in types:
            return False
        sources = distinct("source") if self.source else None
        return sources is None or any(each is not None and each.startswith(self.source) for each in sources)

    def rows(self, events: pl.DataFrame) -> NDArray[np.int64]:
        """Return the numbers of the events that are of it, ascending; a repeat of an event never is."""
        repeats, mask = events.get_column("duplicate_of"), np.ones(events.height, np.bool_)
        if repeats.null_count() < events.height:
            mask &= repeats.is_null().to_numpy()
        if self.source:
            mask &= events.get_column("source").str.starts_with(self.source).to_numpy()
        if self.event_type:
            mask &= (events.get_column("event_type") == self.event_type).to_numpy()
        return np.flatnonzero(mask)


def added_columns() -> dict[str, pl.DataType]:
    """Return the columns that rules may name beyond those of `schemas.flatten.FRAME_SCHEMA`, by name."""
    return dict(_ADDED)


def log_source(product: str | None, category: str | None, service: str | None) -> LogSource:
    """Return the log source that a rule names.

    Raises:
        RuleFaultError: There is none of that name.
    """
    if category:
        raise RuleFaultError("logsource.category", f"{category!r} is none of ours", hint=_SOURCES)
    if product == "ai_audit":
        return LogSource(event_type=service or "")
    if (product, service) in RECORD_LOGS:
        return LogSource(source=RECORD_LOGS[product or "", service or ""].source)
    named = "/".join(filter(None, (product, service))) or "nothing"
    raise RuleFaultError("logsource", f"{named!r} is none of ours", hint=_SOURCES)


_SOURCES = (
    "Use `product: ai_audit` with an event type as `service`, or another system's product and service: "
    + ", ".join("/".join(names) for names in RECORD_LOGS)
)


def field_of(name: str, source: LogSource) -> Field:
    """Return the field that a rule of a log source names.

    Raises:
        RuleFaultError: There is none of that name, or nothing can be compared with it.
    """
    return _event_field(name) if source.log is None else _record_field(name, source.log)


def _event_field(name: str) -> Field:
    family, dot, key = name.partition(".")
    if family == ATTRIBUTES and dot:
        return _attribute(name, key)
    if name not in _COLUMNS:
        raise RuleFaultError(name, "is no column of events", hint=_near(name, _COLUMNS))
    dtype = _COLUMNS[name]
    inner = dtype.inner if isinstance(dtype, pl.List) else dtype
    if not isinstance(inner, _MATCHED):
        raise RuleFaultError(name, f"cannot be compared with anything: it is {dtype}")
    known = BY_NAME.get(name)
    return Field(name, name, name, dtype, frozenset(known.symbols if known else ()))


def _record_field(name: str, log: RecordLog) -> Field:
    path = log.path(name)
    if path is None:
        near = _near(name.partition(".")[0], dict.fromkeys(log.fields))
        raise RuleFaultError(name, f"is no field of a record of {log.title}", hint=near)
    return _attribute(name, path)


def _attribute(name: str, key: str) -> Field:
    if not _KEY.fullmatch(key):
        raise RuleFaultError(name, "is no key of attributes: 1 to 256 characters without spaces and bars")
    return Field(name, ATTRIBUTES, f"{ATTRIBUTES}.{key}", pl.String())


def _near(name: str, known: Mapping[str, object]) -> str:
    """Return what may have been meant: the closest name, capitals and dots aside."""
    folded = {each.lower(): each for each in known}
    close = get_close_matches(name.lower().replace(".", "_"), folded, n=1, cutoff=0.6)
    return f"Did you mean {folded[close[0]]}?" if close else "`auditstream sql` shows them: DESCRIBE events."
