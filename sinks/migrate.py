"""Migrations of the tables: what is pending, running it, and the record of what was run.

The record is table `schema_migrations`. A migration that broke off in the middle is not in it and is run
again from its first statement, so every statement of one can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Template

from clickhouse_connect.driver.client import Client

from auditstream.core.errors import StoreSchemaError
from sinks.migration_files import PLACEHOLDERS, Engine, Migration, packaged, quoted_name, quoted_text
from sinks.refusals import translated

_STATE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32 COMMENT 'Number of the file',
    name String COMMENT 'Name of the file without number and suffix',
    sha256 String COMMENT 'SHA-256 of the file, lower-case hex',
    applied_at DateTime64(3, 'UTC') COMMENT 'When its last statement had run (UTC)'
)
ENGINE = ${replicated}MergeTree ORDER BY version
COMMENT 'Migrations that were applied'"""
_APPLIED = "SELECT version, any(sha256), min(applied_at) FROM schema_migrations GROUP BY version"
_RECORD = """
INSERT INTO schema_migrations (version, name, sha256, applied_at)
SELECT {version:UInt32}, {name:String}, {sha256:String}, now64(3)"""
_UNCOMMENTED = """
SELECT name, comment FROM system.columns
WHERE database = currentDatabase() AND table = 'events' AND name IN (
    SELECT name FROM system.columns
    WHERE database = currentDatabase() AND table = 'events_current' AND comment = ''
)"""


@dataclass(frozen=True, slots=True)
class Applied:
    """The store's record of one migration.

    Attributes:
        sha256: SHA-256 of the file as it was applied, lower-case hex.
        at: When its last statement had run (UTC).
    """

    sha256: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """Where one migration stands.

    Attributes:
        version: Number of the file.
        name: Name of the file.
        applied_at: When it was applied (UTC), None while it is pending.
    """

    version: int
    name: str
    applied_at: datetime | None


def status(client: Client, migrations: Sequence[Migration] | None = None) -> list[Status]:
    """Return where each packaged migration stands; changes nothing.

    Raises:
        StoreSchemaError: An applied file was edited since, or the store knows one that this version does not.
        RetryableError: No answer.
    """
    migrations = packaged() if migrations is None else migrations
    applied = _applied(client)
    _refuse_surprises(migrations, applied)
    return [
        Status(m.version, m.name, applied[m.version].at if m.version in applied else None) for m in migrations
    ]


def plan(client: Client, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Return the migrations that `apply` would run, in order; changes nothing.

    A dry run prints `Migration.statements` of each. Raises as `status`.
    """
    migrations = packaged() if migrations is None else migrations
    pending = {state.version for state in status(client, migrations) if state.applied_at is None}
    return [migration for migration in migrations if migration.version in pending]


def apply(
    client: Client,
    engine: Engine,
    migrations: Sequence[Migration] | None = None,
    *,
    before: Callable[[Migration, str], None] | None = None,
) -> list[Migration]:
    """Run the pending migrations, record each when its last statement has run, and return them.

    Broken off at any point, it goes on where it stopped when it is called again; two that run at once do
    each other no harm.

    Args:
        client: A client whose database is the one to migrate, with the right to create tables.
        engine: Kind of the tables. Replicated ones need a database of engine Replicated, which carries the
            statements to the other replicas.
        migrations: What to apply instead of the packaged ones.
        before: Called with each statement before it runs.

    Raises:
        StoreSchemaError: As `status`, or a statement was refused.
        RetryableError: No answer.
    """
    with translated("create schema_migrations"):
        client.command(Template(_STATE).substitute(PLACEHOLDERS[engine]))
    pending = plan(client, migrations)
    for migration in pending:
        _run(client, migration, engine, before)
    if pending:
        _comment_view(client)
    return pending


def create_database(client: Client, database: str) -> None:
    """Create the database that the tables go to, unless it is there.

    Raises:
        RetryableError: No answer.
    """
    with translated(f"create database {database}"):
        client.command(f"CREATE DATABASE IF NOT EXISTS {quoted_name(database)}")


def _run(
    client: Client,
    migration: Migration,
    engine: Engine,
    before: Callable[[Migration, str], None] | None,
) -> None:
    with translated(f"migration {migration.version:04d}_{migration.name}"):
        for statement in migration.statements(engine):
            if before is not None:
                before(migration, statement)
            client.command(statement)
        record = {"version": migration.version, "name": migration.name, "sha256": migration.sha256}
        client.command(_RECORD, record)


def _applied(client: Client) -> Mapping[int, Applied]:
    with translated("read of schema_migrations"):
        if not client.command("EXISTS TABLE schema_migrations"):
            return {}
        rows = client.query(_APPLIED).result_rows
    return {version: Applied(sha256, at.replace(tzinfo=UTC)) for version, sha256, at in rows}


def _refuse_surprises(migrations: Sequence[Migration], applied: Mapping[int, Applied]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, record in sorted(applied.items()):
        if version not in known:
            hint = "The store was migrated by a newer version: upgrade this one."
            raise StoreSchemaError(f"migration {version:04d}: applied, but not known here", hint=hint)
        if known[version].sha256 != record.sha256:
            hint = "Restore the file as it was applied and put the change into a new one."
            raise StoreSchemaError(f"migration {version:04d}: edited after it was applied", hint=hint)


def _comment_view(client: Client) -> None:
    """Give columns of `events_current` the comments that the same columns have in `events`."""
    with translated("comments of events_current"):
        rows = client.query(_UNCOMMENTED).result_rows
        if rows:
            comments = ", ".join(f"COMMENT COLUMN {quoted_name(n)} {quoted_text(text)}" for n, text in rows)
            client.command(f"ALTER TABLE events_current {comments}")
