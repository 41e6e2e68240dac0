"""The pytest fixture that other people's tests use."""

from __future__ import annotations

import asyncio

import pytest

from auditstream_sdk import AsyncAuditClient, AuditClient
from auditstream_sdk.encoding import UnencodableError

NOT_CONFIGURED = AuditClient()


@NOT_CONFIGURED.tool_call(name="module")
def decorated() -> None:
    """Stand for a function of somebody's module."""


def test_what_a_client_that_is_not_configured_records_is_kept(audit_recorder):
    with NOT_CONFIGURED.inference(provider="openai", request_model="gpt-4o") as call:
        call.usage(input_tokens=5)
    decorated()

    event = audit_recorder.assert_recorded(
        "ai.inference", provider="openai", input_tokens=5, outcome="SUCCESS"
    )
    audit_recorder.assert_recorded("ai.tool_call", name="module")

    assert event["usage"] == {"input_tokens": 5, "source": "PROVIDER"}
    assert [each["event_type"] for each in audit_recorder.events] == ["ai.inference", "ai.tool_call"]


def test_a_client_made_during_the_test_records_there_too_and_nothing_is_sent(audit_recorder, gateway):
    client = AuditClient(url=gateway.url, key="k", source="svc://x", spool="none", mode="blocking-strict")

    receipt = client.record({"event_type": "ai.tool_call", "tool": {"name": "search"}})

    assert receipt.event_id == audit_recorder.assert_recorded("ai.tool_call")["event_id"]
    assert gateway.requests == 0


def test_a_client_that_awaits_records_there_too(audit_recorder):
    async def run() -> None:
        async with AsyncAuditClient().retrieval(top_k=3):
            pass

    asyncio.run(run())

    audit_recorder.assert_recorded("ai.retrieval", retrieval={"top_k": 3})


def test_after_the_test_nothing_is_recorded_any_more():
    assert not NOT_CONFIGURED.is_recording


def test_a_missing_event_is_explained_by_what_was_recorded(audit_recorder):
    NOT_CONFIGURED.tool_call(name="search").record()

    with pytest.raises(AssertionError, match=r"no ai.inference was recorded; recorded was: ai.tool_call"):
        audit_recorder.assert_recorded("ai.inference")
    with pytest.raises(AssertionError, match="of the nearest, name is 'search', not 'delete'"):
        audit_recorder.assert_recorded("ai.tool_call", name="delete", outcome="SUCCESS")


def test_an_event_that_the_gateway_would_refuse_is_no_event(audit_recorder):
    NOT_CONFIGURED.policy_decision(id="pii").record()

    with pytest.raises(AssertionError, match=r"without policy.verdict: it would be refused"):
        audit_recorder.assert_recorded("ai.policy.decision")
    with pytest.raises(UnencodableError, match=r"tool.name: object"):
        NOT_CONFIGURED.tool_call(name=object()).record()
