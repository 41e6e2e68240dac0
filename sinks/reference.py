"""Reference data in ClickHouse: snapshots are read up to a revision, entries appended as a new one.

A revision is claimed, its rows are written, and it is settled as written; a reader sees it from then on,
and whole: the settlement says how many rows each table has to have. `migrations/0007_reference_revisions.sql`
says why two writers cannot both succeed. `revision_log.py` holds the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from types import MappingProxyType

import polars as pl
from clickhouse_connect.driver.client import Client

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import StoreBusyError
from auditstream.core.settings import ClickHouseSettings
from auditstream.reference.kinds import KINDS, Entry, Kind, frame_of, kind_of
from auditstream.reference.snapshot import Snapshot
from sinks.clickhouse import QUORUM
from sinks.clients import ClientPool, http_client
from sinks.refusals import translated
from sinks.revision_log import Claim, RevisionLog

WITHOUT_EVENT = "without_event"
"""Name, among a revision's counts by table, of the number of rows that no event told of."""

_ROWS = """
SELECT {columns} FROM {table}
WHERE revision <= {{revision:UInt64}}
    AND revision IN (SELECT revision FROM reference_revisions WHERE step = 'written')
ORDER BY {key}, valid_from, revision"""


class ReferenceStore:
    """Reads and appends reference data. Every method blocks and may be called from any thread.

    Args:
        clients: Where clients come from; closed with the store.
        replicated: Whether the tables are replicated: waits for a majority, and catches up before it claims.
        clock: What `recorded_at` is taken from.
        patience_s: Age at which an unsettled revision of another writer is given up as broken off.
        hidden: Columns, by kind, that the user may not read; they are empty in every snapshot.
    """

    def __init__(
        self,
        clients: ClientPool,
        *,
        replicated: bool = False,
        clock: Clock | None = None,
        patience_s: float = 60.0,
        hidden: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        self._hidden = hidden
        self._clients = clients
        self._clock = clock or SystemClock()
        self._log = RevisionLog(replicated=replicated, patience_s=patience_s)
        self._settings = QUORUM if replicated else {}

    def newest(self) -> int:
        """Return the newest revision that is wholly written, 0 before the first.

        Raises:
            RetryableError: No answer.
        """
        with translated("read of the newest reference revision"), self._clients.borrow() as client:
            return self._log.newest(client)

    def load(self, revision: int, *, kinds: Iterable[str] = tuple(KINDS)) -> Snapshot:
        """Return what is known at a revision; 0 is known without asking the store.

        Args:
            revision: A revision that was newest at some time.
            kinds: Names of the kinds to read; the others are not in the snapshot.

        Raises:
            StoreBusyError: The store does not have the revision, or not all of its rows yet.
            RetryableError: No answer.
        """
        if revision == 0:
            return Snapshot(0)
        with translated(f"read of reference revision {revision}"), self._clients.borrow() as client:
            expected = self._log.counts(client, revision)
            tables = {name: _rows(client, KINDS[name], revision, self._hidden.get(name)) for name in kinds}
        _require_whole(tables, expected, revision)
        return Snapshot(revision, tables)

    def append(
        self,
        entries: Sequence[Entry],
        *,
        base: int,
        actor: str,
        announce: Callable[[int], object] | None = None,
    ) -> int:
        """Write entries as one new revision, all of them or none, and return it.

        Args:
            entries: What to write; `base` itself when there are none.
            base: Revision that the entries were worked out against: if another has been written since,
                nothing is written.
            actor: Who says so.
            announce: Called with the revision when its rows are written, before anybody sees them; when it
                raises, nobody ever will. Without it, the revision's `counts` say how many rows came without.

        Raises:
            StoreBusyError: Another writer is at it or was first; nothing of these is visible.
            RetryableError: No answer: the revision is visible or not, never in part. Read and compare again.
        """
        if not entries:
            return base
        with translated("append of reference data"), self._clients.borrow() as client:
            claim = self._log.claim(client, base=base, actor=actor)
            try:
                counts = self._write(client, claim, entries)
                if announce is None:
                    counts[WITHOUT_EVENT] = len(entries)
                else:
                    announce(claim.revision)
                self._log.settle(client, claim, counts)
            except BaseException:  # an interrupt too: the next writer need not wait for this one
                self._log.abandon_quietly(client, claim)
                raise
        return claim.revision

    def close(self) -> None:
        """Close the clients."""
        self._clients.close()

    def _write(self, client: Client, claim: Claim, entries: Sequence[Entry]) -> dict[str, int]:
        """Insert the entries' rows, a table at a time, and return how many went to each."""
        recorded_at = datetime.fromtimestamp(self._clock.now_s(), UTC)
        counts: dict[str, int] = {}
        for table, (kind, of_kind) in _by_table(entries).items():
            rows = frame_of(
                kind, of_kind, revision=claim.revision, recorded_at=recorded_at, actor=claim.actor
            )
            token = f"reference/{claim.revision}/{claim.writer}/{table}"
            client.insert_arrow(
                table,
                rows.to_arrow(compat_level=pl.CompatLevel.oldest()),
                settings={**self._settings, "async_insert": 0, "insert_deduplication_token": token},
            )
            counts[table] = rows.height
        return counts


def connect_reference(
    settings: ClickHouseSettings, *, hidden: Mapping[str, frozenset[str]] = MappingProxyType({})
) -> ReferenceStore:
    """Return a store over HTTP; connects on its first call. Of `hidden` columns it reads nothing."""
    return ReferenceStore(
        ClientPool(lambda: http_client(settings)),
        replicated=settings.engine == "ReplicatedMergeTree",
        hidden=hidden,
    )


def _by_table(entries: Sequence[Entry]) -> dict[str, tuple[Kind, list[Entry]]]:
    kinds = list(KINDS)
    ordered = sorted(entries, key=lambda entry: kinds.index(kind_of(type(entry.fact)).name))
    groups = groupby(ordered, key=lambda entry: kind_of(type(entry.fact)).name)
    return {KINDS[name].table: (KINDS[name], list(group)) for name, group in groups}


def _rows(client: Client, kind: Kind, revision: int, hidden: frozenset[str] | None = None) -> pl.DataFrame:
    read = (f"'' AS {name}" if hidden and name in hidden else name for name in kind.schema)
    columns, key = ", ".join(read), ", ".join(kind.key)
    sql = _ROWS.format(columns=columns, table=kind.table, key=key)
    found = pl.DataFrame(pl.from_arrow(client.query_arrow(sql, parameters={"revision": revision})))
    return found.select(pl.col(name).cast(dtype) for name, dtype in kind.schema.items())


def _require_whole(tables: Mapping[str, pl.DataFrame], expected: Mapping[str, int], revision: int) -> None:
    """Refuse a snapshot whose rows this replica does not have yet."""
    for name, rows in tables.items():
        table = KINDS[name].table
        if rows.height < expected.get(table, 0):
            raise StoreBusyError(
                f"reference revision {revision}: table {table} has {rows.height} of {expected[table]} rows",
                hint="The replica is behind, or rows were removed: see system.replication_queue.",
            )
