"""`auditstream prices`: the price book: what came into it, what it says, and what is wrong with it."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Context
from auditstream.cli.price_checks import check
from auditstream.cli.price_findings import reported, unpriced
from auditstream.cli.remarks import remark
from auditstream.core.errors import NotFoundError, RequestError

if TYPE_CHECKING:
    from auditstream.reference.price_import import Import, PriceChange
    from auditstream.reference.snapshot import Snapshot
    from sinks.reference import ReferenceStore

_CHANGED = (
    "change", "provider", "model", "meter", "tier", "region", "context_from", "time_of_day", "valid_from",
    "before", "after", "currency", "price_id",
)  # fmt: skip
_HISTORY = (
    "revision", "recorded_at", "actor", "source", "price_id", "meter", "tier", "region", "context_from",
    "time_of_day", "valid_from", "valid_to", "amount", "unit", "currency", "basis", "active", "supersedes",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command's subcommands."""
    group = typer.Typer(
        help="The price book: import a catalogue, see what changed, check it, find calls without a price.",
        no_args_is_help=True,
    )
    group.command("import")(import_)
    group.command()(diff)
    group.command()(check)
    group.command()(history)
    group.command()(unpriced)
    group.command()(reported)
    app.add_typer(group, name="prices")


def import_(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; write nothing.")
    ] = False,
    actor: Annotated[str, typer.Option(help="Who says so; the user of the system by default.")] = "",
    without_event: Annotated[
        bool,
        typer.Option("--without-event", help="Import although no event tells of it: Kafka is away."),
    ] = False,
) -> None:
    """Bring the installed catalogue's prices into the price book: what differs, and nothing else.

    Prices of one's own, from `apply`, stay in force over imported ones. A price whose beginning the catalogue
    does not know holds from now on, and what was known before stays for the time before. The import is one
    event `ai.config.change`, which Kafka has before it takes effect.
    """
    from auditstream.cli import running
    from auditstream.cli.announcing import announced_events
    from sinks.reference import connect_reference

    settings = running.find(context.obj).settings
    tell = None if without_event or dry_run else lambda: announced_events(settings)
    with closing(connect_reference(settings.clickhouse)) as store:
        import_into(store, context.obj, actor=actor or getpass.getuser(), dry_run=dry_run, tell=tell)


def import_into(
    store: ReferenceStore,
    context: Context,
    *,
    actor: str,
    dry_run: bool = False,
    tell: Any = None,
    stated: Import | None = None,
    now: datetime | None = None,
) -> Sequence[PriceChange]:
    """Write what an import changes as one revision, print it, and return it.

    Args:
        store: Where the price book is.
        context: Global options.
        actor: Who says so.
        dry_run: Whether only to print.
        tell: Lends what sends events before the change takes effect; None for an import without one.
        stated: The import; the installed catalogue's when None.
        now: From when prices hold whose beginning is not known; the time of the call when None.

    Raises:
        StoreBusyError: Somebody else was writing. Nothing of this was written.
        RetryableError: No answer, or the import could not be told of. Nothing of this takes effect.
    """
    from auditstream.emit.config_changes import Applied, import_event
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.reference.price_import import entries_of, import_changes, import_of, last_hash

    stated = stated or import_of(bundled_catalogue())
    now = now or datetime.now(UTC).replace(microsecond=0)
    base = store.newest()
    snapshot = store.load(base, kinds=("price",))
    changes = import_changes(stated, snapshot, now=now)
    if dry_run or not changes:
        _print_changes(context, changes)
        remark(context, f"{stated.release}: {_counted(changes)}{'; nothing was written' if changes else ''}")
        return changes
    before = last_hash(snapshot, stated.catalogue)
    entries = entries_of(changes, stated)
    if tell is None:
        revision = store.append(entries, base=base, actor=actor)
        typer.echo(f"warning: revision {revision}: no event tells of the import", err=True)
    else:
        with tell() as send:
            counts = _counts(changes)
            revision = store.append(
                entries,
                base=base,
                actor=actor,
                announce=lambda coming: send(
                    [import_event(stated, before, counts, Applied(coming, actor, now))]
                ),
            )
    _print_changes(context, changes if snapshot.rows("price").height else ())
    remark(context, f"revision {revision}: {stated.release}: {_counted(changes)}")
    return changes


def diff(
    context: typer.Context,
    *,
    start: Annotated[
        int | None, typer.Option("--from", help="Reference revision; without it, what an import would do.")
    ] = None,
    end: Annotated[int | None, typer.Option("--to", help="Later revision; the newest by default.")] = None,
) -> None:
    """Show how the price book differs from the installed catalogue, or between two revisions.

    Exit code 0 whether there are differences or not.
    """
    from auditstream.cli import running
    from auditstream.cli.price_books import known_revision
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.reference.price_import import import_changes, import_of
    from sinks.reference import connect_reference

    if start is None and end is not None:
        raise RequestError("--to: goes with --from")
    settings = running.find(context.obj).settings
    with closing(connect_reference(settings.clickhouse)) as store:
        newest = known_revision(store, end)
        snapshot = store.load(newest, kinds=("price",))
        if start is not None:
            known_revision(store, start)
    if start is None:
        now = datetime.now(UTC).replace(microsecond=0)
        changes = import_changes(import_of(bundled_catalogue()), snapshot, now=now)
        _print_changes(context.obj, changes)
        remark(context.obj, f"revision {newest} against the installed catalogue: {_counted(changes)}")
        return
    from auditstream.reference.price_history import between

    if start > newest:
        raise RequestError(f"--from {start}: is later than --to {newest}")
    rows = between(snapshot, start)
    _print_rows(context.obj, rows)
    remark(context.obj, f"revisions {start} to {newest}: {len(rows)} rows")


def history(
    context: typer.Context,
    *,
    provider: Annotated[str, typer.Option(help="Provider, as openai.")],
    model: Annotated[str, typer.Option(help="Model, by any of its names.")],
    meter: Annotated[str | None, typer.Option(help="Only this meter, as input_tokens.")] = None,
    at: Annotated[str | None, typer.Option(help="Only what holds at this event time.")] = None,
    revision: Annotated[int | None, typer.Option(help="As known at this reference revision.")] = None,
) -> None:
    """Show every price that was recorded for a model: since when it holds, since when it is known, from whom.

    A row stays when a later one corrects it. With --at only what holds then, as known now or at --revision.
    """
    from auditstream.cli.price_books import book_in_use
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.query.periods import moment
    from auditstream.reference.price_history import history_of

    in_use = book_in_use(context.obj, revision=revision)
    snapshot = in_use.snapshot
    if snapshot is None or snapshot.rows("price").is_empty():
        snapshot = _catalogue_snapshot()
        remark(context.obj, "nothing was imported: these are the installed catalogue's prices")
    time = None if at is None else moment(at)
    rows = history_of(snapshot, bundled_catalogue(), provider, model, meter=meter, at=time)
    if not rows:
        raise NotFoundError(
            f"no price of {provider}/{model}{'' if meter is None else f', {meter}'} is known",
            hint="`auditstream prices unpriced` lists what was used without a price.",
        )
    _print_rows(context.obj, rows)


def _catalogue_snapshot() -> Snapshot:
    """Return the installed catalogue as if it had been imported."""
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.reference.kinds import KINDS, Entry, frame_of
    from auditstream.reference.price_import import import_of
    from auditstream.reference.snapshot import Snapshot

    stated = import_of(bundled_catalogue())
    entries = [Entry(price, stated.release) for price in stated.prices]
    now = datetime.now(UTC)
    return Snapshot(1, {"price": frame_of(KINDS["price"], entries, revision=1, recorded_at=now, actor="")})


def _print_changes(context: Context, changes: Sequence[PriceChange]) -> None:
    from auditstream.cli.printing import print_rows

    print_rows(context, _CHANGED, map(_changed_row, changes))


def _changed_row(change: PriceChange) -> Sequence[Any]:
    from auditstream.pricing.quotes import decimal_text

    after, before = change.after, change.before
    return (
        change.how, after.provider, after.model_pattern, after.meter, after.service_tier, after.region,
        after.context_from, _time_of_day(after.time_of_day_from, after.time_of_day_to), after.valid_from,
        None if before is None else decimal_text(before["amount"]),
        None if change.how == "went" else decimal_text(after.amount), after.currency, after.price_id,
    )  # fmt: skip


def _print_rows(context: Context, rows: Sequence[dict[str, Any]]) -> None:
    from auditstream.cli.printing import print_rows
    from auditstream.pricing.quotes import decimal_text

    shown = [
        row
        | {
            "amount": decimal_text(row["amount"]),
            "tier": row["service_tier"],
            "basis": row["price_basis"],
            "time_of_day": _time_of_day(row["time_of_day_from"], row["time_of_day_to"]),
        }
        for row in rows
    ]
    print_rows(context, _HISTORY, [[row[name] for name in _HISTORY] for row in shown])


def _time_of_day(start: str, end: str) -> str:
    return f"{start}-{end}" if start else ""


def _counts(changes: Sequence[PriceChange]) -> dict[str, int]:
    return {how: sum(change.how == how for change in changes) for how in ("came", "changed", "went")}


def _counted(changes: Sequence[PriceChange]) -> str:
    counts = ", ".join(f"{count} {how}" for how, count in _counts(changes).items())
    return counts if changes else "no differences"
