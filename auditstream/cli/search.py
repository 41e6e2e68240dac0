"""`auditstream search`: find recorded events."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from auditstream.cli.permalinks import OpenOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings={"ignore_unknown_options": True})(search)


def search(
    context: typer.Context,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            help='field:value, -field:value, field>n, field<n, words, "quoted words"; all must hold.'
        ),
    ] = None,
    *,
    since: Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
    limit: Annotated[int, typer.Option(help="Events at most.")] = 50,
    opens: OpenOption = False,
) -> None:
    """Find recorded events, newest first.

    Fields are the columns of table events, and short names: model, provider, tenant, type, agent, user, cost,
    outcome, trace, conversation, id. Words without a field are looked for in the event's texts.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.context import Output
    from auditstream.cli.permalinks import open_events
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.query import events, grammar, periods

    terms = grammar.parse(" ".join(query or ()))
    period = periods.period(datetime.now(UTC), since=since, start=start, end=end)
    wanted = events.Search(terms, period, tenant, limit)
    deployment = running.find(context.obj)
    if opens:
        open_events(context.obj, deployment, " ".join(query or ()), period, tenant or "")
        return
    asked = Reading("search", " ".join(query or ()), (events.FOUND_IN,), tenant or "")
    with told_reader(deployment, asked) as reader:
        found = events.search(reader, wanted)
    if form_of(context.obj) is Output.TABLE:
        found = found.select(_ON_A_TERMINAL)
    print_rows(context.obj, found.columns, found.rows)
    if len(found.rows) == limit and not context.obj.quiet:
        sys.stderr.write(f"{limit} events, the newest; there may be more: --limit, or a narrower search\n")


_ON_A_TERMINAL = (
    "event_time", "event_id", "tenant_id", "event_type", "actor_id", "agent_id", "model", "outcome",
    "cost_effective", "cost_currency",
)  # fmt: skip
