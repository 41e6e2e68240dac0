"""`auditstream report oversight`: what watched the actions, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, TenantOption, report_reader, span_of

if TYPE_CHECKING:
    from auditstream.query.oversight import Oversight, Reviews

_COLUMNS = ("section", "tenant_id", "name", "outcome", "events", "share_pct", "value", "unit")


def oversight(
    context: typer.Context, *, period: PeriodOption = "last-7d", tenant: TenantOption = None
) -> None:
    """Show fallbacks, outcomes of guardrails and evaluations, and how people reviewed what they were asked.

    Of a fallback, `value` is the longest chain of attempts; of an evaluation, its mean score. A review is
    pending while no decision came in the period, and expired once its time ran out. A rubber stamp is an
    approval in less than 3 seconds; an override is a decision against the policy.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.oversight import READ_FROM
    from auditstream.query.oversight import oversight as read

    span = span_of(period)
    deployment = running.find(context.obj)
    with report_reader(deployment, "oversight", f"period {period}", READ_FROM, tenant) as reader:
        found = read(reader, span, datetime.now(UTC), tenant=tenant)
    rows = list(_rows(found))
    print_rows(context.obj, _COLUMNS, rows)
    remarks(context.obj, _remarks(found))


def _rows(found: Oversight) -> Iterator[tuple[Any, ...]]:
    for each in found.fallbacks:
        route = f"{each.from_model or '?'} to {each.to_model}"
        yield ("fallback", each.tenant, route, each.reason, each.events, None, each.longest, "attempts")
    for section, outcomes in (("guardrail", found.guardrails), ("evaluation", found.evaluations)):
        for outcome in outcomes:
            share = _share(outcome.events, outcome.total)
            score = None if outcome.score is None else round(outcome.score, 4)
            unit = None if score is None else "score"
            yield (
                section, outcome.tenant, outcome.name, outcome.outcome, outcome.events, share, score, unit,
            )  # fmt: skip
    for reviews in found.reviews:
        yield from _review_rows(reviews)


def _review_rows(each: Reviews) -> Iterator[tuple[Any, ...]]:
    def row(outcome: str, events: int, of: int) -> tuple[Any, ...]:
        return ("review", each.tenant, "", outcome, events, _share(events, of), None, None)

    yield row("requested", each.subjects, each.subjects)
    yield row("pending", each.pending, each.subjects)
    yield row("expired", each.expired, each.subjects)
    yield row("approved", each.approved, each.decided)
    yield row("rejected", each.rejected, each.decided)
    yield row("overridden", each.overridden, each.decided)
    yield row("escalated", each.escalated, each.subjects)
    yield row("rubber stamps", each.rubber_stamps, each.decided)
    for name, latency_us in (("median latency", each.median_us), ("p95 latency", each.p95_us)):
        if latency_us is not None:
            yield ("review", each.tenant, "", name, each.decided, None, latency_us / 1_000_000, "s")


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _remarks(found: Oversight) -> Iterator[str]:
    if not any((found.fallbacks, found.guardrails, found.evaluations, found.reviews)):
        yield "nothing in the period was routed, judged, evaluated or reviewed"
    for each in found.reviews:
        if each.pending:
            yield f"{each.tenant}: {each.pending} reviews wait for a decision"
        if each.expired:
            yield f"{each.tenant}: {each.expired} reviews expired without one"
