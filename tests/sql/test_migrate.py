"""Migrations: plan, apply, status; what happens when one broke off, was edited or is not known."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from clickhouse_connect.driver.client import Client

from auditstream.core.errors import AuditStreamError, StoreSchemaError
from sinks import migrate
from sinks.migration_files import Migration, packaged
from tests.support.stores import OpenClient

ONE = Migration(
    1, "one", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = ${replicated}MergeTree ORDER BY x;\n"
)
TWO = Migration(
    2,
    "two",
    "-- two statements\n"
    "CREATE TABLE IF NOT EXISTS b (x UInt8) ENGINE = MergeTree ORDER BY x;\n"
    "CREATE TABLE IF NOT EXISTS c (x UInt8) ENGINE = MergeTree ORDER BY x SETTINGS ${window};\n",
)


class BrokeOffError(Exception):
    """The process died here."""


@pytest.fixture
def client(engine: OpenClient) -> Iterator[Client]:
    """A client of an empty database."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    with engine("default") as admin:
        migrate.create_database(admin, database)
        with engine(database) as made:
            yield made
        admin.command(f"DROP DATABASE {database}")


def tables(client: Client) -> set[str]:
    return {row[0] for row in client.query("SHOW TABLES").result_rows}


def test_everything_is_pending_in_an_empty_database(client: Client) -> None:
    assert migrate.plan(client, [ONE, TWO]) == [ONE, TWO]
    assert [state.applied_at for state in migrate.status(client, [ONE, TWO])] == [None, None]


def test_planning_changes_nothing(client: Client) -> None:
    migrate.plan(client, [ONE, TWO])

    assert tables(client) == set()


def test_what_was_applied_is_recorded_and_not_run_again(client: Client) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)

    assert migrate.apply(client, "MergeTree", [ONE, TWO]) == [ONE, TWO]

    assert tables(client) == {"a", "b", "c", "schema_migrations"}
    states = migrate.status(client, [ONE, TWO])
    assert [(state.version, state.name) for state in states] == [(1, "one"), (2, "two")]
    assert all(state.applied_at and state.applied_at >= begun for state in states)
    assert migrate.apply(client, "MergeTree", [ONE, TWO]) == []


def test_a_later_file_is_applied_by_itself(client: Client) -> None:
    migrate.apply(client, "MergeTree", [ONE])

    assert migrate.apply(client, "MergeTree", [ONE, TWO]) == [TWO]


def test_a_migration_that_broke_off_is_finished_by_the_next_run(client: Client) -> None:
    def break_off(_: Migration, statement: str) -> None:
        if "c (x" in statement:
            raise BrokeOffError

    with pytest.raises(BrokeOffError):
        migrate.apply(client, "MergeTree", [ONE, TWO], before=break_off)
    assert tables(client) == {"a", "b", "schema_migrations"}
    assert migrate.plan(client, [ONE, TWO]) == [TWO]

    assert migrate.apply(client, "MergeTree", [ONE, TWO]) == [TWO]
    assert "c" in tables(client)


def test_a_file_that_was_edited_after_it_was_applied_is_refused(client: Client) -> None:
    migrate.apply(client, "MergeTree", [ONE, TWO])
    edited = Migration(1, "one", ONE.text + "-- a thought\n")

    with pytest.raises(StoreSchemaError, match="0001: edited after it was applied"):
        migrate.apply(client, "MergeTree", [edited, TWO])


def test_a_store_of_a_newer_version_is_refused(client: Client) -> None:
    migrate.apply(client, "MergeTree", [ONE, TWO])

    with pytest.raises(StoreSchemaError, match="0002: applied, but not known here"):
        migrate.plan(client, [ONE])


def test_a_statement_that_the_store_refuses_names_its_file(client: Client) -> None:
    bad = Migration(1, "bad", "CREATE TABLE IF NOT EXISTS a (x NoSuchType) ENGINE = MergeTree ORDER BY x;\n")

    with pytest.raises(AuditStreamError, match=r"migration 0001_bad: .*NoSuchType"):
        migrate.apply(client, "MergeTree", [bad])
    assert migrate.plan(client, [bad]) == [bad]


def test_every_packaged_statement_can_be_repeated(client: Client) -> None:
    migrate.apply(client, "MergeTree")

    for migration in packaged():
        for statement in migration.statements("MergeTree"):
            client.command(statement)


def test_the_engine_parses_every_statement_of_a_cluster(client: Client) -> None:
    statements = [each for file in packaged() for each in file.statements("ReplicatedMergeTree")]

    for statement in statements:
        assert client.query("SELECT formatQuery({sql:String})", {"sql": statement}).result_rows
