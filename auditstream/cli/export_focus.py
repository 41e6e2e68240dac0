"""`auditstream export focus`: costs as a FOCUS file, for the tools of those who pay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.remarks import remark
from auditstream.cli.report_options import PeriodOption

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.focus.exporting import Exported
    from auditstream.focus.rows import Row
    from auditstream.query.charge_rows import Unpriced, Wanted
    from auditstream.query.reader import Reader

_ANSWER_WITHIN_S = 600.0
_MOST_LISTED = 100


class Granularity(StrEnum):
    """What a row sums up."""

    HOUR = "hour"
    DAY = "day"


class FileForm(StrEnum):
    """Form of the file."""

    CSV = "csv"
    PARQUET = "parquet"


class Version(StrEnum):
    """Version of FOCUS."""

    V1_2 = "1.2"
    V1_4 = "1.4"


def register(group: typer.Typer) -> None:
    """Add the command."""
    group.command("focus")(focus)


def focus(
    context: typer.Context,
    *,
    period: PeriodOption,
    out: Annotated[Path, typer.Option(help="Folder to make; it must not be there yet.")],
    version: Annotated[
        Version, typer.Option(help="Version of FOCUS; no validator knows 1.4 yet.")
    ] = Version.V1_2,
    granularity: Annotated[Granularity, typer.Option(help="What a row sums up.")] = Granularity.HOUR,
    tenant: Annotated[str, typer.Option(help="Only this tenant's costs.")] = "",
    form: Annotated[FileForm, typer.Option("--format", help="Form of the file.")] = FileForm.CSV,
    known_on: Annotated[
        str | None, typer.Option(help="As known then, ISO 8601: without what was recorded later.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="What it is for; kept in the record of exports.")] = "",
) -> None:
    """Write costs as a FOCUS file (FinOps Open Cost and Usage Specification), with a manifest beside it.

    A row sums up the cost lines of one hour or day, tenant, credential, agent and price. What was corrected
    after its month was over is a row of its own, of class Correction. Events without a price are in no sum:
    the manifest counts them. Whole or not at all: until then, the folder is named OUT.partial.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, tell_result, told_reader
    from auditstream.cli.auditing import progress_of
    from auditstream.cli.export_record import record_export_of
    from auditstream.cli.printing import print_document
    from auditstream.focus.exporting import Form, export
    from auditstream.query.charge_rows import READ_FROM, Wanted, store_time, unpriced_events
    from auditstream.query.named_periods import named_span
    from auditstream.query.periods import moment

    span = named_span(period, datetime.now(UTC))
    wanted = Wanted(span, granularity.value, tenant, moment(known_on) if known_on else None)
    wanted.check()
    deployment = running.find(context.obj)
    asked = Reading(
        "export focus", period, READ_FROM, tenant, purpose, destination=str(out.absolute()), whole=True
    )

    def record(exported: Exported) -> None:
        record_export_of(
            deployment.settings,
            asked,
            kind="focus",
            rows=exported.rows,
            size_bytes=exported.size_bytes,
            sha256=exported.manifest_sha256,
        )
        tell_result(deployment, asked, rows=exported.rows, size_bytes=exported.size_bytes)

    with (
        told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader,
        progress_of(context.obj, "days") as advance,
    ):
        unpriced = unpriced_events(reader, wanted)
        said = _said(wanted, unpriced, store_time(reader))
        done = export(
            out, Form(form.value, version.value), _days(reader, wanted, advance), said, record=record
        )
    print_document(
        context.obj,
        {
            "folder": str(done.folder),
            "rows": done.rows,
            "bytes": done.size_bytes,
            "manifest_sha256": done.manifest_sha256,
            "totals": done.manifest["totals"],
            "unpriced_events": done.manifest["unpriced"]["events"],
        },
    )
    _remark(context.obj, unpriced)


def _days(reader: Reader, wanted: Wanted, advance: Callable[[int, int], object]) -> Iterator[Iterable[Row]]:
    """Yield the rows of each day, so that neither side holds more than a day's."""
    from auditstream.focus.rows import difference_row, usage_row
    from auditstream.query.charge_rows import charge_differences, charge_lines

    length = timedelta(hours=1) if wanted.granularity == "hour" else timedelta(days=1)
    days = wanted.days()
    for number, day in enumerate(days):
        advance(number, len(days))
        yield (usage_row(each, length) for each in charge_lines(reader, day))
        yield (difference_row(each, length) for each in charge_differences(reader, day))
    advance(len(days), len(days))


def _said(wanted: Wanted, unpriced: list[Unpriced], now: datetime) -> dict[str, Any]:
    """Return what the manifest says beside rows, hash and totals."""
    from auditstream.core.clock import utc_text

    listed = [
        {"provider": each.provider, "model": each.model, "events": each.events}
        for each in unpriced[:_MOST_LISTED]
    ]
    return {
        "period": {"start": utc_text(wanted.span.start), "end": utc_text(wanted.span.end)},
        "granularity": wanted.granularity,
        "tenant": wanted.tenant or None,
        "known_on": utc_text(wanted.known_on or now),
        "unpriced": {"events": sum(each.events for each in unpriced), "models": listed},
    }


def _remark(context: Context, unpriced: list[Unpriced]) -> None:
    count = sum(each.events for each in unpriced)
    if not count:
        return
    named = ", ".join(f"{each.provider or '?'}/{each.model or '?'}" for each in unpriced[:3])
    remark(
        context,
        f"{count} events have no price and are in no sum, most of {named}: the manifest lists the models",
    )
