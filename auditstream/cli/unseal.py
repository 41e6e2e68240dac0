"""`auditstream unseal`: what is sealed in an event, for who may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.core.errors import NotAllowedError, NotFoundError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.identity.opening import Sealed
    from auditstream.query.reader import Reader


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(unseal)


def unseal(
    context: typer.Context,
    wanted: Annotated[
        str, typer.Argument(metavar="ID", help="Event id, or a leaf as topic/partition/epoch/index.")
    ],
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's event.")] = None,
    purpose: Annotated[str, typer.Option(help="What for; the event of this reading has it.")] = "",
) -> None:
    """Print what is sealed in an event, once an event `ai.data_access` says who reads it and what for.

    Needs a user of the store who may read `raw`, and the deployment's keys. The bytes that are opened are
    those that a leaf commits to. Ends with 4 when the key was destroyed, and with 3 when a box is not as it
    was sealed.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import print_document
    from auditstream.identity.keys import opened_keys
    from auditstream.query import events

    deployment = running.find(context.obj)
    asked = Reading("unseal", wanted, (events.SHOWN_FROM,), tenant or "", purpose=purpose)
    with told_reader(deployment, asked) as reader:
        sealed = _sealed(deployment.settings, events.show(reader, wanted, tenant=tenant))
        with opened_keys(deployment.settings) as keys:
            opened = sealed.opened(keys.ring)
        _refuse_erased(reader, sealed)
    said = {"event_id": sealed.event_id, "tenant_id": sealed.tenant, "seal_key_id": sealed.key_id}
    print_document(context.obj, {**said, **{name: _readable(value) for name, value in opened.items()}})


def _sealed(settings: Settings, rows: list[dict[str, Any]]) -> Sealed:
    """Return the sealed part of the first row that is an event."""
    import asyncio

    from auditstream.identity.opening import Sealed
    from auditstream.query.datums import decode_rows

    first = next((row for row in rows if row["duplicate_of"] is None), rows[0])
    (datum,) = asyncio.run(decode_rows([first], settings.registry))
    if datum is None:
        raise NotFoundError("what is recorded there is no event")
    # Whose event it is says the record: a producer's word in the bytes is a claim.
    return Sealed.of(datum | {"tenant_id": first["tenant_id"]})


def _refuse_erased(reader: Reader, sealed: Sealed) -> None:
    """Refuse a key that the record says was destroyed, whatever the keyring has."""
    from auditstream.query.sealed_events import erasure_of

    known = erasure_of(reader, sealed.tenant, sealed.key_id)
    if known is not None:
        raise NotAllowedError(
            f"key {sealed.key_id} was erased at {known.at:%Y-%m-%dT%H:%M:%SZ}: event {known.event_id}",
            hint="Where the keyring has it all the same, it is an older copy: repeat the erasure.",
        )


def _readable(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
