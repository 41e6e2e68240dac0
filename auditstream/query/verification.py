"""Which outputs of models were verified: by a policy check, an evaluation or a review after them.

A check is of the output that it names (`subject_event_id`); one that names none is of the outputs before it
in its trace. A policy's check counts when it judged the output; a review when it came to a decision.
"""

from __future__ import annotations

from auditstream.query.predicates import Conditions
from sinks.expressions import ANSWERED_MODEL

KINDS = ("policy", "evaluation", "review")
"""What an output is verified by."""

OUTPUTS = "event_type = 'ai.inference' AND outcome = 'SUCCESS'"
"""What has an output to verify."""

FIRST_REPORT = "leaf_kind = 0 AND duplicate_of IS NULL AND same_call_as IS NULL"
"""One row an event, and one a model call."""

_DECIDED = "('APPROVE', 'REJECT', 'OVERRIDE')"

# A policy that says not what it judged counts for the event that it names, and for no other.
_CHECKS = f"""
SELECT tenant_id, event_time, trace_id,
    multiIf(event_type = 'ai.policy.decision', 'policy', event_type = 'ai.evaluation', 'evaluation', 'review')
        AS kind,
    lower(multiIf(kind = 'policy', policy_subject_event_id, kind = 'evaluation', evaluation_subject_event_id,
        review_subject_event_id)) AS subject
FROM events
WHERE leaf_kind = 0 AND duplicate_of IS NULL AND (
    event_type = 'ai.policy.decision'
        AND (policy_target = 'output' OR policy_target = '' AND policy_subject_event_id != '')
    OR event_type = 'ai.evaluation'
    OR event_type = 'ai.human.review' AND review_decision IN {_DECIDED})"""  # noqa: S608  built from constants
_TIMES = ", ".join(f"groupArrayIf(event_time, kind = '{kind}') AS {kind}" for kind in KINDS)
_BY = ", ".join(
    f"arrayExists(at -> at >= o.event_time AND at <= o.until, arrayConcat(s.{kind}, t.{kind})) AS by_{kind}"
    for kind in KINDS
)


def verified_sql(outputs: Conditions, *, within_us: int, start: str, end: str) -> str:
    """Return a query of outputs and whether each was verified in time.

    Its columns: `event_id, event_time, tenant_id, project_id, feature_id, model, by_policy, by_evaluation,
    by_review`.

    Args:
        outputs: What the outputs must be; its parameters are the query's.
        within_us: How long after its beginning an output may wait for its check.
        start: Placeholder of the first moment of outputs.
        end: Placeholder of the first moment after them.
    """
    within = outputs.bind(within_us, "Int64")
    until = f"addMicroseconds({end}, {within})"
    recorded = f"ingest_day >= toDate({start}) - 1"
    checks = f"{_CHECKS}\n    AND event_time >= {start} AND event_time < {until} AND {recorded}"
    return f"""
SELECT o.event_id AS event_id, o.event_time AS event_time, o.tenant_id AS tenant_id,
    o.project_id AS project_id, o.feature_id AS feature_id, o.model AS model, {_BY}
FROM
(
    SELECT event_id, toString(event_id) AS id, event_time, addMicroseconds(event_time, {within}) AS until,
        tenant_id, project_id, feature_id, {ANSWERED_MODEL} AS model, trace_id
    FROM events
    WHERE {FIRST_REPORT} AND {OUTPUTS} AND event_time >= {start} AND event_time < {end}
        AND {recorded} AND {outputs.sql}
) AS o
LEFT JOIN
(
    SELECT tenant_id, subject, {_TIMES} FROM ({checks}) WHERE subject != '' GROUP BY tenant_id, subject
) AS s ON s.tenant_id = o.tenant_id AND s.subject = o.id
LEFT JOIN
(
    SELECT tenant_id, trace_id, {_TIMES} FROM ({checks}) WHERE subject = '' AND trace_id != ''
    GROUP BY tenant_id, trace_id
) AS t ON t.tenant_id = o.tenant_id AND t.trace_id = o.trace_id"""  # noqa: S608  values are parameters
