"""`auditstream report access`: who asked the record what, how often, and how much left with exports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, report_reader, span_of

if TYPE_CHECKING:
    from auditstream.query.access_log import Accessed, ReaderCount, Wanted

_READERS = ("actor_id", "questions", "blocked", "exported_rows", "last_time")
_EACH = (
    "event_time", "event_id", "actor_id", "outcome", "command", "role", "tenants", "tables", "exported_rows",
    "exported_bytes", "purpose", "destination", "credential_id", "src_ip", "source",
)  # fmt: skip


def access(
    context: typer.Context,
    *,
    period: PeriodOption = "last-7d",
    reader: Annotated[str, typer.Option(help="Only what this one asked (actor_id).")] = "",
    command: Annotated[str, typer.Option(help="Only this question, as search or export.")] = "",
    blocked: Annotated[bool, typer.Option("--blocked", help="Only what was refused.")] = False,
    each: Annotated[bool, typer.Option("--each", help="A line a question, the newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines at most.")] = 100,
) -> None:
    """Show who asked the record what: how often, how often in vain, and how many rows left with exports.

    Reading is recorded as events `ai.data_access`; those are counted, of the commands, the API, the console
    and, at the store of `up` and `demo`, of outside tools. This report is itself one of them, from the next
    time on.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.access_log import READ_FROM, Wanted, accesses, by_reader
    from auditstream.query.periods import Period

    span = span_of(period)
    wanted = Wanted(
        period=Period(span.start, span.end), reader=reader, command=command, blocked=blocked, limit=limit
    )
    deployment = running.find(context.obj)
    with report_reader(deployment, "access", _said(period, wanted), READ_FROM, None) as store:
        rows = (
            list(map(_line, accesses(store, wanted)))
            if each
            else list(map(_count, by_reader(store, wanted, most=limit)))
        )
    print_rows(context.obj, _EACH if each else _READERS, rows)
    remarks(context.obj, _remarks(rows, limit))


def _said(period: str, wanted: Wanted) -> str:
    """Return what was asked, for the event that tells of it."""
    blocked = ", blocked" if wanted.blocked else ""
    return f"period {period}, reader {wanted.reader or '*'}, command {wanted.command or '*'}{blocked}"


def _count(one: ReaderCount) -> tuple[object, ...]:
    return one.reader, one.questions, one.blocked, one.exported, one.last.isoformat()


def _line(one: Accessed) -> tuple[object, ...]:
    return (
        one.at.isoformat(), f"{one.event_id}", one.reader, one.outcome, one.command, one.role, one.tenants,
        ", ".join(one.tables), one.rows, one.size_bytes, one.purpose, one.destination, one.credential,
        one.address, one.source,
    )  # fmt: skip


def _remarks(rows: Sequence[object], limit: int) -> Iterator[str]:
    if not rows:
        yield "nobody asked so in the period"
    elif len(rows) == limit:
        yield f"the first {limit}: --limit or a shorter --period shows others"
