"""Events as they are recorded, in the order of their arrival and not of their own times: what `tail` follows.

A log's leaf indexes are dense, and one segment is inserted after the other. So what is new in a log is what
lies behind the last index that was seen: no clock has a part in it, and no event is missed or comes twice.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa

from auditstream.query.current_events import current_events_where
from auditstream.query.cursors import CursorError
from auditstream.query.event_rows import SELECTED, fitted
from auditstream.query.events import LIST_COLUMNS, LISTED
from auditstream.query.grammar import Term
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table

MOST_LEAVES = 5_000
"""Leaves of a log that one look takes; what is left comes with the next."""

_LOGS = "SELECT log_id, first_index, last_index, first_day, last_day FROM logs"
# Days of a log's segments go up with its indexes, but for the clocks of two workers.
_SLACK = timedelta(days=1)


Position = Mapping[str, tuple[int, date]]
"""Where to go on in each log: the index, and the day from which it is looked for."""

_LOG_ID = re.compile(r"[A-Za-z0-9._-]{1,249}/\d{1,9}/[0-9a-f]{1,32}")
_LONGEST_TEXT = 16_384  # characters: a thousand logs take some ten thousand
_LONGEST_JSON = 200_000


def position_text(position: Position) -> str:
    """Return a position as it travels: base64url of compressed JSON, without padding."""
    datum = {log_id: [end, day.isoformat()] for log_id, (end, day) in sorted(position.items())}
    packed = zlib.compress(json.dumps(datum, separators=(",", ":")).encode())
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode("ascii")


def read_position(text: str) -> Position:
    """Return a position from its text.

    Raises:
        CursorError: It is not one of ours.
    """
    try:
        return {
            _log_id(name): (_index(end), date.fromisoformat(day))
            for name, (end, day) in json.loads(_unpacked(text)).items()
        }
    except (ValueError, TypeError, AttributeError, RecursionError, zlib.error):
        hint = "Leave Last-Event-ID out."
        raise CursorError("the position is not one that a tail gave", hint=hint) from None


def _unpacked(text: str) -> bytes:
    if len(text) > _LONGEST_TEXT:
        raise ValueError
    packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    unpacking = zlib.decompressobj()
    data = unpacking.decompress(packed, _LONGEST_JSON)
    if not unpacking.eof:
        raise ValueError
    return data


def _log_id(name: str) -> str:
    if not _LOG_ID.fullmatch(name):
        raise ValueError
    return name


def _index(end: object) -> int:
    if not isinstance(end, int) or not 0 <= end < 1 << 63:
        raise ValueError
    return end


@dataclass(frozen=True, slots=True)
class _Log:
    """How far a log goes.

    Attributes:
        first: Its first index.
        end: The index after its last.
        first_day: Day of its first segment.
        last_day: Day of its last.
    """

    first: int
    end: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What a look reads.

    Attributes:
        ranges: By log its first index, and the one after its last.
        days: By log the day from which they are looked for.
        reached: By log where the next look begins.
    """

    ranges: dict[str, tuple[int, int]]
    days: dict[str, date]
    reached: dict[str, tuple[int, date]]


class Arrivals:
    """What was recorded since the last look, each event once; the first look begins at now.

    Args:
        reader: The store.
        terms: Only events that satisfy them all.
        tenant: Only this tenant's events.
        after: Where an earlier one ended, whose looks these go on with; None to begin at now.
    """

    def __init__(
        self,
        reader: Reader,
        terms: Sequence[Term],
        *,
        tenant: str | None = None,
        after: Position | None = None,
    ) -> None:
        self._reader = reader
        self._terms = terms
        self._tenant = tenant
        if after is None:
            after = {log_id: (log.end, log.last_day) for log_id, log in self._logs().items()}
        self._next = dict(after)
        self._is_behind = False

    @property
    def position(self) -> Position:
        """Where the next look begins."""
        return self._next

    def look(self) -> Table:
        """Return what is new, the oldest arrival first; columns are those of a search.

        Raises:
            QueryError: A value is not one of its field's kind.
            RetryableError: No answer; the next look has what this one would have had.
        """
        ahead = self._ahead()
        if ahead is None:
            return Table(LIST_COLUMNS, ())
        sql, parameters = self._new(ahead, LISTED)
        found = self._reader.table(sql, parameters, doing="look for arrivals")
        self._next |= ahead.reached
        return found if found.rows else Table(LIST_COLUMNS, ())

    def take(self) -> list[pa.RecordBatch]:
        """Return what is new as `look` does, with every column of `event_rows.SCHEMA`."""
        ahead = self._ahead()
        if ahead is None:
            return []
        sql, parameters = self._new(ahead, SELECTED)
        batches = self._reader.batches(sql, parameters, doing="look for arrivals")
        found = [fitted(batch) for batch in batches if batch.num_rows]
        self._next |= ahead.reached
        return found

    @property
    def is_behind(self) -> bool:
        """Whether the last look left leaves for the next."""
        return self._is_behind

    def _ahead(self) -> _Ahead | None:
        """Return what lies behind the last index that was seen; None when nothing does."""
        # The store shows an insert's rows before `logs` counts them: what is counted here can be read.
        ahead = _Ahead({}, {}, {})
        self._is_behind = False
        for log_id, log in self._logs().items():
            begin, day = self._next.get(log_id, (log.first, log.first_day))
            if log.end > begin:
                end = min(log.end, begin + MOST_LEAVES)
                ahead.ranges[log_id], ahead.days[log_id] = (begin, end), day
                ahead.reached[log_id] = (end, log.last_day if end == log.end else day)
                self._is_behind |= end < log.end
        return ahead if ahead.ranges else None

    def _logs(self) -> dict[str, _Log]:
        rows = self._reader.table(_LOGS, {}, doing="read of the logs").rows
        return {
            str(log_id): _Log(int(first), int(last) + 1, first_day, last_day)
            for log_id, first, last, first_day, last_day in rows
        }

    def _new(self, ahead: _Ahead, columns: str) -> tuple[str, Mapping[str, object]]:
        """Return the query for what lies ahead, and its parameters."""
        # Hardly anything is booked to what has just come, and differences lie in the order of leaves.
        current = current_events_where(self._reader, self._leaves(ahead), period=Period())
        conditions = self._leaves(ahead)
        day = min(ahead.days.values()) - _SLACK
        conditions.add(f"ingest_day >= {conditions.bind(day.isoformat(), 'Date')}")
        conditions.add_terms(self._terms)
        sql = f"{current.select(columns, conditions)}\nORDER BY inserted_at, log_id, leaf_index"
        return sql, conditions.parameters

    def _leaves(self, ahead: _Ahead) -> Conditions:
        conditions = Conditions()
        if self._tenant is not None:
            conditions.add_tenant(self._tenant)
        conditions.add_leaves(ahead.ranges)
        return conditions
