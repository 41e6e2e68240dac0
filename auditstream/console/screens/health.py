"""Health: how fresh the record is, how far behind Kafka, and what it refused, which can be sent again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from auditstream.access import health_questions
from auditstream.console import hexdump
from auditstream.console.acts import act_of, to
from auditstream.console.links import Link, link_of
from auditstream.console.problems import problem_of
from auditstream.console.ranges import Range, range_of
from auditstream.console.visits import Visit, visit_of
from auditstream.core.errors import RequestError
from auditstream.query.dead_letters import Chosen
from auditstream.query.lag import PartitionLag

_ROWS = 50
_STATE = ("reason", "topic", "since", "from", "to")
_SHOWN_BYTES = 4_096  # of a dead letter on its page: what it is shows in its first lines
_LATE_S = (
    300.0  # rows come every few seconds while there is traffic: five minutes without any are worth a look
)

REASONS: Mapping[str, str] = {
    "bad_framing": "The value does not begin as a message of the schema registry does.",
    "unknown_schema": "The registry does not know the schema that it names; register it, then send it again.",
    "undecodable": "The bytes are no datum of the schema that they name.",
    "unreadable": "The writer schema cannot be read as an audit event.",
    "contract": "A field breaks a rule of the event contract.",
    "null_value": "The record has no value at all; it cannot be sent again.",
    "empty_value": "The record's value is empty.",
    "too_large": "The value is larger than an event may be.",
    "unstorable": "The store refused the row.",
}
"""What a reason means; one that is not here is shown by its own name."""


@dataclass(frozen=True, slots=True)
class _Asked:
    reason: str
    topic: str
    range: Range

    @property
    def chosen(self) -> Chosen:
        return Chosen((), self.reason, self.topic, self.range.period)


def health(request: Request) -> Response:
    """Answer with the page, whose panels load by themselves."""
    visit = visit_of(request)
    visit.who.require("health")
    problem = None
    try:
        asked = _asked(visit.request.query_params, visit)
    except RequestError as error:
        problem, asked = problem_of(error), _Asked("", "", range_of({"since": "all"}, visit.now))
    page = visit.link.at(visit.path, *_STATE)
    return visit.page(
        "health.html",
        status=400 if problem else 200,
        problem=problem,
        page=page,
        period=asked.range,
        replayed=_count(visit.parameter("replayed")),
        record_url=link_of(visit.root, "/parts/health/record"),
        lag_url=link_of(visit.root, "/parts/health/lag"),
        letters_url=page.at("/parts/health/letters", *_STATE),
    )


def record(request: Request) -> Response:
    """Answer with what the store holds and how fresh it is."""
    visit = visit_of(request)
    found = health_questions.record(visit.desk, visit.who, visit.caller)
    sealed = {each["log_id"]: each for each in found.checkpoints}
    newest = _newest(found.logs)
    logs = [
        {
            **log,
            "sealed": sealed.get(log["log_id"]),
            "is_former": log["log_id"] not in newest,
            "is_late": log["log_id"] in newest and float(log["last_insert_age_s"]) > _LATE_S,
        }
        for log in found.logs
    ]
    ages = [float(each["checkpoint_age_s"]) for each in found.checkpoints]
    return visit.part(
        "health_record.html",
        found=found,
        logs=logs,
        late_s=_LATE_S,
        events=found.total("recorded") - sum(map(found.total, ("dead_letters", "gaps", "duplicates"))),
        checkpoint_age_s=min(ages, default=None),
        is_dense=all(log["dense"] for log in logs),
    )


def lag(request: Request) -> Response:
    """Answer with how far the record is behind Kafka, by partition."""
    visit = visit_of(request)
    found = health_questions.lags(visit.desk, visit.who, visit.caller, visit.parts.reach.lags)
    return visit.part(
        "health_lag.html",
        lags=found,
        total=sum(each.lag for each in found),
        most=max((each.lag for each in found), default=0),
        topics=_by_topic(found),
    )


def letters(request: Request) -> Response:
    """Answer with dead letters: how many by reason, and the newest."""
    visit = visit_of(request)
    asked = _asked(request.query_params, visit)
    found = health_questions.letters(visit.desk, visit.who, asked.chosen, visit.caller, limit=_ROWS)
    page = visit.link.at("/health", *_STATE)
    return visit.part(
        "health_letters.html",
        asked=asked,
        period=asked.range,
        page=page,
        counts=found.counts,
        total=sum(each.letters for each in found.counts),
        most=max((each.letters for each in found.counts), default=0),
        meanings=REASONS,
        sees_all=visit.who.tenants is None,
        rows=[{**row, "link": _letter_link(visit, str(row["leaf"]))} for row in found.listed.records()],
        replay=_replay_link(visit, asked) if visit.who.may("replay") else None,
    )


def letter(request: Request) -> Response:
    """Answer with one dead letter."""
    visit = visit_of(request)
    leaf = request.path_params["leaf"]
    told = health_questions.told_of(visit.desk, visit.who, leaf, visit.caller)
    found = None
    if visit.who.may("contents"):
        found = health_questions.letter(visit.desk, visit.who, leaf, visit.caller)
    value = b"" if found is None else found.value or b""
    return visit.page(
        "dead_letter.html",
        told=told,
        found=found,
        meaning=REASONS.get(str(told["reject_reason"]), ""),
        lines=list(hexdump.lines(value[:_SHOWN_BYTES])),
        size=len(value),
        shown=min(len(value), _SHOWN_BYTES),
        event_link=link_of(visit.root, f"/events/{leaf}"),
        bytes_link=link_of(visit.root, f"/dead-letter-bytes/{leaf}"),
        replay=link_of(visit.root, "/health/replay", {"leaf": leaf}) if visit.who.may("replay") else None,
    )


def letter_bytes(request: Request) -> Response:
    """Answer with the bytes of a dead letter as a file; no browser shows it, whatever it holds."""
    visit = visit_of(request)
    leaf = request.path_params["leaf"]
    found = health_questions.letter(visit.desk, visit.who, leaf, visit.caller)
    name = quote(f"{leaf.replace('/', '_')}.bin", safe="")
    return Response(
        found.value or b"",
        media_type="application/octet-stream",
        headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"},
    )


def ask_replay(request: Request) -> Response:
    """Answer with what would be sent again, and the form that does it."""
    visit = visit_of(request)
    visit.who.require("replay")
    wanted = dict(request.query_params)
    chosen, words = _to_replay(wanted, visit)
    found = health_questions.letters(visit.desk, visit.who, chosen, visit.caller, limit=1)
    return visit.page(
        "replay.html",
        counts=found.counts,
        letters=sum(each.letters - each.nulls for each in found.counts),
        nulls=sum(each.nulls for each in found.counts),
        words=words,
        fields=[(name, wanted[name]) for name in ("leaf", *_STATE) if wanted.get(name)],
        cancel=link_of(visit.root, "/health"),
    )


async def replay(request: Request) -> Response:
    """Send dead letters again, and go back to how many were."""
    act = await act_of(request)
    chosen, _ = _to_replay(act.form, act.visit)
    sent = await run_in_threadpool(
        health_questions.replay,
        act.visit.desk,
        act.visit.who,
        chosen,
        act.visit.caller,
        ways=act.visit.parts.reach.way,
    )
    return to(link_of(act.visit.root, "/health", {"since": "all", "replayed": str(sum(sent.values()))}))


def _asked(parameters: Mapping[str, str], visit: Visit) -> _Asked:
    bounds = {name: parameters.get(name, "") for name in ("since", "from", "to")}
    if not any(bounds.values()):
        bounds["since"] = "all"  # dead letters are few, and an old one is as lost as a new one
    return _Asked(
        parameters.get("reason", "").strip(),
        parameters.get("topic", "").strip(),
        range_of(bounds, visit.now),
    )


def _to_replay(fields: Mapping[str, str], visit: Visit) -> tuple[Chosen, str]:
    """Return which dead letters are meant, and in words."""
    if leaf := fields.get("leaf", "").strip():
        return Chosen((leaf,)), f"The dead letter {leaf}"
    asked = _asked(fields, visit)
    named = (("refused for", asked.reason), ("from topic", asked.topic))
    parts = [f"{said} {value}" for said, value in named if value]
    return asked.chosen, " ".join(["Dead letters", *parts, f"in {asked.range.words}"])


def _replay_link(visit: Visit, asked: _Asked) -> Link:
    state = {"reason": asked.reason, "topic": asked.topic, **asked.range.parameters}
    return link_of(visit.root, "/health/replay", state)


def _letter_link(visit: Visit, leaf: str) -> Link:
    return link_of(visit.root, f"/health/dead-letters/{leaf}")


def _newest(logs: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the logs that still get rows: of each partition the one of its newest incarnation."""
    by_partition: dict[tuple[str, int], str] = {}
    for log in sorted(logs, key=lambda each: each["last_inserted_at"]):
        by_partition[log["kafka_topic"], log["kafka_partition"]] = log["log_id"]
    return set(by_partition.values())


def _by_topic(found: Sequence[PartitionLag]) -> list[tuple[str, int]]:
    counted: Counter[str] = Counter()
    for each in found:
        counted[each.topic] += each.lag
    return sorted(counted.items())


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


ROUTES: tuple[Route, ...] = (
    Route("/health", health),
    Route("/parts/health/record", record),
    Route("/parts/health/lag", lag),
    Route("/parts/health/letters", letters),
    Route("/health/dead-letters/{leaf:path}", letter),
    Route("/dead-letter-bytes/{leaf:path}", letter_bytes),
    Route("/health/replay", ask_replay, methods=["GET"]),
    Route("/health/replay", replay, methods=["POST"]),
)
