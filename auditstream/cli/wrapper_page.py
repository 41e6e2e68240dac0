"""The wrapper report as one HTML page: no script, nothing from outside, pictures as SVG in the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING

from auditstream.cli.html_page import html_page
from auditstream.costing.exact import percent, rounded

if TYPE_CHECKING:
    from auditstream.costing.wrapper import Part, Statement
    from auditstream.query.wrapper_months import MonthOfCosts

_HUES = (215, 30, 150, 280, 350, 60, 185, 110, 320, 245)
_SHOWN = Decimal("0.000001")


def page_of(months: Sequence[MonthOfCosts]) -> str:
    """Return the page."""
    body = "".join(piece for month in months for piece in _month(month))
    return html_page(
        "The wrapper",
        "Inference and everything around it",
        body or "<p>Nothing that costs was recorded in the period.</p>",
    )


def _month(month: MonthOfCosts) -> Iterator[str]:
    for statement in month.statements:
        yield f"<h2>{escape(statement.tenant)}, {escape(month.month)}</h2>\n"
        if statement.multiple is not None:
            yield f'<p class="multiple">Everything else is {statement.multiple} times inference.</p>\n'
        if count := month.unpriced.get(statement.tenant):
            yield f"<p>{count} calls have no price: inference lacks them.</p>\n"
        yield _picture(statement)
        yield _table(statement)
    if month.residuals:
        yield f"<h2>Not spread, {escape(month.month)}</h2>\n<table><thead><tr>"
        yield "<th>Part</th><th>Booked to</th><th>Amount</th><th>Why</th></tr></thead><tbody>"
        for left in month.residuals:
            amount = f"{_shown(left.charge.amount)} {left.charge.currency}"
            cells = (left.part, left.charge.tenant, amount, left.reason)
            yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        yield "</tbody></table>\n"


def _picture(statement: Statement) -> str:
    """Return one bar of all parts; credits have no width."""
    parts = [part for part in (statement.inference, *statement.parts) if part.amount > 0]
    whole = sum((part.amount for part in parts), Decimal(0))
    pieces, left = [], Decimal(0)
    for number, part in enumerate(parts):
        width = percent(part.amount, whole) or Decimal(0)
        text = f"{part.name}: {_shown(part.amount)} {statement.currency}"
        pieces.append(
            f'<rect x="{left}" y="0" width="{width}" height="10" fill="hsl({_HUES[number % len(_HUES)]} 60% '
            f'{45 + 12 * (number // len(_HUES) % 3)}%)"><title>{escape(text)}</title></rect>'
        )
        left += width
    label = f"Shares of {statement.tenant}'s costs"
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f"{''.join(pieces)}</svg>\n"
    )


def _table(statement: Statement) -> str:
    rows = "".join(_row(part, statement) for part in (statement.inference, *statement.parts))
    sums = "".join(
        f"<tr><td>{name}</td><td></td><td></td><td>{_shown(amount)}</td><td></td></tr>"
        for name, amount in (("everything else", statement.wrapper), ("total", statement.amount))
    )
    return (
        f"<table><thead><tr><th>Part</th><th>Own</th><th>Allocated</th><th>{escape(statement.currency)}</th>"
        f"<th>Share</th></tr></thead><tbody>{rows}</tbody><tfoot>{sums}</tfoot></table>\n"
    )


def _row(part: Part, statement: Statement) -> str:
    share = percent(part.amount, statement.amount)
    cells = (
        escape(part.name),
        _shown(part.own),
        _shown(part.allocated),
        _shown(part.amount),
        "" if share is None else f"{share} %",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _shown(amount: Decimal) -> str:
    return f"{rounded(amount, _SHOWN):f}"
