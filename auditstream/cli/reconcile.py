"""`auditstream reconcile`: a provider's bill against what the record says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption

if TYPE_CHECKING:
    from auditstream.billing.bill import Bill
    from auditstream.billing.residuals import Limit, Residual
    from auditstream.core.settings import Settings
    from auditstream.query.named_periods import Span

ABOVE = 7
"""Exit code when a residual is above the threshold."""

_ANSWER_WITHIN_S = 600.0
_COLUMNS = (
    "provider", "model", "day", "currency", "billed", "recorded", "residual", "percent", "above", "note",
)  # fmt: skip


class BillFormat(StrEnum):
    """Form of the bill."""

    FOCUS = "focus"
    OPENAI_COSTS = "openai-costs"
    ANTHROPIC_COSTS = "anthropic-costs"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reconcile)


def reconcile(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(help="Files of one bill, as pages of a cost API.")],
    *,
    form: Annotated[BillFormat, typer.Option("--format", help="Form of the files.")],
    period: PeriodOption,
    threshold: Annotated[
        str, typer.Option(help="Residual that may be, in per cent of what is billed.")
    ] = "1%",
    least: Annotated[str, typer.Option(help="Residual that never counts, in the bill's currency.")] = "0.01",
    tenant: Annotated[str, typer.Option(help="Only this tenant's costs.")] = "",
    metrics_file: Annotated[
        Path | None, typer.Option(help="Write metrics for node_exporter's textfile collector.")
    ] = None,
) -> None:
    """Compare a provider's bill with the record, by provider, model, day and currency.

    Models are compared under one name: lower case, without path, version and date of a snapshot. What is on
    one side only is listed. Above the threshold there is a finding for each provider and day, and the command
    ends with 7. Nothing of the bill is stored but the finding, and the event that the record was read.
    """
    from auditstream.billing.residuals import residuals
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import print_rows
    from auditstream.query.named_periods import named_span
    from auditstream.query.recorded_costs import READ_FROM, recorded_costs

    limit = _limit(threshold, least)
    span = named_span(period, datetime.now(UTC))
    days = _days(span)
    bill, hashes = _read(form, files)
    deployment = running.find(context.obj)
    asked = Reading("reconcile", f"{form} {period}", READ_FROM, tenant)
    with told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader:
        found = residuals(bill, recorded_costs(reader, span, tenant), days)
    above = [each for each in found if each.is_above(limit)]
    if metrics_file is not None:
        _write_metrics(metrics_file, found, limit)
    print_rows(context.obj, _COLUMNS, [_row(each, limit) for each in found])
    remarks(context.obj, _remarks(bill, days, found, above))
    if above:
        _publish(deployment.settings, above, hashes, tenant)
        raise typer.Exit(ABOVE)


def _row(each: Residual, limit: Limit) -> tuple[object, ...]:
    figures = (each.billed, each.recorded, each.residual, each.percent)
    return (each.provider, each.model, each.day, each.currency, *figures, each.is_above(limit), each.note)


def _limit(threshold: str, least: str) -> Limit:
    from auditstream.billing.residuals import Limit

    ratio = _number("--threshold", threshold.strip().removesuffix("%")) / 100
    return Limit(ratio, _number("--least", least))


def _number(option: str, text: str) -> Decimal:
    from auditstream.core.errors import RequestError

    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal(-1)
    if not found.is_finite() or not 0 <= found < 10**12:
        raise RequestError(
            f"{option}: {text!r} is not a number from 0", hint="As --threshold 1% --least 0.01."
        )
    return found


def _days(span: Span) -> list[date]:
    from auditstream.core.errors import RequestError

    if any(each.hour or each.minute or each.second or each.microsecond for each in (span.start, span.end)):
        raise RequestError("--period is not of whole days", hint="Bills are by the day (UTC): 2026-11-03.")
    first = span.start.date()
    return [first + timedelta(days=number) for number in range((span.end - span.start).days)]


def _read(form: BillFormat, files: Sequence[str]) -> tuple[Bill, list[str]]:
    """Return the bill, and the hashes of its files."""
    from auditstream.billing.anthropic_costs import read_anthropic_costs
    from auditstream.billing.bill import Bill
    from auditstream.billing.focus_bill import read_focus_bill
    from auditstream.billing.openai_costs import read_openai_costs
    from auditstream.emit.source import opened
    from auditstream.focus.reading import read_focus

    hashes, pages, bill = [], [], Bill()
    for file in files:
        with opened(file) as source:
            hashes.append(source.file_hash.hex())
            if form is BillFormat.FOCUS:
                read_focus_bill(read_focus(source.content(), source.name), source.name, bill)
            else:
                pages.append((source.name, source.content().read()))
    if form is BillFormat.FOCUS:
        return bill, hashes
    return (read_openai_costs if form is BillFormat.OPENAI_COSTS else read_anthropic_costs)(pages), hashes


def _remarks(
    bill: Bill, days: Sequence[date], found: Sequence[Residual], above: Sequence[Residual]
) -> Iterator[str]:
    """Say what was not compared, and how it ended."""
    outside = sum(line.day not in set(days) for line in bill.lines)
    if outside:
        yield f"{outside} lines of the bill are of days outside the period"
    for provider, known in sorted(bill.days.items()):
        missing = len(set(days) - known)
        if missing:
            yield f"{provider}: {missing} days of the period are not on the bill, and not compared"
    for (reason, currency), amount in sorted(bill.passed_over.items()):
        lines = bill.passed_lines[reason, currency]
        yield f"not compared: {reason}: {lines} lines, {amount:f} {currency}"
    yield f"{len(above)} of {len(found)} comparisons are above the threshold"


def _publish(settings: Settings, above: Sequence[Residual], hashes: Sequence[str], tenant: str) -> None:
    from auditstream.emit.bill_findings import bill_findings
    from auditstream.emit.findings import publish_findings
    from sinks.clients import ClientPool, http_client

    clients = ClientPool(lambda: http_client(settings.clickhouse))
    try:
        publish_findings(settings, clients, bill_findings(above, hashes, tenant))
    finally:
        clients.close()


def _write_metrics(path: Path, found: Sequence[Residual], limit: Limit) -> None:
    """Write sums by provider and currency; in place of an older file, at once."""
    from prometheus_client import CollectorRegistry, write_to_textfile

    from auditstream.core.errors import RequestError
    from auditstream.core.metrics import GaugeName, Metrics

    names: tuple[GaugeName, ...] = (
        "auditstream_bill_billed", "auditstream_bill_residual", "auditstream_bill_above_threshold",
    )  # fmt: skip
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for each in found:
        own = sums.setdefault((each.provider, each.currency), [Decimal(0)] * len(names))
        for place, figure in enumerate((each.billed, each.residual, Decimal(each.is_above(limit)))):
            own[place] += figure
    metrics = Metrics(CollectorRegistry())
    for (provider, currency), figures in sums.items():
        for name, figure in zip(names, figures, strict=True):
            metrics.set(name, float(figure), provider=provider, currency=currency)
    try:
        write_to_textfile(str(path), metrics.registry.restricted_registry(names))
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror}") from error
