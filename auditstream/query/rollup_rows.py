"""Rollups against the events that feed them, key by key; and views against the files that made them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditstream.query.reader import Reader

_TARGETS = """
SELECT t.name, t.sorting_key, t.partition_key
FROM system.tables AS v INNER JOIN system.tables AS t
    ON t.database = v.database AND v.name = concat(t.name, '_feed')
WHERE v.database = currentDatabase() AND v.engine = 'MaterializedView'
ORDER BY t.name"""
_COLUMNS = """
SELECT name, type FROM system.columns
WHERE database = currentDatabase() AND table = {table:String} ORDER BY position"""
# Whatever both sides have alike is on neither side; the columns of the row say which is which.
_COMPARED = """
SELECT {keys}, sum(side) AS balance, count() AS sides, {shown} AS told FROM
(
    SELECT {keys}, {measures}, toInt8(1) AS side FROM ({own}) GROUP BY {keys}
    UNION ALL
    SELECT {keys}, {measures}, toInt8(-1) AS side FROM {target} GROUP BY {keys}
)
GROUP BY {keys}, {names} HAVING balance != 0
ORDER BY {keys}, balance LIMIT {limit}
SETTINGS optimize_use_projections = 0"""
_QUANTILES = re.compile(r"AggregateFunction\((quantiles\w+\([^)]*\)), ")
_MADE = re.compile(
    r"CREATE (?:OR REPLACE )?(?P<kind>VIEW|MATERIALIZED VIEW|TABLE)(?: IF NOT EXISTS)? "
    r"(?P<name>\w+)"
)
_DEFINED = """
SELECT name, engine, engine_full,
    formatQuerySingleLineOrNull(replaceAll(as_select, concat(database, '.'), '')) AS query
FROM system.tables WHERE database = currentDatabase()"""
_FORMATTED = "SELECT formatQuerySingleLineOrNull({query:String})"


@dataclass(frozen=True, slots=True)
class Difference:
    """One key under which a rollup is not the sum of its events.

    Attributes:
        table: The rollup.
        key: Its key, as text.
        expected: What the events sum up to; empty for nothing.
        found: What the rollup has; empty for nothing.
    """

    table: str
    key: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A table or view that is not as the migrations made it."""

    name: str
    expected: str
    found: str


def rollup_differences(reader: Reader, statements: list[str], *, limit: int = 1000) -> Iterator[Difference]:
    """Yield the keys under which a rollup is not the sum of its events.

    Inserts under way make differences for a moment: the rows are there before the views have them.

    Args:
        reader: The store.
        statements: What the migrations run; the feeds' own text is not taken from the store.
        limit: Keys of one rollup at most.

    Raises:
        RetryableError: No answer.
    """
    selects = {name: select for name, kind, select in _made(statements) if kind == "MATERIALIZED VIEW"}
    targets = reader.table(_TARGETS, {}, doing="read of the rollups").rows
    for target, sorting_key, partition_key in targets:
        select = selects.get(f"{target}_feed")
        if select is not None:
            keys = [*dict.fromkeys(filter(None, (*sorting_key.split(", "), partition_key)))]
            yield from _compared(reader, str(target), select, keys, limit)


def changed_definitions(reader: Reader, statements: list[str]) -> Iterator[Definition]:
    """Yield tables and views that are missing or not as the migrations made them.

    Raises:
        RetryableError: No answer.
    """
    rows = reader.table(_DEFINED, {}, doing="read of the definitions").rows
    there = {str(name): (str(engine), str(full), select) for name, engine, full, select in rows}
    for name, kind, select in _made(statements):
        engine, full, stored = there.get(name, ("", "", None))
        wanted = {"VIEW": "View", "MATERIALIZED VIEW": "MaterializedView", "TABLE": "MergeTree"}[kind]
        if not engine.endswith(wanted) or (kind == "TABLE") != (wanted == "MergeTree"):
            yield Definition(name, f"a {wanted}", engine or "none")
        elif kind == "TABLE":
            if re.search(r"\bTTL\b", full):
                yield Definition(name, "a table that keeps its rows", f"TTL in {full}"[:300])
        else:
            asked = {"query": select}
            expected = reader.table(_FORMATTED, asked, doing="format of a definition").rows[0][0]
            if expected is not None and stored != expected:
                yield Definition(name, f"its query as migrated: {expected}"[:300], f"{stored}"[:300])


def _compared(reader: Reader, target: str, select: str, keys: list[str], limit: int) -> Iterator[Difference]:
    columns = reader.table(_COLUMNS, {"table": target}, doing=f"read of the columns of {target}").rows
    measures = {str(name): _merged(str(name), str(kind)) for name, kind in columns if name not in keys}
    names = ", ".join(measures)
    query = _COMPARED.format(
        keys=", ".join(keys),
        measures=", ".join(f"{merged} AS {name}" for name, merged in measures.items()),
        names=names,
        shown=f"toString(tuple({names}))",
        own=select,
        target=target,
        limit=2 * limit,
    )
    # Inside, measures have the names of the columns that they are made of.
    settings = ", prefer_column_name_to_alias = 1"
    rows = reader.table(query + settings, {}, doing=f"comparison of {target}").rows
    found: dict[tuple[object, ...], dict[int, str]] = {}
    for *key, balance, _, told in rows:
        found.setdefault(tuple(key), {})[1 if balance > 0 else -1] = str(told)
    for place, sides in list(found.items())[:limit]:
        shown = ", ".join(f"{name}={value}" for name, value in zip(keys, place, strict=True) if value != "")
        yield Difference(target, shown, sides.get(1, ""), sides.get(-1, ""))


def _merged(name: str, kind: str) -> str:
    """Return how several rows of one key are one."""
    if state := _QUANTILES.match(kind):
        function, _, levels = state[1].partition("(")
        return f"{function}Merge({levels}({name})"
    if kind.startswith(("UInt", "Int", "Decimal", "SimpleAggregateFunction(sum")):
        return f"sum({name})"
    return f"max({name})"


def _made(statements: list[str]) -> list[tuple[str, str, str]]:
    """Return name, kind and query of what the statements make; the last one of a name counts."""
    made: dict[str, tuple[str, str, str]] = {}
    for statement in statements:
        match = _MADE.match(statement)
        if match is None:
            continue
        select = re.search(r"(?:^|\s)AS\s+((?:WITH|SELECT)\b.*)", statement, re.DOTALL)
        body = "" if select is None else re.sub(r"\s*\bCOMMENT '(?:[^'\\]|\\.)*'\s*$", "", select[1])
        made[match["name"]] = (match["name"], match["kind"], body)
    return list(made.values())
