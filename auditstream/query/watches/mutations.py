"""Mutations: rows that were updated or deleted in place, which nothing of this product ever does.

ClickHouse forgets old mutations; the parts that they wrote keep the mark in their names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from auditstream.query.reader import Reader
from auditstream.query.watches.observations import CRITICAL, Observation, shortened

RULE = "store.mutations"

_MUTATIONS = """
SELECT table, mutation_id, command, toString(create_time), is_done FROM system.mutations
WHERE database = currentDatabase() ORDER BY create_time, table, mutation_id"""
# partition_min_max_level, and a fifth number in a part that a mutation wrote, or that was merged from one.
_MUTATED_PARTS = """
SELECT table, count(), sum(rows), min(name) FROM system.parts
WHERE database = currentDatabase() AND active AND match(name, '^.+_[0-9]+_[0-9]+_[0-9]+_[0-9]+$')
GROUP BY table ORDER BY table"""
# What MODIFY TTL leaves behind: the table's own watch has told of it.
_BY_TTL = "(MATERIALIZE TTL)"


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mutation.

    Attributes:
        table: Table that it changes.
        id: Its id within the table.
        command: What it does.
        at: When it was asked for.
        is_done: Whether it has changed all that it changes.
    """

    table: str
    id: str
    command: str
    at: str
    is_done: bool

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return f"{self.table}/{self.id}"


def present_mutations(reader: Reader) -> list[Mutation]:
    """Return the mutations that the store still knows, oldest first.

    Raises:
        RetryableError: No answer.
    """
    rows = reader.table(_MUTATIONS, {}, doing="read of mutations").rows
    return [Mutation(table, id_, command, at, bool(done)) for table, id_, command, at, done in rows]


def watch_mutations(
    known: Collection[str], present: Collection[Mutation], changed_tables: Collection[str]
) -> Iterator[Observation]:
    """Yield one observation a mutation that is not known.

    Args:
        known: Keys of mutations that are known to be right.
        present: From `present_mutations`.
        changed_tables: Tables whose definition is told of anyway.
    """
    for mutation in present:
        if mutation.key in known or (mutation.command == _BY_TTL and mutation.table in changed_tables):
            continue
        yield Observation(
            rule=RULE,
            scope=f"table={mutation.table}",
            title=f"rows of {mutation.table} were changed in place at {mutation.at} UTC by mutation "
            f"{mutation.id}: {shortened(mutation.command)}; expected no mutation",
            severity=CRITICAL,
            state=f"{mutation.id} {mutation.at}",
            passes=False,
        )


def watch_parts(reader: Reader, explained: Collection[str]) -> Iterator[Observation]:
    """Yield one observation a table whose parts were written by a mutation that nobody knows any more.

    Args:
        reader: Asks the store.
        explained: Tables that had a mutation, known or told of.

    Raises:
        RetryableError: No answer.
    """
    for table, parts, rows, name in reader.table(_MUTATED_PARTS, {}, doing="read of parts").rows:
        if table not in explained:
            yield Observation(
                rule=RULE,
                scope=f"table={table}",
                title=f"{parts} parts of {table} with {rows} rows were written by a mutation that the store "
                f"has forgotten, as {name}; expected none",
                severity=CRITICAL,
                state=str(name),
                passes=False,
                observed=float(parts),
                expected=0.0,
            )
