"""`auditstream report cost`: what was spent, by whom and on what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import (
    CurrencyOption,
    KnownOnOption,
    PeriodOption,
    TenantOption,
    currency_of,
    known_on_of,
    known_rates,
    report_reader,
    span_of,
    unpriced_note,
)

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.cli.running import Deployment
    from auditstream.costing.breakdown import Block
    from auditstream.costing.spent import Booked
    from auditstream.query.cost_rows import Asked
    from auditstream.query.reader import Reader

_ON_A_TERMINAL = (
    "currency", "events", "unpriced_events", "input_tokens", "output_tokens", "cost_list", "cost_effective",
    "share_pct", "change_pct",
)  # fmt: skip


def cost(
    context: typer.Context,
    *,
    by: Annotated[
        str,
        typer.Option(
            help="Dimensions, with commas: tenant, project, team, feature, cost_center, environment, model, "
            "provider, credential, agent, type, tool, prompt_version, variant, conversation, run."
        ),
    ] = "tenant",
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    known_on: KnownOnOption = None,
    currency: CurrencyOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Lines of a block at most; the rest is one line.")] = 50,
) -> None:
    """Show use and cost by dimensions, with each one's share and its trend.

    The trend is against the period of the same length before. Amounts of different currencies are never
    added: there is a block a currency, or all is converted, with --currency, or to the tenant's own with
    --tenant. A block ends with its total, and with what of it nobody owns and what has no price.
    """
    from auditstream.cli import running
    from auditstream.costing.breakdown import blocks_of
    from auditstream.query.cost_dimensions import columns_of, dimensions_of
    from auditstream.query.cost_rows import Asked
    from auditstream.reference.fact import UNATTRIBUTED

    code = None if currency is None else currency_of(currency)
    asked = Asked(
        by=dimensions_of(by),
        span=span_of(period),
        tenant=tenant,
        known_on=known_on_of(known_on),
    )
    deployment = running.find(context.obj)
    query = f"by {by}, period {period}, known on {known_on or 'now'}, in {code or 'each currency'}"
    tables = dict.fromkeys((*asked.tables, *_days(asked).tables)) if code or tenant else asked.tables
    with report_reader(deployment, "cost", query, tuple(tables), tenant) as reader:
        now, before, notes = _spent(deployment, reader, asked, code)
    columns = columns_of(asked.by)
    blocks = blocks_of(now, before, nobody=UNATTRIBUTED, limit=limit, width=len(columns))
    _print(context.obj, columns, blocks)
    remarks(context.obj, [*notes, *_missing(blocks)])


def _spent(
    deployment: Deployment, reader: Reader, asked: Asked, code: str | None
) -> tuple[list[Booked], list[Booked], list[str]]:
    """Return what was booked in the period and in the one before, and what is to be said of it."""
    from auditstream.query.conversion import quoted
    from auditstream.query.cost_rows import cost_rows

    spans = (asked.span, asked.span.before)
    if code is None and asked.tenant is None:
        now, before = (cost_rows(reader, replace(asked, span=span)) for span in spans)
        return now, before, []
    rates = known_rates(deployment.settings.clickhouse)
    quote = code or rates.currency_of(asked.tenant or "", asked.span.end.date())
    sides, notes = [], list[str]()
    for span, prefix in zip(spans, ("", "in the period before, "), strict=True):
        currency, told = quoted(reader, replace(_days(asked), span=span), rates, quote)
        sides.append(cost_rows(reader, replace(asked, span=span), currency))
        notes += [f"{prefix}{note}" for note in told]
    now, before = sides
    return now, before, notes


def _days(asked: Asked) -> Asked:
    """Return how to ask what was spent by day."""
    return replace(asked, by=(), daily=True)


def _print(context: Context, columns: Sequence[str], blocks: Sequence[Block]) -> None:
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.costing.breakdown_rows import FIGURES, rows_of

    figures = _ON_A_TERMINAL if form_of(context) is Output.TABLE else FIGURES
    print_rows(
        context,
        ("line", *columns, *figures),
        ([row[name] for name in ("line", *columns, *figures)] for row in rows_of(columns, blocks)),
    )


def _missing(blocks: Sequence[Block]) -> Iterator[str]:
    """Say what the amounts lack."""
    if not blocks:
        yield "nothing was recorded in the period, nor in the one before"
    for block in blocks:
        nobodys = block.unattributed.spent
        yield from unpriced_note(block.unpriced.spent)
        if nobodys.events:
            amount = f", {nobodys.cost_effective.normalize():f} {block.currency}" if block.currency else ""
            yield f"unattributed: {nobodys.events} events{amount} belong to no tenant that is known"
