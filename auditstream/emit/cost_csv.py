"""Format `cost-csv`: costs beside tokens, a charge a row; which columns there are is in `COLUMNS`.

Times are ISO 8601, UTC where they name no zone; amounts are decimals in the row's currency. An empty cell is
as good as no column. A row is an event `ai.cost.operational` at the start of its period.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from auditstream.core.errors import RequestError
from auditstream.costing.categories import category_word
from auditstream.emit.csv_line import cells_of
from auditstream.emit.operational_cost import OperationalCost, event_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.source import Line, Source

FORMAT = "cost-csv"

COLUMNS: Mapping[str, str] = {
    "period_start": "Start of the charged period; needed",
    "period_end": "End of the charged period, exclusive; needed",
    "category": "What part of the work around inference it is, as observability or review; needed",
    "amount": "What it cost; needed unless effective is given",
    "currency": "ISO 4217 code of the amounts; needed",
    "effective": "Cost after amortising commitments; the amount when empty",
    "list": "Cost at list price; the effective cost when empty",
    "contracted": "Cost at contracted price; the effective cost when empty",
    "billed": "Cost on the invoice, 0 where it is prepaid; the effective cost when empty",
    "service": "Name of the service, which allocation rules go by",
    "meter": "What was counted; the category when empty",
    "quantity": "How much was counted; 1 when empty",
    "unit": "Unit of the quantity; charge when empty",
    "unit_price": "List price of one unit",
    "resource_id": "What was charged for",
    "description": "Text for people",
    "tenant_id": "Tenant that it belongs to; empty for a cost that is shared",
    "project_id": "Project within the tenant",
    "team_id": "Team within the tenant",
    "feature_id": "Product feature",
    "cost_center": "Cost centre that pays",
    "environment": "Deployment environment",
}
"""Every column and its meaning."""

_NEEDED = ("period_start", "period_end", "category", "currency")
_OWNER = ("tenant_id", "project_id", "team_id", "feature_id", "cost_center", "environment")
_AMOUNTS = ("list", "contracted", "effective", "billed")


def read_cost_csv(source: Source, options: Options) -> Iterator[Reading]:
    """Yield one reading a row.

    Raises:
        RequestError: The first line does not name the columns that are needed, or one that is unknown.
    """
    lines = source.lines()
    columns = _columns(source, next(lines, None))
    for line in lines:
        try:
            cost = _cost(line, columns, options)
        except BadLineError as bad:
            yield Refused(line.number, bad.field, bad.reason)
            continue
        yield judged(line.number, event_of(cost, FORMAT, source.file_hash))


def _columns(source: Source, header: Line | None) -> list[str]:
    if header is None:
        raise RequestError(f"{source.name}: is empty")
    where = f"{source.name}: line {header.number}"
    try:
        names = [name.strip().lower() for name in cells_of(header)]
    except BadLineError as bad:
        raise RequestError(f"{where}: {bad}") from bad
    unknown = next((name for name in names if name not in COLUMNS), None)
    if unknown is not None:
        raise RequestError(
            f"{where}: column {unknown!r:.60} is unknown", hint=f"Known are {', '.join(COLUMNS)}."
        )
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f"{where}: column {twice} is there twice")
    missing = [name for name in _NEEDED if name not in names]
    if not {"amount", "effective"} & {*names}:
        missing.append("amount")
    if missing:
        raise RequestError(f"{where}: no column {missing[0]}")
    return names


def _cost(line: Line, columns: list[str], options: Options) -> OperationalCost:
    cells = cells_of(line)
    if len(cells) != len(columns):
        raise BadLineError("line", f"has {len(cells)} columns, not {len(columns)}")
    row = {name: cell.strip() for name, cell in zip(columns, cells, strict=True) if cell.strip()}
    missing = next((name for name in _NEEDED if name not in row), None)
    if missing is not None:
        raise BadLineError(missing, "is empty")
    start, end = _time(row, "period_start"), _time(row, "period_end")
    if start >= end:
        raise BadLineError("period_end", "is not after period_start")
    owner = {name: row[name] for name in _OWNER if name in row}
    if options.tenant:
        owner.setdefault("tenant_id", options.tenant)
    category = category_word(row["category"])
    return OperationalCost(
        line=line.number,
        start=start,
        end=end,
        category=category,
        service=row.get("service", ""),
        amounts=_amounts(row),
        currency=row["currency"],
        meter=row.get("meter", category),
        quantity=_number(row, "quantity") if "quantity" in row else Decimal(1),
        unit=row.get("unit", "charge"),
        unit_price=_number(row, "unit_price") if "unit_price" in row else None,
        resource_id=row.get("resource_id"),
        owner=owner,
        attributes={"description": row.get("description", "")},
    )


def _amounts(row: Mapping[str, str]) -> dict[str, Decimal]:
    named = next((name for name in ("effective", "amount") if name in row), None)
    if named is None:
        raise BadLineError("amount", "is empty")
    effective = _number(row, named)
    given = {name: _number(row, name) for name in _AMOUNTS if name in row}
    return dict.fromkeys(_AMOUNTS, effective) | given


def _number(row: Mapping[str, str], name: str) -> Decimal:
    try:
        number = Decimal(row[name])
    except InvalidOperation:
        raise BadLineError(name, f"{row[name]!r:.40} is not a decimal number") from None
    if not number.is_finite():
        raise BadLineError(name, f"{row[name]!r:.40} is not a finite number")
    return number


def _time(row: Mapping[str, str], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(row[name])
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadLineError(name, f"{row[name]!r:.40} is not an ISO 8601 time") from None
