"""`auditstream trace`: the events of one trace as a tree, with times, tokens and money."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.permalinks import OpenOption

if TYPE_CHECKING:
    from datetime import timedelta

    from auditstream.cli.context import Context
    from auditstream.query.traces import Step, Trace


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trace)


def trace(
    context: typer.Context,
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="Trace id, as `search` shows it.")],
    *,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's events.")] = None,
    opens: OpenOption = False,
) -> None:
    """Show a trace: which call led to which, when each began and how long it took, and what it cost.

    A policy check, a review and an evaluation hang from the event that they speak about. As JSON and CSV it
    is a row an event, in the order of the tree, with its depth.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.context import Output
    from auditstream.cli.permalinks import open_run
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.query import events, traces

    deployment = running.find(context.obj)
    if opens:
        open_run(context.obj, deployment, trace_id)
        return
    with told_reader(deployment, Reading("trace", trace_id, (events.FOUND_IN,), tenant or "")) as reader:
        found = traces.trace(reader, trace_id, tenant=tenant)
    if form_of(context.obj) is Output.TABLE:
        _print_tree(context.obj, found)
    else:
        names = ("depth", *next(found.walk())[1].event)
        print_rows(context.obj, names, [(depth, *step.event.values()) for depth, step in found.walk()])
    if not found.is_whole and not context.obj.quiet:
        sys.stderr.write(f"the first {found.events:,} events; the trace has more\n")


def _print_tree(context: Context, found: Trace) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("event", "at", "took", "in", "out", "cost", "outcome"):
        table.add_column(
            heading, justify="left" if heading in {"event", "outcome"} else "right", no_wrap=True
        )
    start, guides = found.start, _guides(found)
    for (_, step), guide in zip(found.walk(), guides, strict=True):
        event = step.event
        table.add_row(
            Text(guide + _name(step)),
            f"+{_seconds(step.start - start)}",
            _seconds(step.end - step.start) if event["duration_us"] else "",
            _count(event["input_tokens"]),
            _count(event["output_tokens"]),
            _cost(step),
            Text(_outcome(step), style="" if event["outcome"] in {"SUCCESS", ""} else "red"),
        )
    console = Console(no_color=not context.color, highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    costs = (
        ", ".join(f"{amount:f} {currency}" for currency, amount in sorted(found.costs.items())) or "nothing"
    )
    unpriced = f", {found.unpriced} without a price" if found.unpriced else ""
    console.print(
        f"{found.events:,} events in {_seconds(found.end - found.start)}; "
        f"{found.tokens('input_tokens'):,} tokens in, {found.tokens('output_tokens'):,} out; "
        f"cost {costs}{unpriced}"
    )


def _guides(found: Trace) -> list[str]:
    """Return the lines that lead to each step, in the order of the walk."""
    guides: list[str] = []
    pending: list[tuple[Step, str, str]] = [(root, "", "") for root in reversed(found.roots)]
    while pending:
        step, own, below = pending.pop()
        guides.append(own)
        last = len(step.children) - 1
        drawn = [
            (child, below + ("└─ " if at == last else "├─ "), below + ("   " if at == last else "│  "))
            for at, child in enumerate(step.children)
        ]
        pending.extend(reversed(drawn))
    return guides


def _name(step: Step) -> str:
    from auditstream.core.values import as_cell

    event = step.event
    what = event["tool_name"] or event["model"] or event["agent_id"] or event["source"]
    return as_cell(f"{event['event_type'].removeprefix('ai.')} {what}".rstrip())


def _outcome(step: Step) -> str:
    from auditstream.core.values import as_cell

    event = step.event
    said = (event["outcome"].lower(), event["error_type"], event["policy_verdict"].lower())
    return as_cell(" ".join(word for word in said if word))


def _cost(step: Step) -> str:
    event = step.event
    if event["cost_status"] == "unpriced":
        return "unpriced"
    return (
        f"{event['cost_effective']:f} {event['cost_currency']}" if event["cost_effective"] is not None else ""
    )


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():.3f} s"
