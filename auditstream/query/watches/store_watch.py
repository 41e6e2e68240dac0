"""Looks at the store as a whole, compares it with the memory, and says what is new as findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from auditstream.attribution.attributor import UNATTRIBUTED
from auditstream.core.errors import ConfigError
from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.query.reader import Reader
from auditstream.query.watches import mutations, rights, rows, tables
from auditstream.query.watches.observations import MEDIUM, Observation
from auditstream.query.watches.table_memory import (
    OpenFinding,
    Remembered,
    TableIdentity,
    TableMemory,
    TableMemoryError,
)
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

BLIND = "store.watch"
_CERTAIN = 100


@dataclass(frozen=True, slots=True)
class Sight:
    """The store as one look found it.

    Attributes:
        database: Name of the product's database.
        tables: Identities by name.
        mutations: Mutations that it knows.
        rows: Rows by append-only table, and whether a replica may lag.
        rights: Rights, holders and policies, a line each; None when they may not be seen.
    """

    database: str
    tables: dict[str, TableIdentity]
    mutations: list[mutations.Mutation]
    rows: dict[str, tuple[int, bool]]
    rights: tuple[str, ...] | None


def seen(reader: Reader) -> Sight:
    """Return the store as it is.

    Raises:
        RetryableError: No answer.
    """
    try:
        present_rights: tuple[str, ...] | None = rights.present_rights(reader)
    except ConfigError:  # the user may not see them
        present_rights = None
    return Sight(
        database=str(reader.table("SELECT currentDatabase()", {}, doing="read of the database").rows[0][0]),
        tables=tables.present_tables(reader),
        mutations=mutations.present_mutations(reader),
        rows=rows.present_rows(reader),
        rights=present_rights,
    )


def as_right(sight: Sight, former: Remembered | None = None) -> Remembered:
    """Return what to remember when the store is taken for right as it is; its findings end with that."""
    findings = former.findings if former is not None else {}
    return Remembered(
        tables=sight.tables,
        rows={name: count for name, (count, _) in sight.rows.items()},
        mutations=tuple(each.key for each in sight.mutations),
        rights=sight.rights,
        findings={id_: replace(each, passes=True) for id_, each in findings.items()},
    )


def observed(reader: Reader, sight: Sight, remembered: Remembered) -> Iterator[Observation]:
    """Yield what is not as it is remembered.

    What one statement did is one observation: rows that a mutation removed are the mutation's, those of a
    table that was swapped are the swap's.

    Args:
        reader: Asks the store for what is only needed now and then.
        sight: The store as it is.
        remembered: What it was.

    Raises:
        RetryableError: No answer.
    """
    changed = list(tables.watch_tables(remembered.tables, sight.tables))
    yield from changed
    names = {_table_of(each) for each in changed}
    known = frozenset(remembered.mutations)
    found = list(mutations.watch_mutations(known, sight.mutations, names))
    yield from found
    mutated = {each.table for each in sight.mutations} | {key.partition("/")[0] for key in known}
    told_of = {
        each.scope.removeprefix("table=")
        for each in remembered.findings.values()
        if each.rule == mutations.RULE
    }
    yield from mutations.watch_parts(reader, mutated | told_of)
    deleting = {each.table for each in sight.mutations if _is_under_way(each, remembered, found)}
    yield from rows.watch_rows(remembered.rows, sight.rows, remembered.short, names | deleting)
    if sight.rights is None:
        title = "the watch may not see the rights on the tables: its user needs SHOW USERS and SHOW ROLES"
        yield Observation(rule=BLIND, scope="rights", title=title, severity=MEDIUM, state="blind")
    else:
        yield from rights.watch_rights(remembered.rights, sight.rights, sight.database)


class StoreWatch:
    """Watches one store; one thread at a time.

    Args:
        reader: Asks the store, as a user who sees all of its tables and rights.
        memory: What the store was; written at the first look and by `told`.
        now: Returns the time (UTC).
    """

    def __init__(
        self, reader: Reader, memory: TableMemory, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._reader = reader
        self._memory = memory
        self._now = now
        self._base: Remembered | None = None
        self._next: Remembered | None = None

    def look(self) -> list[Finding]:
        """Return what is new since the last `told`: findings, and updates of those that are over.

        Looking again without `told` returns them again, with the same ids and versions. The first look of all
        takes tables, rows and rights for right; not so mutations, which are nobody's word.

        Raises:
            RetryableError: The store does not answer.
            TableMemoryError: The memory cannot be read or written.
        """
        sight = seen(self._reader)
        remembered = self._memory.read()
        if remembered is None:
            remembered = replace(as_right(sight), mutations=())
            self._memory.write(remembered)
        at = self._now()
        found = {_id_of(each): each for each in observed(self._reader, sight, remembered)}
        findings = [*_new(found, remembered, at), *_over(found, remembered, sight, at)]
        self._base, self._next = remembered, _after(sight, remembered, found, findings)
        return findings

    def told(self) -> None:
        """Remember that the findings of the last look were told of.

        Where the memory was changed meanwhile, as by a migration, that stays; the next look starts from it.

        Raises:
            TableMemoryError: The memory cannot be read or written.
        """
        if self._next is not None and self._memory.read() == self._base:
            self._memory.write(self._next)
        self._next = None


@contextmanager
def migrating(reader: Reader, memory: TableMemory, *, and_rights: bool = False) -> Iterator[None]:
    """Take for right what the block changes: its tables and its mutations, and nothing that was there before.

    Args:
        reader: Asks the store.
        memory: What the store was.
        and_rights: Whether the rights are right as they are, too: where they come with the engine's own
            configuration and nobody can grant any.

    Raises:
        RetryableError: The store does not answer.
        TableMemoryError: The memory cannot be read or written.
    """
    former, before = memory.read(), seen(reader)
    yield
    after = seen(reader)
    if former is None:
        memory.write(as_right(after) if not before.tables else replace(as_right(after), mutations=()))
        return
    changed = {
        name for name in {*before.tables, *after.tables} if before.tables.get(name) != after.tables.get(name)
    }
    kept = {name: each for name, each in former.tables.items() if name not in changed}
    counts = {name: count for name, (count, _) in after.rows.items() if name in changed}
    made = {each.key for each in after.mutations} - {each.key for each in before.mutations}
    memory.write(
        replace(
            former,
            tables=kept | {name: after.tables[name] for name in changed if name in after.tables},
            rows={name: count for name, count in former.rows.items() if name not in changed} | counts,
            mutations=tuple(sorted({*former.mutations, *made})),
            rights=after.rights if and_rights else former.rights,
        )
    )


def remember(reader: Reader, memory: TableMemory) -> list[Observation]:
    """Take the store for right as it is, and return what was not as it was remembered.

    Raises:
        RetryableError: The store does not answer.
        TableMemoryError: The memory cannot be written.
    """
    sight = seen(reader)
    try:
        former = memory.read()
    except TableMemoryError:
        former = None
    differences = list(observed(reader, sight, former)) if former is not None else []
    memory.write(as_right(sight, former))
    return differences


def _is_under_way(mutation: mutations.Mutation, remembered: Remembered, found: Sequence[Observation]) -> bool:
    """Return whether a mutation may have removed rows since the last look."""
    is_new = any(
        each.scope == f"table={mutation.table}" and _id_of(each) not in remembered.findings for each in found
    )
    return is_new or not mutation.is_done or mutation.key in remembered.running


def _table_of(observation: Observation) -> str:
    return observation.scope.removeprefix("table=")


def _id_of(observation: Observation) -> str:
    return finding_id(UNATTRIBUTED, observation.scope, "", observation.rule, observation.state)


def _new(found: dict[str, Observation], remembered: Remembered, at: datetime) -> Iterator[Finding]:
    """Yield the findings that nobody was told of, or that were over."""
    for id_, observation in found.items():
        before = remembered.findings.get(id_)
        if before is not None and before.is_open:
            continue
        yield Finding(
            finding_id=id_,
            version=0 if before is None else before.version + UPDATES_APART,
            tenant_id=UNATTRIBUTED,
            rule_id=observation.rule,
            title=observation.title,
            status=FindingStatus.NEW,
            severity=observation.severity,
            confidence=_CERTAIN,
            scope=observation.scope,
            window_start=at,
            window_end=at + timedelta(microseconds=1),
            observed=observation.observed,
            expected=observation.expected,
        )


def _over(
    found: dict[str, Observation], remembered: Remembered, sight: Sight, at: datetime
) -> Iterator[Finding]:
    """Yield the updates of findings whose cause is gone."""
    for id_, before in remembered.findings.items():
        unseen = before.rule == rights.RULE and sight.rights is None
        if not before.is_open or not before.passes or id_ in found or unseen:
            continue
        yield Finding(
            finding_id=id_,
            version=before.version + UPDATES_APART,
            tenant_id=UNATTRIBUTED,
            rule_id=before.rule,
            title=before.title,
            status=FindingStatus.RESOLVED,
            severity=before.severity,
            confidence=_CERTAIN,
            scope=before.scope,
            window_start=datetime.fromisoformat(before.since),
            window_end=at + timedelta(microseconds=1),
        )


def _after(
    sight: Sight, remembered: Remembered, found: dict[str, Observation], findings: Sequence[Finding]
) -> Remembered:
    """Return what to remember once the findings of a look were told of."""
    short = rows.short_tables(remembered.rows, sight.rows)
    told = {_table_of(each) for each in found.values()}
    lagging = tuple(name for name in short if sight.rows[name][1] and name not in told)
    counts = {
        name: remembered.rows[name] if name in lagging else count for name, (count, _) in sight.rows.items()
    }
    return replace(
        remembered,
        rows={**remembered.rows, **counts},
        short=lagging,
        running=tuple(each.key for each in sight.mutations if not each.is_done),
        rights=sight.rights if remembered.rights is None else remembered.rights,
        findings={**remembered.findings, **dict(_kept(remembered, found, findings))},
    )


def _kept(
    remembered: Remembered, found: dict[str, Observation], findings: Sequence[Finding]
) -> Iterator[tuple[str, OpenFinding]]:
    for each in findings:
        before = remembered.findings.get(each.finding_id)
        passes = (
            found[each.finding_id].passes if each.finding_id in found else before is None or before.passes
        )
        yield (
            each.finding_id,
            OpenFinding(
                version=each.version,
                is_open=each.status is FindingStatus.NEW,
                rule=each.rule_id,
                scope=each.scope,
                title=each.title,
                severity=each.severity,
                passes=passes,
                since=each.window_start.isoformat(),
            ),
        )
