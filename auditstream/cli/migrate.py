"""`auditstream migrate`: the tables in ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.cli.remarks import remark
from auditstream.core.errors import RequestError
from auditstream.core.settings import Settings

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="Bring the tables in ClickHouse to this version.", no_args_is_help=True)
    group.command()(plan)
    group.command()(apply)
    group.command()(status)
    group.command()(remember)
    app.add_typer(group, name="migrate")


def plan(
    context: typer.Context,
    *,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements instead of the list.")] = False,
) -> None:
    """Show what `apply` would run; changes nothing."""
    from auditstream.cli.printing import print_rows
    from sinks import migrate

    with _client(context.obj) as (client, settings):
        pending = migrate.plan(client)
    engine = settings.clickhouse.engine
    if sql:
        for migration in pending:
            typer.echo("\n\n".join(f"{statement};" for statement in migration.statements(engine)))
        return
    rows = [(each.version, each.name, len(each.statements(engine))) for each in pending]
    print_rows(context.obj, ("version", "name", "statements"), rows)
    remark(context.obj, f"{len(pending)} pending")


def apply(
    context: typer.Context,
    *,
    grants: Annotated[
        bool, typer.Option("--grants", help="Then also create the server's roles and say what each may do.")
    ] = False,
    tenant: Annotated[
        list[str] | None,
        typer.Option(help="With --grants: also a role that reads this tenant's rows alone; repeatable."),
    ] = None,
) -> None:
    """Create the database if it is missing, and run what is pending.

    Broken off, it goes on where it stopped when it is run again. --grants needs a server, and a user who may
    manage access: the embedded engine has no roles.
    """
    from auditstream.cli.printing import print_rows
    from sinks import migrate
    from sinks.grants import apply_grants

    if tenant and not grants:
        raise RequestError("--tenant: only beside --grants")
    with _client(context.obj, make_database=True) as (client, settings):
        with _expected(settings):
            done = migrate.apply(
                client,
                settings.clickhouse.engine,
                before=lambda migration, statement: remark(
                    context.obj, f"{migration.version:04d} {_title(statement)}"
                ),
            )
        if grants:
            apply_grants(client, settings.clickhouse.database, tenant or ())
            remark(context.obj, "roles are as this version needs them")
    print_rows(context.obj, ("version", "name"), [(each.version, each.name) for each in done])
    remark(context.obj, f"{len(done)} applied" if done else "nothing was pending")


def status(context: typer.Context) -> None:
    """Show which migrations were applied, and when."""
    from auditstream.cli.printing import print_rows
    from sinks import migrate

    with _client(context.obj) as (client, _):
        states = migrate.status(client)
    rows = [(each.version, each.name, each.applied_at) for each in states]
    print_rows(context.obj, ("version", "name", "applied_at"), rows)


def remember(context: typer.Context) -> None:
    """Take the tables, their rows and the rights on them for right as they are now.

    The watch over the store (beside the sealer, and in `doctor`) compares with what it saw first and with
    what migrations did; after a change of yours that is no migration its findings end with this. Prints what
    is no longer a finding. An event `ai.config.change` tells of it first.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import tell_change
    from auditstream.cli.printing import print_rows
    from auditstream.emit.store_watching import memory_of
    from auditstream.query.watches import store_watch

    deployment = running.find(context.obj)
    reader = running.open_reader(deployment)
    memory = memory_of(deployment.settings)
    try:
        tell_change(deployment.settings, "table memory", str(memory.path))
        differences = store_watch.remember(reader, memory)
    finally:
        reader.close()
    print_rows(context.obj, ("rule", "scope", "what"), [(d.rule, d.scope, d.title) for d in differences])
    remark(context.obj, f"{memory.path}: {len(differences)} differences are right from now on")


@contextmanager
def _expected(settings: Settings) -> Iterator[None]:
    """Take what the block does to the tables for right."""
    from auditstream.emit.store_watching import memory_of
    from auditstream.query.reader import open_reader
    from auditstream.query.watches.store_watch import migrating

    reader = open_reader(settings.clickhouse)
    try:
        with migrating(reader, memory_of(settings)):
            yield
    finally:
        reader.close()


@contextmanager
def _client(context: Context, *, make_database: bool = False) -> Iterator[tuple[Client, Settings]]:
    """Lend a client of the running deployment, or of the store that the settings name."""
    from auditstream.cli.running import find
    from sinks.clients import http_client
    from sinks.migrate import create_database

    settings = find(context).settings
    database = settings.clickhouse.database
    if make_database and database != "default":
        first = http_client(settings.clickhouse, database="default")
        try:
            create_database(first, database)
        finally:
            first.close()
    client = http_client(settings.clickhouse)
    try:
        yield client, settings
    finally:
        client.close()


def _title(statement: str) -> str:
    """Return what a statement makes, for a line of progress."""
    return " ".join(statement.partition("(")[0].split()[:8])
