"""The lines of the wrapper report: what a month came to, as rows, and as rows for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditstream.costing.wrapper import Part, Statement
    from auditstream.query.wrapper_months import MonthOfCosts

_BAR = 40
"""Width of the longest bar, in characters: all of a tenant's month."""

_SHOWN = Decimal("0.000001")


def rows_of(month: MonthOfCosts) -> Iterator[dict[str, Any]]:
    """Yield the lines of a month: of each statement its parts and sums, then what nobody pays."""
    for statement in month.statements:
        common = {"month": month.month, "tenant_id": statement.tenant, "currency": statement.currency}
        yield common | _part_row("inference", statement.inference, statement)
        for part in statement.parts:
            yield common | _part_row("part", part, statement)
        sums = {"wrapper": statement.wrapper, "total": statement.amount}
        for name, amount in sums.items():
            yield common | {
                "line": name,
                "part": name,
                "amount": amount,
                "share_pct": _share(amount, statement),
                "multiple": statement.multiple if name == "wrapper" else None,
            }
    for left in month.residuals:
        charge = left.charge
        yield {
            "month": month.month,
            "tenant_id": charge.tenant,
            "currency": charge.currency,
            "line": "residual",
            "part": left.part,
            "amount": charge.amount,
            "reason": " ".join(
                filter(None, (charge.service, left.rule and f"rule {left.rule}:", left.reason))
            ),
        }


def _part_row(line: str, part: Part, statement: Statement) -> dict[str, Any]:
    return {
        "line": line,
        "part": part.name,
        "own": part.own,
        "allocated": part.allocated,
        "amount": part.amount,
        "share_pct": _share(part.amount, statement),
    }


def _share(amount: Decimal, statement: Statement) -> Decimal | None:
    from auditstream.costing.exact import percent

    return percent(amount, statement.amount)


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line for a terminal: a bar, six decimals, and the multiple in words."""
    from auditstream.costing.exact import rounded

    line = dict(row)
    for name in ("own", "allocated", "amount"):
        if row.get(name) is not None:
            line[name] = rounded(row[name], _SHOWN)
    if row["line"] in {"inference", "part"} and row["share_pct"] is not None:
        line["picture"] = "█" * round(max(row["share_pct"], Decimal(0)) * _BAR / 100)
    if row["line"] == "wrapper":
        line["part"] = "everything else"
        line["picture"] = "" if row["multiple"] is None else f"{row['multiple']} times inference"
    if row["line"] == "residual":
        line["part"] = f"not spread: {row['part']}"
    return line
