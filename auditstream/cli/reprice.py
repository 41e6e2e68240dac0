"""`auditstream reprice`: recorded events priced and attributed again, and the differences booked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.core.errors import NotAllowedError, RequestError

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.cli.running import Deployment
    from auditstream.core.settings import Settings
    from auditstream.rerating.booking_run import Order
    from auditstream.rerating.summary import Summary

_LONGEST = 500
_ANSWER_WITHIN_S = 300.0
"""A search for calls that are reported twice reads hours of events."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reprice)


def reprice(
    context: typer.Context,
    *,
    start: Annotated[str, typer.Option("--from", help="First moment of event_time, ISO 8601.")],
    end: Annotated[str, typer.Option("--to", help="First moment after, ISO 8601.")],
    tenant: Annotated[
        str, typer.Option(help="Only events that are this tenant's, before or after.", show_default=False)
    ] = "",
    provider: Annotated[str, typer.Option(help="Only calls of this provider.", show_default=False)] = "",
    model: Annotated[str, typer.Option(help="Only calls of this model.", show_default=False)] = "",
    reason: Annotated[
        str, typer.Option(help="Why: it is part of every row and of the event.", show_default=False)
    ] = "",
    approved_by: Annotated[
        str, typer.Option(help="Who else approves, where a month is closed.", show_default=False)
    ] = "",
    undated: Annotated[
        bool,
        typer.Option("--undated", help="Take over prices of which nobody says since when they hold, too."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would change.")] = False,
) -> None:
    """Price and attribute a period's events by what is known now, and book the differences.

    Nothing that is booked changes: rows are appended to cost_adjustments, and events_current and
    costs_current show the sum. A call that several events report is counted once. Running it again books
    nothing; broken off and run again, it ends the same. Prints by tenant and model what changed, what has no
    price and why, and which booked prices stay. An event `ai.config.change` tells of it first. Ends with 5
    where a month is closed and nobody else approves.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import actor
    from auditstream.cli.printing import print_rows
    from auditstream.query.periods import moment
    from auditstream.rerating.booking_run import Order
    from auditstream.rerating.summary import COLUMNS
    from sinks.rated_leaves import Wanted

    _require_words(tenant=tenant, provider=provider, model=model, reason=reason, approved_by=approved_by)
    wanted = Wanted(moment(start), moment(end), provider, model)
    if wanted.start >= wanted.end:
        raise RequestError(f"--from {start} is not before --to {end}")
    deployment = running.find(context.obj)
    who = actor(deployment.settings)
    order = Order(
        wanted,
        tenant=tenant,
        reason=reason,
        actor=who,
        approved_by=_approver(approved_by, who),
        take_undated=undated,
        dry_run=dry_run,
    )
    summary = _run(context.obj, deployment, order)
    print_rows(context.obj, COLUMNS, summary.table())
    if not context.obj.quiet:
        typer.echo(_remark(summary, dry_run=dry_run), err=True)


def _require_words(**given: str) -> None:
    for name, value in given.items():
        if value and (not value.strip() or not value.isprintable() or len(value) > _LONGEST):
            option = name.replace("_", "-")
            raise RequestError(f"--{option}: 1 to {_LONGEST} printable characters are wanted")


def _approver(named: str, actor: str) -> str:
    """Return who else approves, and refuse whoever approves of what they do themselves."""
    other = named.strip()
    if other and other.casefold() == actor.strip().casefold():
        raise NotAllowedError(
            f"--approved-by: {other} runs this, and cannot approve of it",
            hint="A second person must approve. AUDITSTREAM_ACTOR says who runs it.",
        )
    return other


def _run(context: Context, deployment: Deployment, order: Order) -> Summary:
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, claims, tells_itself, told
    from auditstream.cli.auditing import progress_of
    from auditstream.reference.closed_months import ClosedMonths
    from auditstream.reference.kinds import ENRICHING
    from auditstream.rerating.booking_run import BookingRun, Books
    from auditstream.rerating.rating import Rater
    from sinks.adjustments import AdjustmentTable
    from sinks.clients import ClientPool, http_client
    from sinks.rated_leaves import RatedLeaves
    from sinks.reference import connect_reference
    from sinks.snapshot_cache import SnapshotCache
    from streams.recording.assembly import new_attributor, new_pricer

    settings = deployment.settings
    reading = Reading("reprice", _asked(order), ("events", "cost_adjustments"), order.tenant, whole=True)
    headers = claims(settings, reading).headers if tells_itself(deployment) else {}
    running.open_reader(deployment, headers=headers).close()  # says what to start where nothing answers
    pool = ClientPool(
        lambda: http_client(settings.clickhouse, headers=headers, answer_within_s=_ANSWER_WITHIN_S)
    )
    with (
        closing(pool) as clients,
        closing(connect_reference(settings.clickhouse)) as reference,
        progress_of(context, "events") as advance,
    ):
        directory = SnapshotCache(reference, kinds=(*ENRICHING, "closure"))
        revision = directory.refresh()
        at = datetime.now(UTC)
        books = Books(
            RatedLeaves(clients),
            AdjustmentTable(clients, replicated=settings.clickhouse.engine == "ReplicatedMergeTree"),
            Rater(new_attributor(directory, settings.kafka), new_pricer(directory), revision),
            ClosedMonths.at(directory.get(revision), at),
            before_append=_announcer(settings, order, revision, at),
        )
        with told(deployment, reading):
            return BookingRun(books, order).run(advance)


def _asked(order: Order) -> str:
    wanted = order.wanted
    return (
        f"{wanted.start.isoformat()}/{wanted.end.isoformat()} {order.tenant} {wanted.provider} {wanted.model}"
    )


def _announcer(settings: Settings, order: Order, revision: int, at: datetime) -> Callable[[], None]:
    """Return what tells of the run, and returns once Kafka has the event."""
    from auditstream.cli.announcing import ACKNOWLEDGED_WITHIN_S, nothing_changed
    from auditstream.emit.announcements import Said, announcer
    from auditstream.emit.repricings import BY, Repricing, repricing_event

    wanted = order.wanted
    repricing = Repricing(
        wanted.start, wanted.end, wanted.provider, wanted.model, order.reason, revision, order.approved_by
    )

    def tell() -> None:
        event = repricing_event(repricing, Said(by=BY, actor=order.actor, at=at, tenant_id=order.tenant))
        with nothing_changed(), announcer(settings, within_s=ACKNOWLEDGED_WITHIN_S) as announce:
            announce([event])

    return tell


def _remark(summary: Summary, *, dry_run: bool) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(summary.rows.items()))
    rows = f"{summary.adjustments} adjustments" + (f" ({kinds})" if kinds else "")
    end = "; nothing was booked (--dry-run)" if dry_run else " booked"
    return f"{summary.touched} of {summary.seen} events change: {rows}{end}"
