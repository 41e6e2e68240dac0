"""`auditstream keys`: credentials of the gateway."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.core.settings import Settings
    from auditstream.emit.key_facts import Announce
    from sinks.reference import ReferenceStore

_COLUMNS = ("credential_id", "tenant_id", "project_id", "name", "active", "since")
_Actor = Annotated[str, typer.Option(help="Who says so; the user of the system by default.")]


def register(app: typer.Typer) -> None:
    """Add the command and its subcommands."""
    group = typer.Typer(help="Keys with which services send events to the gateway.", no_args_is_help=True)
    group.command()(create)
    group.command()(revoke)
    group.command(name="list")(list_)
    app.add_typer(group, name="keys")


def create(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option(help="Tenant whose events the key sends.")],
    name: Annotated[str, typer.Option(help="What people call the key.")] = "",
    project: Annotated[str, typer.Option(help="Project that the events are attributed to.")] = "",
    actor: _Actor = "",
) -> None:
    """Make a key and print it: it is shown this once, and only its hash is kept.

    Gateways take it within seconds. Events `ai.config.change` and `ai.key.lifecycle` tell of it first:
    without Kafka nothing is changed.
    """
    from auditstream.cli.printing import print_document
    from auditstream.emit.gateway_keys import create_key

    with reference_store(context.obj) as (settings, store), announcing(settings) as announce:
        key = create_key(
            store,
            tenant=tenant,
            name=name,
            project=project,
            actor=actor or getpass.getuser(),
            now=datetime.now(UTC),
            announce=announce,
        )
    credential = key.credential
    print_document(
        context.obj,
        {
            "credential_id": credential.credential_id,
            "tenant_id": credential.tenant_id,
            "name": credential.name,
            "key": key.secret,
            "revision": key.revision,
        },
    )


def revoke(
    context: typer.Context,
    credential_id: Annotated[str, typer.Argument(metavar="ID", help="Credential, as `keys list` shows it.")],
    *,
    actor: _Actor = "",
) -> None:
    """Revoke a key: gateways refuse it within seconds. What it sent stays attributed as it was.

    Events `ai.config.change` and `ai.key.lifecycle` tell of it first: without Kafka nothing is changed.
    """
    from auditstream.cli.printing import print_document
    from auditstream.emit.gateway_keys import revoke_key

    with reference_store(context.obj) as (settings, store), announcing(settings) as announce:
        credential, revision = revoke_key(
            store, credential_id, actor=actor or getpass.getuser(), now=datetime.now(UTC), announce=announce
        )
    print_document(
        context.obj,
        {
            "credential_id": credential.credential_id,
            "tenant_id": credential.tenant_id,
            "revoked_since": credential.valid_from.isoformat(),
            "revision": revision,
        },
    )


def list_(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option(help="Only keys of this tenant.")] = "",
) -> None:
    """Print the credentials that have a key, revoked ones included; keys themselves are kept nowhere."""
    from auditstream.cli.printing import print_rows
    from auditstream.emit.gateway_keys import keys_of

    with reference_store(context.obj) as (_, store):
        found = keys_of(store.load(store.newest()), now=datetime.now(UTC))
    rows: list[Sequence[Any]] = [
        (
            each.credential_id,
            each.tenant_id,
            each.project_id,
            each.name,
            each.active,
            each.valid_from.isoformat(),
        )
        for each in found
        if tenant in {"", each.tenant_id}
    ]
    print_rows(context.obj, _COLUMNS, rows)


@contextmanager
def reference_store(context: Context) -> Iterator[tuple[Settings, ReferenceStore]]:
    """Lend the store of the reference data, with the settings that reach it."""
    from auditstream.cli import running
    from sinks.reference import connect_reference

    settings = running.find(context).settings
    store = connect_reference(settings.clickhouse)
    try:
        yield settings, store
    finally:
        store.close()


@contextmanager
def announcing(settings: Settings) -> Iterator[Announce]:
    """Lend what tells of a key; registry and Kafka are asked before the store is."""
    from contextlib import ExitStack

    from auditstream.cli.announcing import ACKNOWLEDGED_WITHIN_S, nothing_changed
    from auditstream.emit.announcements import announcer

    with ExitStack() as held:
        with nothing_changed():
            announce = held.enter_context(announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S))

        def send(events: Sequence[dict[str, Any]]) -> None:
            with nothing_changed():
                announce(events)

        yield send
