"""The most frequent values of chosen fields among what a search finds, each within a time of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.core.errors import RequestError, StoreTimeoutError
from auditstream.query.events import Search
from auditstream.query.fields import FIELDS, Field
from auditstream.query.reader import Reader
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
        limit_s: Seconds for each; a facet that takes longer is given up by itself.

    Raises:
        QueryError: A value of the search is not one of its field's kind.
        RequestError: A field is unknown or has too many values to count, or `values` is out of range.
        RetryableError: No answer.
    """
    if not 1 <= values <= MOST_VALUES:
        raise RequestError(f"values {values}: not between 1 and {MOST_VALUES}")
    return [_facet(reader, wanted, _countable(name), values, limit_s) for name in fields]


def _countable(name: str) -> Field:
    field = FIELDS.get(name)
    if field is None:
        raise RequestError(f"facet {name}: no such field", hint="Fields are named as in a search.")
    if field.kind not in _COUNTED:
        raise RequestError(f"facet {name}: a field of kind {field.kind} has no values to count")
    return field


def _facet(reader: Reader, wanted: Search, field: Field, values: int, limit_s: float) -> Facet:
    conditions = wanted.conditions()
    limit = conditions.bind(values, "UInt32")
    # A search by model looks at both columns, but an event counts once: by the model that answered.
    column = ANSWERED_MODEL if field.name == "model" else field.columns[0]
    sql = f"""
SELECT value, count() AS events, count() OVER () AS distinct
FROM (SELECT toString({column}) AS value FROM events_current WHERE {conditions.sql})
WHERE value != ''
GROUP BY value
ORDER BY events DESC, value
LIMIT {limit}"""  # noqa: S608  columns are ours, values are parameters
    try:
        found = reader.table(sql, conditions.parameters, doing=f"facet {field.name}", limit_s=limit_s).rows
    except StoreTimeoutError:
        return Facet(field.name, in_time=False)
    counted = tuple(Value(text, events) for text, events, _ in found)
    return Facet(field.name, counted, others=found[0][2] - len(found) if found else 0)
