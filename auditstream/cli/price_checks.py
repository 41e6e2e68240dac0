"""`auditstream prices check`: what is wrong with the price book."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Context
from auditstream.cli.remarks import remark
from auditstream.core.errors import PartialResultError, RequestError

if TYPE_CHECKING:
    from auditstream.cli.price_books import BookInUse

_CHECKED = ("check", "provider", "model", "meter", "tier", "ours", "theirs", "difference_pct", "detail")

_ONE_PERCENT = "1"


def check(
    context: typer.Context,
    *,
    litellm: Annotated[
        Path | None, typer.Option(help="LiteLLM's model_prices_and_context_window.json, to compare with.")
    ] = None,
    tolerance: Annotated[
        str, typer.Option(help="Largest difference that is none, in percent.")
    ] = _ONE_PERCENT,
    since: Annotated[str, typer.Option(help="How far back to look at recorded events: 7d, 12h.")] = "7d",
    catalogue: Annotated[
        bool, typer.Option("--catalogue", help="Check the installed catalogue, without any deployment.")
    ] = False,
) -> int:
    """Check the price book: against LiteLLM's list, in itself, and against what was recorded lately.

    Prints a row for each finding and exits with 7 when there are some: prices that differ by more than the
    tolerance, overlaps, gaps, unknown meters, units and currencies, models that were used without a price,
    and costs that providers report otherwise. Differences are never averaged away.
    """
    from auditstream.cli.price_books import book_in_use
    from auditstream.cli.printing import print_rows

    limit = _percentage(tolerance)
    in_use = book_in_use(context.obj, catalogue=catalogue)
    findings = [*_faults(in_use)]
    if litellm is not None:
        findings += _differences(context.obj, in_use, litellm, limit)
    if in_use.snapshot is not None:
        findings += _recorded(context.obj, since, limit)
    print_rows(context.obj, _CHECKED, [[row.get(name, "") for name in _CHECKED] for row in findings])
    remark(context.obj, f"{in_use.book.revision}: {len(findings)} findings")
    return PartialResultError.exit_code if findings else 0


def _faults(in_use: BookInUse) -> Iterator[dict[str, Any]]:
    from auditstream.pricing.book_checks import book_faults, table_faults
    from auditstream.pricing.catalogue import bundled_catalogue

    faults = [*book_faults(in_use.book.rows(), bundled_catalogue())]
    if in_use.snapshot is not None:
        held = in_use.snapshot.intervals("price").filter("active")
        faults += table_faults(held.iter_rows(named=True))
    for fault in faults:
        yield {
            "check": fault.check,
            "provider": fault.provider,
            "model": fault.model,
            "meter": fault.meter,
            "detail": fault.detail,
        }


def _differences(context: Context, in_use: BookInUse, file: Path, limit: Decimal) -> Iterator[dict[str, Any]]:
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.pricing.litellm_prices import cross_check, read_prices
    from auditstream.pricing.quotes import decimal_text

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"--litellm: {file} cannot be read: {error}", field="litellm") from error
    found = cross_check(
        read_prices(text), in_use.book, bundled_catalogue(), at=datetime.now(UTC), tolerance_pct=limit
    )
    for each in found.disagreements:
        length = f"from {each.context_from} input tokens on" if each.context_from else ""
        yield {
            "check": "litellm",
            "provider": each.provider,
            "model": each.model,
            "meter": each.meter,
            "tier": each.tier,
            "ours": decimal_text(each.ours),
            "theirs": decimal_text(each.theirs),
            "difference_pct": each.difference_pct,
            "detail": length,
        }
    remark(
        context,
        f"LiteLLM: {found.compared} prices of {found.models} models compared, {len(found.disagreements)} "
        f"differ by more than {limit} %; {found.unknown} models are not in the book",
    )


def _recorded(context: Context, since: str, limit: Decimal) -> Iterator[dict[str, Any]]:
    """Yield models that were used without a price lately, and reported costs that differ."""
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.pricing.quotes import decimal_text
    from auditstream.query import periods, price_findings

    period = periods.period(datetime.now(UTC), since=since, start=None, end=None)
    reading = Reading("prices check", since, (price_findings.READ_FROM,))
    with told_reader(running.find(context), reading) as reader:
        lacking = price_findings.unpriced(reader, period).records()
        differing = price_findings.reported_differences(reader, period).records()
    for row in lacking:
        detail = f"{row['reason']}: {row['events']} events since {row['first_at']:%Y-%m-%dT%H:%M:%SZ}"
        yield {"check": "unpriced", **row, "detail": detail}
    for row in differing:
        if row["difference_pct"] is None or abs(row["difference_pct"]) > limit:
            yield {
                "check": "reported",
                "provider": row["provider"],
                "model": row["model"],
                "ours": decimal_text(row["computed"]),
                "theirs": decimal_text(row["reported"]),
                "difference_pct": row["difference_pct"],
                "detail": f"{row['events']} events, {row['difference']} {row['currency']} more reported",
            }


def _percentage(text: str) -> Decimal:
    try:
        limit = Decimal(text)
    except ArithmeticError as error:
        raise RequestError(f"--tolerance: {text!r} is not a number") from error
    if not (limit.is_finite() and limit >= 0):
        raise RequestError(f"--tolerance: {text!r} is not 0 or more")
    return limit
