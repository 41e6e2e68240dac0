"""Prompts and experiments: how each version and variant does, and whether they can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import prompt_questions
from auditstream.console import filters
from auditstream.console.links import link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, range_of
from auditstream.console.screens.inventory import span_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, NotAllowedError
from auditstream.detection.intervals import FEWEST, Interval, mean_interval, share_interval
from auditstream.query.prompts import PromptUse

_STATE = ("tenant", "prompt", "since", "from", "to")
_USUAL = "7d"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with what is known of its true value, as a drawing on the scale of its column.

    Attributes:
        value: The figure.
        interval: Between what the true value lies, at 95 %; None where there are too few.
        count: Of how many it is.
        at: Where the figure is, in percent of the scale.
        low: Where the interval begins.
        width: How long it is.
    """

    value: float
    interval: Interval | None
    count: int
    at: float
    low: float
    width: float


def prompts(request: Request) -> Response:
    """Answer with every prompt that was used in a range, by version and variant."""
    visit = visit_of(request)
    page = visit.link.at("/prompts", *_STATE)
    period = range_of({}, visit.now, usual=_USUAL)
    found: list[PromptUse] | None = None
    problem = None
    try:
        period = range_of(request.query_params, visit.now, usual=_USUAL)
        found = prompt_questions.uses(
            visit.desk, visit.who, span_of(period), visit.caller, tenant=visit.parameter("tenant")
        )
    except NotAllowedError:
        raise
    except AuditStreamError as error:
        problem = problem_of(error)
    wanted = visit.parameter("prompt")
    shown = [each for each in found or () if wanted in {"", each.key[1]}]
    return visit.page(
        "prompts.html",
        status=problem.status if problem else 200,
        problem=problem,
        page=page,
        period=period,
        tenant=visit.parameter("tenant"),
        wanted=wanted,
        found=found,
        groups=list(_groups(shown, visit, period)),
        unpriced=sum(each.calls - each.priced for each in shown),
        fewest=FEWEST,
    )


def _groups(found: Iterable[PromptUse], visit: Visit, period: Range) -> Iterable[dict[str, Any]]:
    for (tenant, prompt), uses in groupby(found, key=lambda each: each.key[:2]):
        rows = list(uses)
        names = sorted({score.evaluation for each in rows for score in each.scores})
        failures = [(each.failures / each.calls, share_interval(each.failures, each.calls)) for each in rows]
        top = max(interval.high if interval else value for value, interval in failures)
        yield {
            "tenant": tenant,
            "prompt": prompt,
            "calls": sum(each.calls for each in rows),
            "names": names,
            "has_variants": any(each.key[3] for each in rows),
            "failure_top": top,
            "scales": {name: _scale(rows, name) for name in names},
            "rows": [
                {
                    "use": each,
                    "version": each.key[2],
                    "variant": each.key[3],
                    "failure": estimate(value, interval, each.calls, 0.0, top),
                    "costs": [(code, cost / each.priced) for code, cost in sorted(each.costs.items())],
                    "scores": _scores(each, {name: _scale(rows, name) for name in names}),
                }
                for each, (value, interval) in zip(rows, failures, strict=True)
            ],
            "events": link_of(
                visit.root,
                "/events",
                {
                    "q": f"{filters.term('prompt', prompt)} {filters.term('tenant', tenant)}",
                    **period.parameters,
                },
            ),
        }


def _scores(use: PromptUse, scales: Mapping[str, tuple[float, float]]) -> dict[str, Estimate]:
    return {
        each.evaluation: estimate(
            each.mean,
            mean_interval(each.mean, each.deviation, each.count),
            each.count,
            *scales[each.evaluation],
        )
        for each in use.scores
    }


def _scale(rows: Iterable[PromptUse], name: str) -> tuple[float, float]:
    """Return the ends of a column's scale: those of its intervals, so that what overlaps is seen to."""
    ends: list[float] = []
    for use in rows:
        for each in use.scores:
            if each.evaluation == name:
                interval = mean_interval(each.mean, each.deviation, each.count)
                ends += [each.mean] if interval is None else [*interval]
    return min(ends), max(ends)


def estimate(value: float, interval: Interval | None, count: int, bottom: float, top: float) -> Estimate:
    """Return a figure as a drawing on a scale from bottom to top."""
    length = (top - bottom) or 1.0

    def place(at: float) -> float:
        return round(100 * min(max((at - bottom) / length, 0.0), 1.0), 2)

    low, high = (value, value) if interval is None else interval
    return Estimate(value, interval, count, place(value), place(low), round(place(high) - place(low), 2))


ROUTES = (Route("/prompts", prompts),)
