"""The most frequent values of chosen fields among what a search finds, each within a time of its own.

Several fields are counted in one pass, which takes a fraction of one pass a field. Where that is not in time,
each is counted alone: what takes long is given up by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.core.errors import RequestError, StoreTimeoutError
from auditstream.query.current_events import CurrentEvents
from auditstream.query.events import Search
from auditstream.query.fields import FIELDS, Field
from auditstream.query.reader import Reader, Row
from sinks.expressions import ANSWERED_MODEL

SUGGESTED = (
    "tenant", "type", "outcome", "project", "team", "agent", "user", "credential", "provider", "model",
    "tool", "verdict", "policy", "error", "cost_status", "environment",
)  # fmt: skip
"""Fields that are worth counting where nobody says which: of few values, and asked for often."""

MOST_VALUES = 100
"""Values of a facet at most; more of them is a question for SQL."""

_COUNTED = frozenset({"text", "enum", "flag", "uuid"})
_LIMIT_S = 1.0  # a panel beside the events must not be waited for longer than they


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet.

    Attributes:
        text: The value, as a search writes it.
        events: How many events have it.
    """

    text: str
    events: int


@dataclass(frozen=True, slots=True)
class Facet:
    """One field's values.

    Attributes:
        field: Name as a search writes it.
        values: The most frequent first; events without a value are not counted.
        others: Further values there are.
        in_time: False when the store was stopped at the time limit; there are no values then.
    """

    field: str
    values: tuple[Value, ...] = ()
    others: int = 0
    in_time: bool = True


def facets(
    reader: Reader,
    wanted: Search,
    fields: Sequence[str] = SUGGESTED,
    *,
    values: int = 10,
    limit_s: float = _LIMIT_S,
) -> list[Facet]:
    """Count the values of fields among all events that a search finds, whatever its page.

    Args:
        reader: The store.
        wanted: The search.
        fields: Names of fields, aliases too.
        values: Values of each at most.
        limit_s: Seconds for all together, and then, where they are not enough, for each; a facet that takes
            longer is given up by itself.

    Raises:
        QueryError: A value of the search is not one of its field's kind.
        RequestError: A field is unknown or has too many values to count, or `values` is out of range.
        RetryableError: No answer.
    """
    counting, countable = _counting(reader, wanted, fields, values, limit_s)
    together = counting.together(countable) if len(countable) > 1 else None
    return together or [counting.alone(field) for field in countable]


def facets_in_one_pass(
    reader: Reader, wanted: Search, fields: Sequence[str], *, values: int = 10, limit_s: float = _LIMIT_S
) -> list[Facet] | None:
    """Count the values of fields in one pass; None when that is not in time, so that each may be asked alone.

    Arguments and errors are those of `facets`; `limit_s` is for all together.
    """
    counting, countable = _counting(reader, wanted, fields, values, limit_s)
    return counting.together(countable)


def _counting(
    reader: Reader, wanted: Search, fields: Sequence[str], values: int, limit_s: float
) -> tuple[_Counting, list[Field]]:
    if not 1 <= values <= MOST_VALUES:
        raise RequestError(f"values {values}: not between 1 and {MOST_VALUES}")
    countable = [_countable(name) for name in fields]
    return _Counting(wanted, wanted.looked_up(reader), values, limit_s), countable


def _countable(name: str) -> Field:
    field = FIELDS.get(name)
    if field is None:
        raise RequestError(f"facet {name}: no such field", hint="Fields are named as in a search.")
    if field.kind not in _COUNTED:
        raise RequestError(f"facet {name}: a field of kind {field.kind} has no values to count")
    return field


@dataclass(frozen=True, slots=True)
class _Counting:
    wanted: Search
    current: CurrentEvents
    values: int
    limit_s: float

    def together(self, fields: Sequence[Field]) -> list[Facet] | None:
        """Return the facets of several fields; None when they are not in time."""
        conditions = self.wanted.conditions()
        limit = conditions.bind(self.values, "UInt32")
        texts = self.current.select(f"[{', '.join(map(_text, fields))}] AS texts", conditions)
        sql = f"""
SELECT place, value, count() AS events, count() OVER (PARTITION BY place) AS distinct
FROM ({texts})
ARRAY JOIN texts AS value, arrayEnumerate(texts) AS place
WHERE value != ''
GROUP BY place, value
ORDER BY place, events DESC, value
LIMIT {limit} BY place"""  # noqa: S608  columns are ours, values are parameters
        try:
            found = self.current.reader.table(
                sql, conditions.parameters, doing="facets", limit_s=self.limit_s
            ).rows
        except StoreTimeoutError:
            return None
        counted: dict[int, list[Row]] = {}
        for place, *row in found:
            counted.setdefault(place, []).append(tuple(row))
        return [_facet(field, counted.get(place, ())) for place, field in enumerate(fields, start=1)]

    def alone(self, field: Field) -> Facet:
        """Return the facet of one field."""
        conditions = self.wanted.conditions()
        limit = conditions.bind(self.values, "UInt32")
        texts = self.current.select(f"{_text(field)} AS value", conditions)
        sql = f"""
SELECT value, count() AS events, count() OVER () AS distinct
FROM ({texts})
WHERE value != ''
GROUP BY value
ORDER BY events DESC, value
LIMIT {limit}"""  # noqa: S608  columns are ours, values are parameters
        doing = f"facet {field.name}"
        try:
            found = self.current.reader.table(
                sql, conditions.parameters, doing=doing, limit_s=self.limit_s
            ).rows
        except StoreTimeoutError:
            return Facet(field.name, in_time=False)
        return _facet(field, found)


def _text(field: Field) -> str:
    """Return the expression that is counted."""
    # A search by model looks at both columns, but an event counts once: by the model that answered.
    return f"toString({ANSWERED_MODEL if field.name == 'model' else field.columns[0]})"


def _facet(field: Field, found: Sequence[Row]) -> Facet:
    """Return a facet of rows of a value, its events, and how many values there are."""
    values = tuple(Value(text, events) for text, events, _ in found)
    return Facet(field.name, values, others=found[0][2] - len(found) if found else 0)
