"""Rows of append-only tables: there are never fewer than there were.

TRUNCATE, DROP PARTITION, DETACH PARTITION and a TTL leave no mutation behind, and no other trace where the
server keeps no part_log; but they leave fewer rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from auditstream.query.reader import Reader
from auditstream.query.watches.observations import CRITICAL, Observation

RULE = "store.rows"

_ROWS = """
SELECT t.name, toUInt64(sum(p.rows)), any(t.engine) FROM system.tables AS t
LEFT JOIN (
    SELECT table, rows FROM system.parts WHERE database = currentDatabase() AND active
) AS p ON p.table = t.name
WHERE t.database = currentDatabase() AND t.engine IN ('MergeTree', 'ReplicatedMergeTree')
GROUP BY t.name ORDER BY t.name"""


def present_rows(reader: Reader) -> dict[str, tuple[int, bool]]:
    """Return, by table whose engine keeps every row, how many there are, and whether a replica may lag.

    Raises:
        RetryableError: No answer.
    """
    rows = reader.table(_ROWS, {}, doing="read of row counts").rows
    return {str(name): (int(count), engine != "MergeTree") for name, count, engine in rows}


def watch_rows(
    remembered: Mapping[str, int],
    present: Mapping[str, tuple[int, bool]],
    short_before: Collection[str],
    explained: Collection[str],
) -> Iterator[Observation]:
    """Yield one observation a table that lost rows.

    Args:
        remembered: Rows that each table had.
        present: From `present_rows`.
        short_before: Tables that were short at the last look already: replicas may lag for one look.
        explained: Tables that are told of anyway.
    """
    for name in short_tables(remembered, present):
        count, may_lag = present[name]
        if name in explained or (may_lag and name not in short_before):
            continue
        yield Observation(
            rule=RULE,
            scope=f"table={name}",
            title=f"table {name} has {count} rows, expected {remembered[name]} or more: "
            f"{remembered[name] - count} are gone without a mutation (TRUNCATE, a dropped partition, a TTL)",
            severity=CRITICAL,
            state=f"{remembered[name]} to {count}",
            passes=False,
            observed=float(count),
            expected=float(remembered[name]),
        )


def short_tables(remembered: Mapping[str, int], present: Mapping[str, tuple[int, bool]]) -> list[str]:
    """Return the tables that have fewer rows than they had."""
    return [name for name, count in remembered.items() if name in present and present[name][0] < count]
