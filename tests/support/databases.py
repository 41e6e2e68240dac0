"""Databases of a test's own in a running ClickHouse.

To migrate one costs its store most of a second of processor time, and half a percent of a core for as long as
it is there, rows or no rows. So who is done with one leaves it to the next, emptied.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from clickhouse_connect.driver.client import Client

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clients import http_client
from sinks.migrate import apply, create_database
from tests.support.engines import settings_of
from tests.support.processes import wait_until

# What changes with every way to alter a table. Times are whole seconds, but settings are there as text.
_TABLES = """
SELECT arraySort(groupArray((name, uuid, metadata_modification_time, engine_full)))
FROM system.tables WHERE database = currentDatabase()"""
_WRITING = """
SELECT count() FROM system.processes WHERE current_database = currentDatabase() AND query_kind != 'Select'"""
_QUIET_S = 30.0  # over the time limit of any statement of ours


@dataclass(frozen=True, slots=True)
class _Database:
    settings: ClickHouseSettings
    tables: Any


_FREE: WeakKeyDictionary[RunningClickHouse, list[_Database]] = WeakKeyDictionary()


@contextmanager
def migrated_database(running: RunningClickHouse) -> Iterator[ClickHouseSettings]:
    """Yield how to reach a database with the product's tables and no rows.

    End whatever writes to it before the block ends. A database whose tables were altered is dropped then.

    Args:
        running: The store.
    """
    free = _FREE.setdefault(running, [])
    database = free.pop() if free else _made(running)
    try:
        yield database.settings
    finally:
        if running.is_running:
            with closing(http_client(database.settings)) as client:
                if emptied(client, database.settings.database, database.tables):
                    free.append(database)


def _made(running: RunningClickHouse) -> _Database:
    settings = settings_of(running, f"test_{uuid.uuid4().hex[:12]}")
    with closing(http_client(settings, database="default")) as admin:
        create_database(admin, settings.database)
    with closing(http_client(settings)) as client:
        apply(client, settings.engine)
        return _Database(settings, tables_of(client))


def emptied(client: Client, name: str, tables: Any) -> bool:
    """Make a database as its migrations left it; False, and it is dropped, where its tables were altered.

    Args:
        client: Of the database.
        name: Of the database.
        tables: What `tables_of` it was when it had been migrated.
    """
    if tables_of(client) != tables:
        client.command(f"DROP DATABASE {name}")
        return False

    # The insert of a worker that was killed goes on.
    def is_quiet() -> bool:
        return not client.query(_WRITING).result_rows[0][0]

    wait_until(is_quiet, within_s=_QUIET_S, what=f"nothing is inserted into {name}")
    client.command(f"TRUNCATE ALL TABLES FROM {name} NOT LIKE 'schema_migrations'")
    return True


def tables_of(client: Client) -> Any:
    """Return what changes with every way to alter the tables of a client's database."""
    return client.query(_TABLES).result_rows
