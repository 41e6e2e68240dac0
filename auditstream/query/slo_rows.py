"""Rows of what an objective counts, as SQL: when it counts, and whether it is bad.

By rollup where it has the scope's columns, else by the events themselves, which lie by tenant and time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditstream.core.event_types import CALL_TYPES
from auditstream.query.predicates import Conditions
from auditstream.query.verification import FIRST_REPORT, verified_sql
from auditstream.reference.objectives import Objective
from sinks.expressions import ANSWERED_MODEL, time_text

READ_FROM = ("events", "outcomes_1m")
"""Tables that are read."""

_TIME = "DateTime64(6, 'UTC')"
_IN_OUTCOMES = frozenset({"inference_provider", "model", "event_type", "tool_name"})

# A policy that blocks does what it shall, and a client's fault is the client's: but 429 is what was refused.
_CLIENTS = "outcome = 'FAILURE' AND status BETWEEN 400 AND 499 AND status != 429"
_ENDED = "outcome IN ('SUCCESS', 'FAILURE', 'PARTIAL')"
_OUTCOMES = {
    "availability": ("outcome != 'SUCCESS'", f"{_ENDED} AND NOT ({_CLIENTS})"),
    "error_rate": ("outcome = 'FAILURE'", _ENDED),
}
"""By indicator, what is bad among what counts, and what counts."""

SETTLED = timedelta(minutes=1)
"""How long the record must have had an event before it is judged by what belongs to it.

What a source sends at once lies in several partitions, and each is recorded at its own pace: an output may be
there seconds before its check, and a number before the one below it. Of what comes long after it happened the
time to wait is over at once, so that a backlog would look unchecked and full of gaps while it is recorded."""

_LATENCIES = {"latency_ttft": "inference_ttft_us", "latency_total": "duration_us"}

# A number that is missing is told by the next one that came. Where a source has been silent for longer,
# nobody can tell whose day the loss was on: the statement of complete days looks further.
_NUMBERS_BEFORE = timedelta(days=1)
_NUMBERS = """
SELECT at, number - before - seen AS bad, number - before AS valid FROM
(
    SELECT at, tenant, from_source, number, seen, recorded,
        lagInFrame(number, 1, number - 1) OVER (PARTITION BY from_source, instance ORDER BY number
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
    FROM
    (
        SELECT source AS from_source, source_instance AS instance, of.1 AS number, max(of.2) AS seen,
            argMax(tenant_id, of.2) AS tenant, addMicroseconds(min(event_time), {late}) AS at,
            min(inserted_at) AS recorded
        FROM events
        ARRAY JOIN arrayFilter(of -> of.1 >= 0, [
            (ifNull(source_seq, -1), 1),
            (if(ifNull(heartbeat_last_seq, 0) > 0, assumeNotNull(heartbeat_last_seq), -1), 0)
        ]) AS of
        WHERE leaf_kind = 0 AND duplicate_of IS NULL
            AND event_time >= {before} AND event_time < {end} AND ingest_day >= toDate({before}) - 1
        GROUP BY from_source, instance, number
    )
)
WHERE {conditions}"""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        objective: What counts, and what of it is bad.
        start: First moment.
        end: First moment after.
        settled: What was recorded before then is judged by what belongs to it; see `SETTLED`.
        conditions: Takes the parameters.
    """

    objective: Objective
    start: datetime
    end: datetime
    settled: datetime
    conditions: Conditions

    def moment(self, at: datetime) -> str:
        """Return the placeholder of a moment."""
        return self.conditions.bind(time_text(at.astimezone(UTC)), _TIME)

    @property
    def limit_us(self) -> str:
        """The placeholder of the threshold."""
        return self.conditions.bind(self.objective.limit_us, "Int64")

    def add_scope(self, *, model: str = ANSWERED_MODEL) -> None:
        """Demand what the objective covers."""
        if self.objective.tenant_id:
            self.conditions.add_tenant(self.objective.tenant_id)
        for name, value in sorted(self.objective.scope.items()):
            column = model if name == "model" else name
            self.conditions.add(f"{column} = {self.conditions.bind(value, 'String')}")

    def add_calls(self) -> None:
        """Demand calls of models, where the scope does not say what else."""
        if "event_type" not in self.objective.scope:
            types = self.conditions.bind(list(CALL_TYPES), "Array(String)")
            self.conditions.add(f"event_type IN {types}")


def rows_sql(question: Question) -> str:
    """Return a query of `at, bad, valid`: numbers of events at a moment."""
    return _ROWS[question.objective.indicator](question)


def _outcomes(question: Question) -> str:
    bad, valid = _OUTCOMES[question.objective.indicator]
    if not question.objective.scope.keys() <= _IN_OUTCOMES:
        bad, valid = (each.replace("status", "ifNull(http_status, 0)") for each in (bad, valid))
        question.add_calls()
        return _events(question, bad=f"{valid} AND {bad}", valid=valid)
    bad, valid = (each.replace("status", "http_status") for each in (bad, valid))
    question.add_scope(model="model")
    question.add_calls()
    between = f"minute >= {question.moment(question.start)} AND minute < {question.moment(question.end)}"
    return (
        f"SELECT minute AS at, if({valid} AND {bad}, events, 0) AS bad, if({valid}, events, 0) AS valid "  # noqa: S608
        f"FROM outcomes_1m WHERE {between} AND {question.conditions.sql}"
    )


def _latency(question: Question) -> str:
    column = _LATENCIES[question.objective.indicator]
    question.conditions.add(f"outcome = 'SUCCESS' AND {column} IS NOT NULL")
    question.add_calls()
    return _events(question, bad=f"ifNull({column}, 0) > {question.limit_us}", valid="1")


def _fallback(question: Question) -> str:
    """Fallback decisions against answered calls: not of each minute, but of any window that lasts."""
    question.conditions.add("event_type IN ('ai.inference', 'ai.routing')")
    answered = "event_type = 'ai.inference' AND outcome IN ('SUCCESS', 'PARTIAL')"
    return _events(question, bad="routing_reason = 'fallback'", valid=answered)


def _priced(question: Question) -> str:
    """Events as they were priced when recorded: a price that comes later gives no budget back."""
    question.conditions.add("cost_status IN ('priced', 'unpriced')")
    return _events(question, bad="cost_status = 'unpriced'", valid="1")


def _events(question: Question, *, bad: str, valid: str) -> str:
    question.add_scope()
    first, last = question.moment(question.start), question.moment(question.end)
    return (
        f"SELECT event_time AS at, toUInt8({bad}) AS bad, toUInt8({valid}) AS valid FROM events "  # noqa: S608
        f"WHERE {FIRST_REPORT} AND event_time >= {first} AND event_time < {last} "
        f"AND ingest_day >= toDate({first}) - 1 AND {question.conditions.sql}"
    )


def _freshness(question: Question) -> str:
    """Rows by when they could be queried: until then nobody can know how long they took."""
    question.add_scope()
    first, last = question.moment(question.start), question.moment(question.end)
    waited = "1000 * (toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(kafka_timestamp))"
    return (
        f"SELECT inserted_at AS at, toUInt8({waited} > {question.limit_us}) AS bad, 1 AS valid FROM events "  # noqa: S608
        f"WHERE leaf_kind = 0 AND inserted_at >= {first} AND inserted_at < {last} "
        f"AND ingest_day >= toDate({first}) - 1 AND {question.conditions.sql}"
    )


def _completeness(question: Question) -> str:
    """Numbers that sources gave, at the moment from which on a missing one is missed.

    One that was recorded just now tells of none that is missing, but is there itself.
    """
    conditions, late = question.conditions, timedelta(microseconds=question.objective.limit_us)
    conditions.add(f"at >= {question.moment(question.start)} AND at < {question.moment(question.end)}")
    conditions.add(f"recorded < {question.moment(question.settled)}")
    if question.objective.tenant_id:
        conditions.add(f"tenant = {conditions.bind(question.objective.tenant_id, 'String')}")
    if source := question.objective.scope.get("source"):
        conditions.add(f"from_source = {conditions.bind(source, 'String')}")
    return _NUMBERS.format(
        late=question.limit_us,
        before=question.moment(question.start - late - _NUMBERS_BEFORE),
        end=question.moment(question.end - late),
        conditions=conditions.sql,
    )


def _verification(question: Question) -> str:
    """Outputs at the moment when their time for a check is over."""
    question.add_scope()
    question.conditions.add(f"inserted_at < {question.moment(question.settled)}")
    late = timedelta(microseconds=question.objective.limit_us)
    verified = verified_sql(
        question.conditions,
        within_us=question.objective.limit_us,
        start=question.moment(question.start - late),
        end=question.moment(question.end - late),
    )
    return (
        f"SELECT addMicroseconds(event_time, {question.limit_us}) AS at, "  # noqa: S608
        f"toUInt8(NOT (by_policy OR by_evaluation OR by_review)) AS bad, 1 AS valid FROM ({verified})"
    )


_ROWS: Mapping[str, Callable[[Question], str]] = {
    "availability": _outcomes,
    "error_rate": _outcomes,
    "latency_ttft": _latency,
    "latency_total": _latency,
    "fallback": _fallback,
    "audit_completeness": _completeness,
    "audit_freshness": _freshness,
    "priced_share": _priced,
    "verification_coverage": _verification,
}
"""How the rows of each indicator are found."""
