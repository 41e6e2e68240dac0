"""`auditstream budgets`: how every budget stands now."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Output

if TYPE_CHECKING:
    from auditstream.notify.budget_standing import Standing

_COLUMNS = (
    "budget_id", "scope", "period", "ends_at", "amount", "spent", "forecast", "currency", "spent_pct",
    "state", "left_out", "unpriced_events",
)  # fmt: skip
_BAR = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(budgets)


def budgets(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option(help="Only budgets of this tenant.")] = "",
) -> None:
    """Show what is spent and forecast of every budget in its period now, and what gateways are asked to do.

    Spent is the effective cost, net of adjustments. What it lacks stands beside it: amounts in a currency
    without a rate, events without a price.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import form_of, print_rows
    from auditstream.emit.budget_watch import budgets_at, standing_now
    from auditstream.reference.known_rates import KnownRates
    from sinks.budget_spend import BudgetSpend
    from sinks.clients import ClientPool, http_client
    from sinks.reference import ReferenceStore

    settings = running.find(context.obj).settings
    now = datetime.now(UTC)
    with closing(ClientPool(lambda: http_client(settings.clickhouse))) as clients:
        store = ReferenceStore(clients)
        snapshot = store.load(store.newest(), kinds=("budget", "rate"))
        spend, rates = BudgetSpend(clients), KnownRates(snapshot)
        found = [
            standing_now(each, spend, rates, now)
            for each in budgets_at(snapshot, now)
            if tenant in {"", each.tenant_id}
        ]
    drawn = form_of(context.obj) is Output.TABLE
    columns = (*_COLUMNS, "used") if drawn else _COLUMNS
    rows = ((*_row(each), _bar(each.spent_pct)) if drawn else _row(each) for each in found)
    print_rows(context.obj, columns, rows)


def _row(standing: Standing) -> tuple[Any, ...]:
    from auditstream.notify.budget_news import scope_of

    budget = standing.budget
    return (
        budget.budget_id,
        scope_of(budget).partition("/")[2] or "everything",
        budget.period,
        standing.period.end,
        budget.amount,
        standing.spent,
        standing.forecast,
        budget.currency,
        standing.spent_pct.quantize(Decimal("0.1")),
        str(standing.state),
        standing.left_out,
        standing.unpriced_events,
    )


def _bar(percent: Decimal) -> str:
    """Return a bar that is full at the whole amount, with a mark when that is passed."""
    full = min(_BAR, int(percent * _BAR / 100))
    return "█" * full + "░" * (_BAR - full) + ("!" if percent > 100 else "")
