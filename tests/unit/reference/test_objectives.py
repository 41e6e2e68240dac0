"""Objectives as documents state them: what is not of the indicator is refused by its name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditstream.reference.documents import Reading
from auditstream.reference.objectives import INDICATORS, SCOPES, THRESHOLDS_US, Objective

STATED = "kind: slo\nslo_id: a\nindicator: {indicator}\nobjective: '0.99'\nvalid_from: 2026-01-01\n"


def reading(text: str) -> Reading:
    found = Reading()
    found.add(text, "slo.yaml", now=datetime(2026, 11, 28, tzinfo=UTC))
    return found


@pytest.mark.parametrize("indicator", INDICATORS)
def test_every_indicator_has_what_it_may_be_asked_of(indicator: str) -> None:
    (stated,) = reading(STATED.format(indicator=indicator)).stated

    assert isinstance(stated.fact, Objective)
    assert stated.fact.limit_us == THRESHOLDS_US.get(indicator, 0)
    assert SCOPES[indicator]


@pytest.mark.parametrize(
    ("indicator", "line", "says"),
    [
        ("availability", "objective: '1'", "objective"),
        ("availability", "objective: '0'", "objective"),
        ("availability", "window_days: 6", "window_days"),
        ("availability", "threshold_us: 5", "threshold_us: availability has none"),
        ("availability", "scope: {colour: red}", "scope: 'colour' does not narrow availability"),
        ("availability", "scope: {model: ''}", "scope: model: must not be empty"),
        ("fallback", "scope: {model: m}", "scope: 'model' does not narrow fallback"),
        ("audit_completeness", "scope: {feature_id: f}", "source do"),
        ("availability", "reaction: fallback", "fallback_model: must be stated"),
    ],
)
def test_a_field_that_does_not_fit_is_refused_by_its_name(indicator: str, line: str, says: str) -> None:
    text = STATED.format(indicator=indicator)
    if line.startswith("objective"):
        text = text.replace("objective: '0.99'\n", "")
    (problem,) = reading(text + line + "\n").problems

    assert says in str(problem)
