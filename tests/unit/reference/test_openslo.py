"""OpenSLO documents: what can be said of ours is taken over, all else is refused by the name of its field."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from auditstream.reference.documents import Problem, Reading
from auditstream.reference.objectives import Objective

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)

RATIO = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: search-available
  displayName: Search answers
  annotations: {auditstream/reaction: fallback, auditstream/fallback_model: small, team: search}
spec:
  description: Nine of ten thousand may fail.
  service: search
  indicator:
    metadata: {name: answers}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: auditstream, spec: &what {indicator: availability, tenant_id: acme,
          scope: {feature_id: search}}}}
        total: {metricSource: {type: auditstream, spec: *what}}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: Good, target: 0.9991}]
"""

THRESHOLD = """
apiVersion: openslo/v1
kind: SLI
metadata: {name: first-chunk}
spec:
  thresholdMetric:
    metricSource: {type: auditstream, spec: {indicator: latency_ttft, tenant_id: acme, unit: s}}
---
apiVersion: openslo/v1
kind: Service
metadata: {name: search}
spec: {description: Finds things.}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: quick}
spec:
  service: search
  indicatorRef: first-chunk
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{op: lte, value: 1.5, targetPercent: 99.5}]
"""


def read(text: str) -> Reading:
    reading = Reading()
    reading.add(text, "slos.yaml", now=NOW)
    return reading


def problem(text: str) -> Problem:
    reading = read(text)
    (found,) = reading.problems
    assert reading.stated == []
    return found


def test_a_ratio_is_an_objective_of_ours() -> None:
    (stated,) = read(RATIO).stated

    assert stated.fact == Objective(
        slo_id="search-available",
        tenant_id="acme",
        scope={"feature_id": "search"},
        indicator="availability",
        objective=Decimal("0.9991"),
        window_days=28,
        reaction="fallback",
        fallback_model="small",
        valid_from=NOW,
    )


def test_a_threshold_of_an_indicator_of_the_same_file_is_one_in_microseconds() -> None:
    reading = read(THRESHOLD)
    assert reading.problems == []
    (stated,) = reading.stated

    fact = stated.fact
    assert isinstance(fact, Objective)
    assert (fact.slo_id, fact.indicator, fact.threshold_us) == ("quick", "latency_ttft", 1_500_000)
    assert (fact.objective, fact.window_days) == (Decimal("0.995"), 30)


def test_json_says_the_same() -> None:
    reading = Reading()
    reading.add(
        '{"apiVersion": "openslo/v1", "kind": "SLO", "metadata": {"name": "a"}, "spec": {"indicator":'
        ' {"spec": {"ratioMetric": {"rawType": "success", "raw": {"metricSource": {"type": "auditstream",'
        ' "spec": {"indicator": "fallback"}}}}}}, "timeWindow": [{"duration": "7d", "isRolling": true}],'
        ' "objectives": [{"target": 0.95}]}}',
        "slos.json",
        now=NOW,
    )

    assert reading.problems == []
    assert reading.stated[0].fact.key == ("a",)


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("openslo/v1", "openslo/v2alpha", "apiVersion"),
        ("kind: SLO", "kind: DataSource", "kind"),
        ("Occurrences", "Timeslices", "spec.budgetingMethod"),
        ("isRolling: true", "isRolling: false", "spec.timeWindow.0.isRolling"),
        ("4w", "1M", "spec.timeWindow.0.duration"),
        ("4w", "1d", "spec.timeWindow.0.duration"),
        ("[{duration: 4w, isRolling: true}]", "[]", "spec.timeWindow"),
        ("{duration: 4w, ", "{duration: 4w, calendar: {timeZone: UTC}, ", "spec.timeWindow.0.calendar"),
        ("target: 0.9991", "target: 1", "spec.objectives.0.target"),
        ("target: 0.9991", "target: 0.9, targetPercent: 90", "spec.objectives.0.target"),
        ("target: 0.9991", "targetPercent: many", "spec.objectives.0.targetPercent"),
        ("target: 0.9991", "target: 0.9, timeSliceTarget: 0.9", "spec.objectives.0.timeSliceTarget"),
        ("target: 0.9991", "target: 0.9, op: lte", "spec.objectives.0.op"),
        ("0.9991}]", "0.9991}, {target: 0.5}]", "spec.objectives"),
        ("  service:", "  alertPolicies: [{alertPolicyRef: page}]\n  service:", "spec.alertPolicies"),
        ("  service:", "  priority: 1\n  service:", "spec.priority"),
        (
            "good: {metricSource: {type: auditstream",
            "good: {metricSource: {type: Prometheus",
            "spec.indicator.spec.ratioMetric.good.metricSource.type",
        ),
        (
            "total: {metricSource: {type: auditstream, spec: *what}}",
            "",
            "spec.indicator.spec.ratioMetric.total",
        ),
        (
            "spec: *what",
            "spec: {indicator: availability}",
            "spec.indicator.spec.ratioMetric.total.metricSource.spec",
        ),
        (
            "spec: &what {",
            "spec: &what {query: up, ",
            "spec.indicator.spec.ratioMetric.good.metricSource.spec.query",
        ),
        ("indicator: availability", "indicator: happiness", "indicator"),
        ("auditstream/reaction: fallback", "auditstream/mood: bad", "metadata.annotations.auditstream/mood"),
        (
            "auditstream/reaction: fallback",
            "auditstream/reaction: cry",
            "metadata.annotations.auditstream/reaction",
        ),
        ("  name: search-available\n", "", "metadata.name"),
    ],
)
def test_what_cannot_be_said_is_refused_by_its_field(before: str, after: str, field: str) -> None:
    assert before in RATIO
    found = problem(RATIO.replace(before, after, 1))

    assert (found.document, found.field) == (1, field)
    assert found.reason


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ("op: lte", "op: gt", "spec.objectives.0.op"),
        (", unit: s", "", "spec.indicatorRef.thresholdMetric.metricSource.spec.unit"),
        ("value: 1.5", "value: fast", "spec.objectives.0.value"),
        ("value: 1.5", "value: 0.0000001", "spec.objectives.0.value"),
        ("latency_ttft", "availability", "spec.objectives.0.value"),
        ("indicatorRef: first-chunk", "indicatorRef: last-chunk", "spec.indicatorRef"),
        ("  indicatorRef: first-chunk\n", "", "spec.indicator"),
    ],
)
def test_a_threshold_that_cannot_be_said_is_refused_by_its_field(before: str, after: str, field: str) -> None:
    assert before in THRESHOLD
    found = problem(THRESHOLD.replace(before, after, 1))

    assert (found.document, found.field) == (3, field)
