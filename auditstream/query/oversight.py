"""What watched the actions and how it ended: fallbacks, guardrails, evaluations, and reviews by people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auditstream.query.current_events import current_events
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from sinks.expressions import time_text

READ_FROM = ("events_current",)
"""Tables that are read."""

RUBBER_STAMP_US = 3_000_000
"""An approval that took less was hardly read (detection catalogue, D19)."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question about events of one type.

    Attributes:
        about: What is asked about, for the message of an error.
        event_type: The type.
        columns: Columns of the events that it needs.
        sql: The question; its events are `{events}`.
    """

    about: str
    event_type: str
    columns: str
    sql: str


# Each attempt at another model is an event; a chain is as long as its last attempt.
_FALLBACKS = _Asked(
    "fallbacks",
    "ai.routing",
    "tenant_id, routing_from_model, routing_to_model, routing_reason, routing_attempt",
    """
SELECT tenant_id, routing_from_model, routing_to_model, routing_reason, count() AS events,
    max(ifNull(routing_attempt, 0)) AS longest
FROM ({events})
GROUP BY tenant_id, routing_from_model, routing_to_model, routing_reason
ORDER BY tenant_id, events DESC, routing_from_model, routing_to_model, routing_reason""",
)
_GUARDRAILS = _Asked(
    "guardrails",
    "ai.policy.decision",
    "tenant_id, policy_id, policy_verdict, policy_action",
    """
SELECT tenant_id, policy_id, policy_verdict, policy_action, count() AS events,
    sum(count()) OVER (PARTITION BY tenant_id, policy_id) AS of_policy
FROM ({events})
GROUP BY tenant_id, policy_id, policy_verdict, policy_action
ORDER BY tenant_id, policy_id, events DESC, policy_verdict, policy_action""",
)
_EVALUATIONS = _Asked(
    "evaluations",
    "ai.evaluation",
    "tenant_id, evaluation_name, evaluation_label, evaluation_score",
    """
SELECT tenant_id, evaluation_name, evaluation_label, count() AS events,
    sum(count()) OVER (PARTITION BY tenant_id, evaluation_name) AS of_name, avg(evaluation_score) AS score
FROM ({events})
GROUP BY tenant_id, evaluation_name, evaluation_label
ORDER BY tenant_id, evaluation_name, events DESC, evaluation_label""",
)
# A subject is asked about once, however often the request is told; what is decided last counts.
_REVIEWS = _Asked(
    "reviews",
    "ai.human.review",
    "tenant_id, event_time, review_subject_event_id, review_decision, review_expires, review_latency_us",
    """
SELECT tenant_id, count() AS subjects,
    countIf(decision = '' AND (expires IS NULL OR expires > {now})) AS pending,
    countIf(decision = 'EXPIRED' OR (decision = '' AND expires <= {now})) AS expired,
    countIf(decision = 'APPROVE') AS approved, countIf(decision = 'REJECT') AS rejected,
    countIf(decision = 'OVERRIDE') AS overridden, countIf(decision = 'ESCALATE') AS escalated,
    countIf(decision IN ('APPROVE', 'OVERRIDE') AND latency < {stamp}) AS rubber_stamps,
    quantilesExactIf(0.5, 0.95)(assumeNotNull(latency), latency IS NOT NULL) AS latencies,
    countIf(latency IS NOT NULL) AS timed
FROM
(
    SELECT tenant_id, review_subject_event_id,
        argMaxIf(toString(review_decision), event_time, review_decision NOT IN ('REQUESTED', 'UNKNOWN', ''))
            AS decision,
        maxIf(review_expires, review_decision = 'REQUESTED') AS expires,
        argMaxIf(review_latency_us, event_time, review_decision NOT IN ('REQUESTED', 'UNKNOWN', ''))
            AS latency
    FROM ({events})
    GROUP BY tenant_id, review_subject_event_id
)
GROUP BY tenant_id ORDER BY tenant_id""",
)


@dataclass(frozen=True, slots=True)
class Fallback:
    """Calls that went from one model to another for a reason.

    Attributes:
        tenant: Whose.
        from_model: Model that would have been used.
        to_model: Model that was.
        reason: Why.
        events: How often.
        longest: Number of the last attempt of the longest chain.
    """

    tenant: str
    from_model: str
    to_model: str
    reason: str
    events: int
    longest: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How often a guardrail or an evaluation came to something.

    Attributes:
        tenant: Whose.
        name: Policy, or name of the evaluation.
        outcome: Verdict and action, or label.
        events: How often.
        total: How often it came to anything.
        score: Mean score of an evaluation; None without any.
    """

    tenant: str
    name: str
    outcome: str
    events: int
    total: int
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Reviews:
    """What people were asked and how they decided.

    Attributes:
        tenant: Whose.
        subjects: Actions that they were asked about.
        pending: Those without a decision that may still come.
        expired: Those whose time ran out.
        approved: Approved ones.
        rejected: Rejected ones.
        overridden: Those in which a person decided against the policy.
        escalated: Those handed on.
        rubber_stamps: Those let through in less than `RUBBER_STAMP_US`.
        median_us: Median time from request to decision; None when no decision tells it.
        p95_us: 95th percentile of the same.
    """

    tenant: str
    subjects: int
    pending: int
    expired: int
    approved: int
    rejected: int
    overridden: int
    escalated: int
    rubber_stamps: int
    median_us: int | None
    p95_us: int | None

    @property
    def decided(self) -> int:
        """How many were decided by a person."""
        return self.approved + self.rejected + self.overridden


@dataclass(frozen=True, slots=True)
class Oversight:
    """All of it."""

    fallbacks: list[Fallback]
    guardrails: list[Outcome]
    evaluations: list[Outcome]
    reviews: list[Reviews]


def oversight(reader: Reader, span: Span, now: datetime, *, tenant: str | None = None) -> Oversight:
    """Return what watched the actions of a period.

    A review belongs to the period when any of its events does; what is decided after it is pending in it.

    Args:
        reader: The store.
        span: Range of event_time.
        now: By when a request has expired.
        tenant: Only this one's.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    current = current_events(reader, tenant=tenant, period=span.period)

    def rows(asked: _Asked) -> list[tuple[object, ...]]:
        conditions = Conditions()
        conditions.add(f"event_type = {conditions.bind(asked.event_type, 'String')}")
        conditions.add_period(span.period)
        if tenant is not None:
            conditions.add_tenant(tenant)
        at = conditions.bind(time_text(now), "DateTime64(6, 'UTC')")
        stamp = conditions.bind(RUBBER_STAMP_US, "Int64")
        sql = asked.sql.format(events=current.select(asked.columns, conditions), now=at, stamp=stamp)
        doing = f"read of {asked.about}"
        return list(current.reader.table(sql, conditions.parameters, doing=doing).rows)

    return Oversight(
        fallbacks=[
            Fallback(str(row[0]), str(row[1]), str(row[2]), str(row[3]), _whole(row[4]), _whole(row[5]))
            for row in rows(_FALLBACKS)
        ],
        guardrails=[
            Outcome(str(row[0]), str(row[1]), f"{row[2]}, {row[3]}", _whole(row[4]), _whole(row[5]))
            for row in rows(_GUARDRAILS)
        ],
        evaluations=[
            Outcome(str(row[0]), str(row[1]), str(row[2]), _whole(row[3]), _whole(row[4]), _score(row[5]))
            for row in rows(_EVALUATIONS)
        ],
        reviews=[_reviews(row) for row in rows(_REVIEWS)],
    )


def _reviews(row: tuple[object, ...]) -> Reviews:
    tenant, latencies = str(row[0]), row[9]
    subjects, pending, expired, approved, rejected, overridden, escalated, stamps = map(_whole, row[1:9])
    median = p95 = None
    if _whole(row[10]) and isinstance(latencies, (list, tuple)):
        median, p95 = map(_whole, latencies)
    return Reviews(
        tenant=tenant,
        subjects=subjects,
        pending=pending,
        expired=expired,
        approved=approved,
        rejected=rejected,
        overridden=overridden,
        escalated=escalated,
        rubber_stamps=stamps,
        median_us=median,
        p95_us=p95,
    )


def _whole(value: object) -> int:
    return int(str(value))


def _score(value: object) -> float | None:
    return None if value is None else float(str(value))
