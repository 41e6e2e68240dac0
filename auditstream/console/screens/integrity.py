"""Integrity: what is signed of each log and by whom, how complete a day is, and a check of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import evidence_questions
from auditstream.access.evidence_questions import VERIFY
from auditstream.access.jobs import Job
from auditstream.access.statement_questions import LONGEST_SOURCE
from auditstream.console.acts import act_of, to
from auditstream.console.links import link_of
from auditstream.console.problems import problem_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import AuditStreamError, NotFoundError, RequestError
from auditstream.evidence.completeness import require_day
from auditstream.evidence.listing import Listing, PublishedLog
from auditstream.ledger.completeness import Completeness, Numbered, Unnumbered

_CHECKS = 5
_A_DAY = timedelta(days=1)
_MOST_FINDINGS = 20  # named on the page; the rest are counted


def integrity(request: Request) -> Response:
    """Answer with the page, whose panels load by themselves."""
    visit = visit_of(request)
    page = visit.link.at("/integrity", "day")
    problem, day = None, visit.now.date()
    try:
        day = day_of(visit)
    except RequestError as error:
        problem = problem_of(error)
    return visit.page(
        "integrity.html",
        status=400 if problem else 200,
        problem=problem,
        day=day,
        today=visit.now.date(),
        before=page.with_(day=(day - _A_DAY).isoformat()),
        after=page.with_(day=(day + _A_DAY).isoformat()) if day < visit.now.date() else None,
        logs_url=link_of(visit.root, "/parts/integrity/logs"),
        day_url=link_of(visit.root, "/parts/integrity/day", {"day": day.isoformat()}),
        checks_url=link_of(visit.root, "/parts/integrity/checks"),
        may_verify=visit.who.may("verify") and visit.who.sees_all,
        may_see_checks=visit.who.may("verify"),
        sees_all=visit.who.sees_all,
        yesterday=visit.now.date() - _A_DAY,
        statement_day=min(day, visit.now.date() - _A_DAY).isoformat(),
        longest_source=LONGEST_SOURCE,
    )


def logs(request: Request) -> Response:
    """Answer with each log: how much is recorded, signed and cosigned, and what does not hold."""
    visit = visit_of(request)
    found = evidence_questions.integrity(visit.desk, visit.who, visit.caller)
    listing, remark = None, None
    try:
        listing = evidence_questions.sealed(
            visit.desk, visit.who, visit.caller, evidence=visit.parts.evidence
        )
    except NotFoundError as error:
        remark = problem_of(error)
    signed = {log.log_id: log for log in listing.logs} if listing else {}
    stored = {each["log_id"]: each for each in found.checkpoints}
    rows = [_log(log, signed.get(log["log_id"]), stored.get(log["log_id"])) for log in found.logs]
    return visit.part(
        "integrity_logs.html",
        rows=rows,
        remark=remark,
        listing=listing,
        findings=listing.findings[:_MOST_FINDINGS] if listing else [],
        more=max(0, len(listing.findings) - _MOST_FINDINGS) if listing else 0,
        leaves=found.total("recorded"),
        sealed=sum(row["sealed"] for row in rows),
        gaps=found.total("gaps"),
        is_dense=all(row["dense"] for row in rows),
        youngest_s=min((row["age_s"] for row in rows if row["age_s"] is not None), default=None),
        witnesses=_all_witnesses(listing),
    )


def day_part(request: Request) -> Response:
    """Answer with how complete a day is, by source."""
    visit = visit_of(request)
    day = day_of(visit)
    found, behind = evidence_questions.complete(
        visit.desk,
        visit.who,
        day,
        visit.caller,
        evidence=visit.parts.evidence,
        lags=visit.parts.reach.lags,
    )
    numbered = list(numbered_rows(found))
    counted: list[Numbered | Unnumbered] = [*found.numbered, *found.unnumbered]
    return visit.part(
        "integrity_day.html",
        found=found,
        numbered=numbered,
        whole=visit.who.sees_all,
        behind=behind,
        produced=sum(each.produced for each in found.numbered),
        recorded=sum(each.recorded for each in counted),
        sealed=sum(each.sealed for each in counted),
        queryable=sum(each.queryable for each in counted),
        missing=sum(each["missing"] for each in numbered),
        rejected=sum(each.count for each in found.rejected),
        lost=sum(each.count for each in found.lost),
        unsealed=sum(each.count for each in found.unsealed),
    )


def checks(request: Request) -> Response:
    """Answer with the checks of every row: the one under way, and what the last ones came to."""
    visit = visit_of(request)
    visit.who.require("verify")
    found = visit.parts.reach.jobs.of(VERIFY)[:_CHECKS] if visit.who.sees_all else []
    return visit.part(
        "integrity_checks.html",
        checks=[_check(each, visit) for each in found],
        is_under_way=any(each.is_under_way for each in found),
        url=link_of(visit.root, "/parts/integrity/checks"),
        sees_all=visit.who.sees_all,
    )


def check(request: Request) -> Response:
    """Answer with one check."""
    visit = visit_of(request)
    visit.who.require("verify")
    if not visit.who.sees_all:
        raise NotFoundError("check: is not known")
    found = visit.parts.reach.jobs.named(VERIFY, request.path_params["id"])
    return visit.page("check.html", check=_check(found, visit), job=found)


async def verify(request: Request) -> Response:
    """Begin a check of every row, and go where it is seen."""
    act = await act_of(request)
    reach = act.visit.parts.reach
    await run_in_threadpool(
        evidence_questions.verification,
        act.visit.desk,
        act.visit.who,
        act.visit.caller,
        jobs=reach.jobs,
        verify=reach.verify,
    )
    return to(link_of(act.visit.root, "/integrity"))


def find_receipt(request: Request) -> Response:
    """Go to the receipt of an event whose id a form gives; say what is wrong with it where it has none."""
    visit = visit_of(request)
    wanted = visit.parameter("id")
    if not wanted:
        raise RequestError(
            "id: is empty", hint="Give the id of an event, or a leaf as topic/partition/epoch/index."
        )
    try:
        evidence_questions.receipt(visit.desk, visit.who, wanted, visit.caller, evidence=visit.parts.evidence)
    except AuditStreamError as error:
        problem = problem_of(error)
        return visit.page("problem.html", status=problem.status, problem=problem)
    return to(link_of(visit.root, f"/receipts/{wanted}"))


def day_of(visit: Visit) -> date:
    """Return the day that an address names; today where it names none.

    Raises:
        RequestError: It is no day, or has not begun.
    """
    text = visit.parameter("day")
    if not text:
        return visit.now.date()
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RequestError(f"day: {text[:40]!r} is not a day as 2026-01-31") from None
    require_day(day)
    if day > visit.now.date():
        raise RequestError(f"day: {day} has not begun", hint="Days are those of the broker's clock, in UTC.")
    return day


def _log(log: dict[str, Any], signed: PublishedLog | None, stored: dict[str, Any] | None) -> dict[str, Any]:
    sealed = signed.opened.checkpoint.size if signed else 0
    return {
        **log,
        "sealed": sealed,
        "behind": max(0, int(log["next_index"]) - sealed),
        "root": signed.opened.checkpoint.root.hex() if signed else "",
        "witnesses": sorted(_witnesses(signed)) if signed else [],
        "signed_at": stored["signed_at"] if stored else None,
        "age_s": float(stored["checkpoint_age_s"]) if stored else None,
    }


def _witnesses(log: PublishedLog) -> set[str]:
    """Return who cosigned a log, its own further keys aside."""
    names = {each.key.name for each in log.opened.by_cosigners}
    return {name for name in names if not name.startswith(f"{log.origin}/")}


def _all_witnesses(listing: Listing | None) -> list[tuple[str, int]]:
    """Return who cosigned, and how many logs."""
    counted: Counter[str] = Counter()
    for log in listing.logs if listing else ():
        counted.update(_witnesses(log))
    return sorted(counted.items())


def numbered_rows(found: Completeness) -> Iterator[dict[str, Any]]:
    """Yield the rows of sources that number their events, each with the first of its missing ranges."""
    for each in found.numbered:
        ranges = [
            (gap.first, gap.last)
            for gap in found.missing
            if (gap.source, gap.instance) == (each.source, each.instance)
        ]
        yield {"of": each, "missing": _missing(each), "ranges": ranges[:3], "more": max(0, len(ranges) - 3)}


def _missing(each: Numbered) -> int:
    return max(0, each.produced - each.recorded)


def _check(job: Job, visit: Visit) -> dict[str, Any]:
    ended = job.ended_at or visit.now
    took = ended - job.begun_at
    seconds = max(took.total_seconds(), 0.001)
    return {
        "job": job,
        "link": link_of(visit.root, f"/integrity/checks/{job.id}"),
        "took": took,
        "rate": round(job.done / seconds),
        "outcome": job.outcome,
        "begun_at": job.begun_at,
    }


ROUTES = (
    Route("/integrity", integrity),
    Route("/parts/integrity/logs", logs),
    Route("/parts/integrity/day", day_part),
    Route("/parts/integrity/checks", checks),
    Route("/integrity/checks/{id}", check),
    Route("/integrity/verify", verify, methods=["POST"]),
    Route("/integrity/receipt", find_receipt),
)
