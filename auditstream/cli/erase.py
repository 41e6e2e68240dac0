"""`auditstream erase`: a person's sealed data made unreadable for good, and every proof left whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.core.errors import NotAllowedError, RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.cli.running import Deployment
    from auditstream.core.settings import Settings
    from auditstream.emit.erasures import Erasure
    from auditstream.identity.keyring import Destruction, KeyRecord

_COLUMNS = ("key_id", "month", "created_at", "destroyed_at", "sealed_events")
_LONGEST_GROUND = 500


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(erase)


def erase(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option(help="Tenant of the subject.")],
    subject: Annotated[
        str,
        typer.Option(
            help="Readable id of a person, pseudonym as events have it, or conversation:ID.",
            show_default=False,
        ),
    ],
    ground: Annotated[str, typer.Option(help="Why, as in the request: it is part of the event.")],
    approver: Annotated[
        list[str] | None, typer.Option(help="Who else approves; as many as AUDITSTREAM_KEYS__APPROVERS.")
    ] = None,
) -> None:
    """Destroy every key of a subject: what was sealed under them opens nowhere again.

    An event `ai.key.lifecycle` says so before it is done; events, leaves and proofs stay as they are. Until
    the end of the month nothing of the subject is sealed again. Ends with 5 where a legal hold covers the
    subject or approvers are missing. Doing it again is harmless, and finishes what was broken off.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import actor
    from auditstream.identity.keyring import Destruction
    from auditstream.identity.keys import opened_keys

    _require_words(tenant=tenant, subject=subject, ground=ground)
    deployment = running.find(context.obj)
    settings = deployment.settings
    said = Destruction(datetime.now(UTC), actor(settings), ground)
    approvers = _approvers(settings, approver or [], said.by)
    with opened_keys(settings) as keys:
        handles = keys.hmac(tenant).subjects(subject)
        _refuse_held(settings, tenant, {subject, *handles}, said.at)
        known = keys.ring.records(tenant, handles)
        counts = _counts(deployment, tenant, subject, known)
        _announce(settings, tenant, said, _erasure(handles[-1], known, counts, ground, approvers))
        destroyed = keys.ring.destroy(tenant, handles, said)
        _print(context.obj, keys.ring.records(tenant, handles), counts, destroyed)


def _require_words(**given: str) -> None:
    for name, value in given.items():
        if not value.strip() or not value.isprintable() or len(value) > _LONGEST_GROUND:
            raise RequestError(f"--{name}: 1 to {_LONGEST_GROUND} printable characters are wanted")


def _approvers(settings: Settings, named: Sequence[str], actor: str) -> list[str]:
    """Return who else approved, and refuse when they are too few."""
    others = sorted({name.strip() for name in named} - {actor, ""})
    if len(others) < settings.keys.approvers:
        raise NotAllowedError(
            f"{len(others)} others approve, {settings.keys.approvers} are wanted",
            hint="Name each with --approver; who erases does not count.",
        )
    return others


def _refuse_held(settings: Settings, tenant: str, names: set[str], at: datetime) -> None:
    from auditstream.reference.holds import holds_over
    from sinks.reference import connect_reference

    store = connect_reference(settings.clickhouse)
    try:
        held = holds_over(store.load(store.newest(), kinds=("hold",)), tenant, names, at)
    finally:
        store.close()
    if held:
        grounds = "; ".join(f"{hold.hold_id}: {hold.ground}" for hold in held)
        raise NotAllowedError(
            f"nothing was erased: a legal hold covers the subject ({grounds})",
            hint="Who set the hold must release it first.",
        )


def _counts(
    deployment: Deployment, tenant: str, subject: str, known: Sequence[KeyRecord]
) -> Mapping[str, int]:
    """Return how many events are recorded under each key."""
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.query.sealed_events import READ_FROM, sealed_counts

    reading = Reading("erase", subject, (READ_FROM,), tenant, purpose="erasure")
    with told_reader(deployment, reading) as reader:
        return sealed_counts(reader, tenant, [record.key_id for record in known])


def _erasure(
    handle: str,
    known: Sequence[KeyRecord],
    counts: Mapping[str, int],
    ground: str,
    approvers: Sequence[str],
) -> Erasure:
    from auditstream.emit.erasures import Erasure

    return Erasure(
        subject=handle,
        ground=ground,
        approvers=approvers,
        key_ids=[record.key_id for record in known],
        months=sorted({record.month for record in known}),
        sealed_events=sum(counts.values()),
    )


def _announce(settings: Settings, tenant: str, said: Destruction, erasure: Erasure) -> None:
    """Return once Kafka has the event."""
    from auditstream.cli.announcing import ACKNOWLEDGED_WITHIN_S, nothing_changed
    from auditstream.emit.announcements import Said, announcer
    from auditstream.emit.erasures import BY, erasure_event

    event = erasure_event(erasure, Said(by=BY, actor=said.by, at=said.at, tenant_id=tenant))
    with nothing_changed(), announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S) as announce:
        announce([event])


def _print(
    context: Context, records: Sequence[KeyRecord], counts: Mapping[str, int], destroyed: Sequence[KeyRecord]
) -> None:
    from auditstream.cli.printing import print_rows

    rows = [
        [
            record.key_id,
            record.month,
            record.created_at,
            record.destroyed.at if record.destroyed else None,
            counts.get(record.key_id, 0),
        ]
        for record in records
    ]
    print_rows(context, _COLUMNS, rows)
    if context.quiet:
        return
    if not records:
        typer.echo("nothing was sealed for this subject; is it spelt as events have it?", err=True)
    else:
        before = len(records) - len(destroyed)
        typer.echo(f"{len(destroyed)} keys destroyed, {before} were before", err=True)
