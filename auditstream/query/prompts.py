"""How versions of prompts do, and variants of experiments: calls, failures, cost, latency, evaluations."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from auditstream.query.current_events import current_events
from auditstream.query.named_periods import Span
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader

READ_FROM = ("events_current",)
"""Tables that are read."""

# A conversation is in the variant that it was assigned last in the period.
_CALLS = """
SELECT *
FROM ({calls}) AS e
LEFT JOIN
(
{assignments}
    GROUP BY tenant_id, conversation_id
) AS a USING (tenant_id, conversation_id)"""
_OF_CALLS = """tenant_id, conversation_id, event_id, inference_prompt_name AS name,
    inference_prompt_version AS version, outcome, cost_status, cost_currency, cost_effective, duration_us"""
_OF_ASSIGNMENTS = "tenant_id, conversation_id, argMax(experiment_variant, event_time) AS variant"
_OF_SCORES = """tenant_id, lower(evaluation_subject_event_id) AS subject, evaluation_name AS evaluation,
    avg(evaluation_score) AS score"""
_FIGURES = """
SELECT tenant_id, name, version, variant, count() AS calls, countIf(outcome = 'FAILURE') AS failures,
    countIf(cost_status = 'priced') AS priced,
    sumMapIf([toString(cost_currency)], [ifNull(cost_effective, 0)], cost_status = 'priced') AS costs,
    count(duration_us) AS timed,
    quantilesExactIf(0.5, 0.95)(assumeNotNull(duration_us), duration_us IS NOT NULL) AS latencies
FROM ({calls})
GROUP BY tenant_id, name, version, variant ORDER BY tenant_id, name, version, variant"""
_SCORES = """
SELECT tenant_id, name, version, variant, evaluation, count() AS scored, avg(score), stddevSamp(score)
FROM ({calls}) AS c
INNER JOIN
(
{scores}
    GROUP BY tenant_id, subject, evaluation
) AS s ON s.tenant_id = c.tenant_id AND s.subject = toString(c.event_id)
GROUP BY tenant_id, name, version, variant, evaluation ORDER BY evaluation"""

Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of one evaluation.

    Attributes:
        evaluation: Its name.
        count: Calls that it scored; several scores of one call are their mean.
        mean: Mean score.
        deviation: Sample standard deviation; 0 of a single call.
    """

    evaluation: str
    count: int
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class PromptUse:
    """How a version of a prompt did in a variant.

    Attributes:
        key: Tenant, prompt, version and variant; the variant is empty outside of experiments.
        calls: Calls of models.
        failures: Those that failed.
        priced: Those that have a price.
        costs: What these cost, by currency.
        timed: Calls whose length is known.
        p50_us: Median length; None without any.
        p95_us: 95th percentile of it.
        scores: Evaluations by name.
    """

    key: Key
    calls: int
    failures: int
    priced: int
    costs: dict[str, Decimal]
    timed: int
    p50_us: int | None
    p95_us: int | None
    scores: list[Scored] = field(default_factory=list)


def prompt_uses(reader: Reader, span: Span, *, tenant: str | None = None) -> list[PromptUse]:
    """Return how prompts did in a period, by tenant, prompt, version and variant.

    Args:
        reader: The store.
        span: Range of event_time; an evaluation outside of it does not count.
        tenant: Only this one's.

    Raises:
        StoreSchemaError: The tables are not those of this version.
        RetryableError: No answer.
    """
    current = current_events(reader, tenant=tenant, period=span.period)
    shared = Conditions()

    def selected(what: str, *clauses: str) -> str:
        conditions = shared.beside()
        for clause in clauses:
            conditions.add(clause)
        conditions.add_period(span.period)
        if tenant is not None:
            conditions.add_tenant(tenant)
        return current.select(what, conditions)

    calls = selected(_OF_CALLS, "event_type = 'ai.inference'", "inference_prompt_name != ''")
    assignments = selected(
        _OF_ASSIGNMENTS, "event_type = 'ai.experiment.assignment'", "conversation_id != ''"
    )
    scores = selected(_OF_SCORES, "event_type = 'ai.evaluation'", "evaluation_score IS NOT NULL")
    parts = {"calls": _CALLS.format(calls=calls, assignments=assignments), "scores": scores}

    def rows(sql: str) -> tuple[tuple[object, ...], ...]:
        return current.reader.table(sql.format(**parts), shared.parameters, doing="read of prompts").rows

    found = {use.key: use for use in map(_use, rows(_FIGURES))}
    for *key, evaluation, count, mean, deviation in rows(_SCORES):
        spread = float(str(deviation)) if int(str(count)) > 1 else 0.0
        scored = Scored(str(evaluation), int(str(count)), float(str(mean)), spread)
        found[_key(key)].scores.append(scored)
    return list(found.values())


def _use(row: tuple[object, ...]) -> PromptUse:
    calls, failures, priced = (int(str(each)) for each in row[4:7])
    costs, timed, latencies = row[7], int(str(row[8])), row[9]
    p50 = p95 = None
    if timed and isinstance(latencies, (list, tuple)):
        p50, p95 = (int(str(each)) for each in latencies)
    currencies, amounts = costs if isinstance(costs, (list, tuple)) else ((), ())
    return PromptUse(
        key=_key(row[:4]),
        calls=calls,
        failures=failures,
        priced=priced,
        costs={str(name): Decimal(str(amount)) for name, amount in zip(currencies, amounts, strict=True)},
        timed=timed,
        p50_us=p50,
        p95_us=p95,
    )


def _key(names: tuple[object, ...] | list[object]) -> Key:
    tenant, name, version, variant = map(str, names)
    return tenant, name, version, variant
