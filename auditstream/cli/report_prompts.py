"""`auditstream report prompts`: how versions of prompts and variants of experiments do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from auditstream.cli.remarks import remarks
from auditstream.cli.report_options import PeriodOption, TenantOption, report_reader, span_of

if TYPE_CHECKING:
    from auditstream.detection.intervals import Interval
    from auditstream.query.prompts import PromptUse

_COLUMNS = (
    "tenant_id", "prompt", "version", "variant", "metric", "count", "value", "low", "high", "unit",
)  # fmt: skip


def prompts(context: typer.Context, *, period: PeriodOption = "last-7d", tenant: TenantOption = None) -> None:
    """Show calls, failures, cost, latency and evaluations of each version of a prompt, by variant.

    Where an interval is shown, the true value lies between `low` and `high` with a confidence of 95 %: of a
    share it is Wilson's, of a mean score the normal one, from 30 scores on. Two that overlap may be the same.
    """
    from auditstream.cli import running
    from auditstream.cli.printing import print_rows
    from auditstream.query.prompts import READ_FROM, prompt_uses

    span = span_of(period)
    deployment = running.find(context.obj)
    with report_reader(deployment, "prompts", f"period {period}", READ_FROM, tenant) as reader:
        found = prompt_uses(reader, span, tenant=tenant)
    print_rows(context.obj, _COLUMNS, ((*use.key, *line) for use in found for line in _lines(use)))
    remarks(context.obj, _remarks(found))


def _lines(use: PromptUse) -> Iterator[tuple[Any, ...]]:
    from auditstream.detection.intervals import mean_interval, share_interval

    yield ("calls", use.calls, use.calls, None, None, "calls")
    failed = use.failures / use.calls
    yield (
        "failure share",
        use.calls,
        round(failed, 6),
        *_bounds(share_interval(use.failures, use.calls)),
        "share",
    )
    for currency, cost in sorted(use.costs.items()):
        # Calls without a price are left out of both.
        yield ("cost a priced call", use.priced, round(cost / use.priced, 12), None, None, currency)
    for name, latency_us in (("median latency", use.p50_us), ("p95 latency", use.p95_us)):
        if latency_us is not None:
            yield (name, use.timed, latency_us / 1_000_000, None, None, "s")
    for each in use.scores:
        interval = mean_interval(each.mean, each.deviation, each.count)
        yield (f"evaluation {each.evaluation}", each.count, round(each.mean, 6), *_bounds(interval), "score")


def _bounds(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (round(interval.low, 6), round(interval.high, 6))


def _remarks(found: Sequence[PromptUse]) -> Iterator[str]:
    if not found:
        yield "no call in the period names a prompt"
    unpriced = sum(use.calls - use.priced for use in found)
    if unpriced:
        yield f"{unpriced} calls have no price, and are in no cost"
