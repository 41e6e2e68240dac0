"""`auditstream prices unpriced` and `prices reported`: what recorded events say of the price book."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context

if TYPE_CHECKING:
    from auditstream.query.reader import Table


def unpriced(
    context: typer.Context,
    *,
    since: Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
) -> None:
    """List recorded calls that have no price, by what is missing: provider, model, tier, reason, meter.

    Their cost is unknown, not zero; `status` counts them.
    """
    from auditstream.query import price_findings

    asked = _Asked("unpriced", since, start, end, tenant)
    _print_query(context.obj, price_findings.unpriced, asked)


def reported(
    context: typer.Context,
    *,
    since: Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
) -> None:
    """Sum what producers report that calls cost, what the price book says of them, and the difference.

    By provider, model and currency; of calls whose event brought its own cost beside its counts.
    """
    from auditstream.query import price_findings

    asked = _Asked("reported", since, start, end, tenant)
    _print_query(context.obj, price_findings.reported_differences, asked)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Options of a command that reads recorded events."""

    command: str
    since: str | None
    start: str | None
    end: str | None
    tenant: str | None


def _print_query(context: Context, ask: Callable[..., Table], asked: _Asked) -> None:
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import print_rows
    from auditstream.query import periods
    from auditstream.query.price_findings import READ_FROM

    period = periods.period(datetime.now(UTC), since=asked.since, start=asked.start, end=asked.end)
    query = " ".join(filter(None, (asked.since, asked.start, asked.end)))
    reading = Reading(f"prices {asked.command}", query, (READ_FROM,), asked.tenant or "")
    with told_reader(running.find(context), reading) as reader:
        found = ask(reader, period, tenant=asked.tenant)
    print_rows(context, found.columns, found.rows)
