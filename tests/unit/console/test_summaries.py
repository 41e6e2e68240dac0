"""Events as sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.console.kinds import _KINDS
from auditstream.console.summaries import _SAID, summary
from schemas.columns import BY_NAME
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            {
                "event_type": "ai.inference", "agent_name": "Planner", "actor_id": "u-3",
                "actor_type": "USER",
                "inference_request_model": "gpt-4o", "inference_response_model": "gpt-4o-2024",
                "inference_provider": "openai", "input_tokens": 1200, "output_tokens": 30,
                "outcome": "SUCCESS", "duration_us": 812_000,
            },
            "Agent Planner, for user u-3, called gpt-4o-2024 of openai: 1,200 tokens in, 30 tokens out. "
            "It succeeded after 812 ms.",
        ),
        (
            {"event_type": "ai.tool_call", "actor_id": "svc", "actor_type": "SERVICE",
             "tool_name": "drop_table",
             "tool_side_effect": "DESTRUCTIVE", "outcome": "FAILURE", "error_type": "timeout"},
            "Service svc used tool drop_table, which destroys. It failed: timeout.",
        ),
        (
            {"event_type": "ai.policy.decision", "source": "svc://guard", "policy_id": "pii-out",
             "policy_verdict": "DENY", "policy_risk_category": "pii", "policy_mode": "MONITOR"},
            "Svc://guard was checked by policy pii-out: deny, for pii (only noted).",
        ),
        (
            {"event_type": "ai.budget", "source": "x", "budget_id": "b1", "budget_spent": Decimal("812.5"),
             "budget_limit": Decimal(1000), "budget_currency": "EUR"},
            "X reports that budget b1 stands at 812.50 of 1,000.00 EUR.",
        ),
        (
            {"event_type": "ai.config.change", "actor_id": "ada", "actor_type": "USER",
             "change_object_type": "prompt", "change_object_id": "p1", "change_ticket": "CHG-1"},
            "User ada changed prompt p1 under CHG-1.",
        ),
        ({"event_type": "vendor.thing", "source": "s"}, "S vendor.thing."),
        ({}, "Somebody event."),
    ],
)  # fmt: skip
def test_an_event_is_told_as_who_did_what_with_which_end(row: dict[str, Any], sentence: str) -> None:
    assert summary(row) == sentence


def test_every_kind_of_the_contract_has_words_and_a_sentence() -> None:
    assert set(_SAID) == set(_KINDS)


@given(st.sampled_from(sorted(_SAID)), st.data())
@settings(max_examples=examples(100), deadline=None)
def test_what_is_not_known_is_not_said(kind: str, data: st.DataObject) -> None:
    known = data.draw(st.sets(st.sampled_from(sorted(BY_NAME)), max_size=20))
    values: dict[str, Any] = {
        name: 3 if name.endswith(("_us", "tokens", "_index", "_rows", "_hits", "dropped")) else "x"
        for name in known
        if not name.startswith("budget_") and name != "evaluation_score" and name != "http_status"
    }
    told = summary(values | {"event_type": kind})

    assert "None" not in told
    assert told.endswith(".")
    assert "  " not in told
