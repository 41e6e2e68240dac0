"""`auditstream report coverage`: which outputs of models something or somebody verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, TenantOption, report_reader, span_of
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from datetime import timedelta

    from auditstream.query.coverage import Coverage


def coverage(
    context: typer.Context,
    *,
    period: PeriodOption = "last-7d",
    tenant: TenantOption = None,
    by: Annotated[
        str, typer.Option(help="feature, model and project, with commas; the tenant is always told.")
    ] = "feature,model",
    within: Annotated[str, typer.Option(help="How long after an output its check may come, as 1h.")] = "1h",
) -> None:
    """Show which share of AI outputs was verified: by a policy check, an evaluation or a human decision.

    A check is of the output that it names (subject_event_id), or, when it names none, of the outputs before
    it in its trace. A policy's check counts when it judged the output, a review when it came to a decision.
    The newest outputs without any are named: `auditstream show ID`. Outputs whose time for a check is not
    over are left out.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.coverage import DIMENSIONS, READ_FROM
    from auditstream.query.coverage import coverage as covered
    from auditstream.query.named_periods import Span
    from auditstream.query.periods import duration
    from auditstream.query.verification import KINDS

    span, time_for_it, names = span_of(period), duration(within), _names(by, tuple(DIMENSIONS))
    end = min(span.end, datetime.now(UTC) - time_for_it)
    if end <= span.start:
        raise RequestError(
            f"--within {within}: the time for checks of the period is not over yet",
            hint="Ask for a period that began earlier, or give checks less time.",
        )
    deployment = running.find(context.obj)
    query = f"by {by}, period {period}, within {within}"
    with report_reader(deployment, "coverage", query, READ_FROM, tenant) as reader:
        found = covered(
            reader, Span(span.start, end), by=names, within_us=_microseconds(time_for_it), tenant=tenant
        )
    keys = ["tenant_id", *(DIMENSIONS[name] for name in names)]
    columns = (*keys, "outputs", "verified", "verified_pct", *(f"by_{kind}" for kind in KINDS), "unverified")
    rows = (
        (*each.key, each.outputs, each.verified, round(100 * each.share, 3), *each.by, each.unverified)
        for each in found
    )
    print_rows(context.obj, columns, rows)
    remarks(context.obj, _notes(found, end, span.end))


def _names(text: str, known: Sequence[str]) -> list[str]:
    """Return the dimensions that a list with commas names.

    Raises:
        RequestError: One is unknown, or comes twice.
    """
    names = [each.strip() for each in text.split(",") if each.strip()]
    for number, name in enumerate(names):
        if name not in known:
            raise RequestError(f"--by: {name!r} is no dimension", hint=f"Known are {', '.join(known)}.")
        if name in names[:number]:
            raise RequestError(f"--by: {name} comes twice")
    return names


def _microseconds(length: timedelta) -> int:
    return round(length.total_seconds() * 1_000_000)


def _notes(found: Sequence[Coverage], end: datetime, asked: datetime) -> Iterator[str]:
    if not found:
        yield "no output was recorded in the period"
        return
    outputs, verified = sum(each.outputs for each in found), sum(each.verified for each in found)
    yield f"{verified} of {outputs} outputs were verified, {100 * verified / outputs:.2f} %"
    if end < asked:
        yield f"outputs from {end:%Y-%m-%dT%H:%M:%SZ} on are left out: the time for their checks is not over"
