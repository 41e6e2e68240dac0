"""`auditstream report showback`: the monthly statement of a team."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import (
    CurrencyOption,
    KnownOnOption,
    TenantOption,
    currency_of,
    known_on_of,
    known_rates,
    report_reader,
    unpriced_note,
)

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.costing.showback import Showback
    from auditstream.costing.spent import Booked
    from auditstream.query.quoted import Quoted

_FIGURES = (
    "events", "unpriced_events", "input_tokens", "output_tokens", "cost_list", "cost_contracted",
    "cost_effective", "cost_billed", "share_pct", "cost_effective_before", "change", "change_pct",
)  # fmt: skip
_LIMIT = 20
"""Lines of a split; the rest is one line."""


def showback(
    context: typer.Context,
    *,
    team: Annotated[str, typer.Option(help="Team, as team_id.")],
    month: Annotated[str, typer.Option(help="Month, as 2026-11.")],
    tenant: TenantOption = None,
    known_on: KnownOnOption = None,
    currency: CurrencyOption = None,
) -> None:
    """Show a team what it spent in a month: in all, and by project, feature, cost centre, environment, model.

    Each split adds up to the same, and is compared with the month before. Costs beside tokens are in it as
    far as they are booked to the team; shared ones are in `report wrapper`. --output markdown or html is a
    statement to send.
    """
    from auditstream.cli import running
    from auditstream.costing.showback import SPLITS, showbacks_of
    from auditstream.query.conversion import quoted
    from auditstream.query.cost_dimensions import dimensions_of
    from auditstream.query.cost_rows import Asked, cost_rows
    from auditstream.query.named_periods import month_span
    from auditstream.reference.fact import UNATTRIBUTED

    code = None if currency is None else currency_of(currency)
    span = month_span(month)
    before = month_span(f"{span.start - timedelta(days=1):%Y-%m}")
    by = dimensions_of(f"team,{','.join(SPLITS)}")
    asked = Asked(by, span, tenant, known_on=known_on_of(known_on))
    deployment = running.find(context.obj)
    query = f"team {team}, month {month}, known on {known_on or 'now'}, in {code or 'each currency'}"
    notes: list[str] = []
    with report_reader(deployment, "showback", query, asked.tables, tenant) as reader:
        currencies: list[Quoted | None] = [None, None]
        if code is not None or tenant is not None:
            rates = known_rates(deployment.settings.clickhouse)
            quote = code or rates.currency_of(tenant or "", span.end.date())
            days = replace(asked, by=dimensions_of("team"), daily=True)
            for place, each in enumerate((span, before)):
                currencies[place], told = quoted(reader, replace(days, span=each), rates, quote, (team,))
                notes += told
        sides = [
            _of_team(cost_rows(reader, replace(asked, span=each), currency), team)
            for each, currency in zip((span, before), currencies, strict=True)
        ]
    found = showbacks_of(*sides, nobody=UNATTRIBUTED, limit=_LIMIT)
    _print(context.obj, found, team, month)
    remarks(context.obj, [*notes, *_missing(found, team)])


def _of_team(rows: Sequence[Booked], team: str) -> list[Booked]:
    return [replace(row, key=row.key[1:]) for row in rows if row.key[0] == team]


def _print(context: Context, found: Sequence[Showback], team: str, month: str) -> None:
    from auditstream.cli import showback_page
    from auditstream.cli.context import Output
    from auditstream.cli.printing import print_rows

    match context.output:
        case Output.MARKDOWN:
            sys.stdout.write(showback_page.markdown_of(found, team, month))
        case Output.HTML:
            sys.stdout.write(showback_page.html_of(found, team, month))
        case _:
            columns = ("team_id", "month", "currency", "split", "key", *_FIGURES)
            rows = (row for each in found for row in _rows(each, team, month))
            print_rows(context, columns, ([row[name] for name in columns] for row in rows))


def _rows(statement: Showback, team: str, month: str) -> Iterator[dict[str, Any]]:
    from auditstream.costing.breakdown_rows import figures_of

    common = {"team_id": team, "month": month, "currency": statement.currency or None}
    yield {**common, "split": "total", "key": "", **figures_of(statement.whole.total)}
    for name, block in statement.splits.items():
        for line in block.lines:
            yield {**common, "split": name, "key": line.key[0], **figures_of(line)}
        if block.rest is not None:
            yield {**common, "split": name, "key": "(rest)", **figures_of(block.rest)}


def _missing(found: Sequence[Showback], team: str) -> Iterator[str]:
    if not found:
        yield f"nothing is booked to team {team} in the month, nor in the one before"
    for statement in found:
        yield from unpriced_note(statement.whole.unpriced.spent)
