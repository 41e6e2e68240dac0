"""What recorders make of the code that they are put around."""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from auditstream_sdk import AuditClient, audit_context
from auditstream_sdk.recorders import KINDS


class ProviderError(Exception):
    status_code = 429


def recorded(client: AuditClient, gateway: Any) -> list[dict[str, Any]]:
    assert client.flush(5)
    return gateway.events


def only(client: AuditClient, gateway: Any) -> dict[str, Any]:
    (event,) = recorded(client, gateway)
    return event


def test_a_block_becomes_an_event_with_its_family_usage_and_time(client, gateway):
    with client.inference(provider="openai", request_model="gpt-4o", operation="chat") as call:
        call.set(conversation_id="conv-1", attributes={"retry": 2})
        call.family["response_model"] = "gpt-4o-2024-08-06"
        call.usage(input_tokens=1200, cache_read_tokens=1000, output_tokens=50, by_modality={"text.input": 9})

    event = only(client, gateway)

    assert event["event_type"] == "ai.inference"
    assert event["inference"] == {
        "provider": "openai",
        "request_model": "gpt-4o",
        "operation": "chat",
        "response_model": "gpt-4o-2024-08-06",
    }
    assert event["usage"] == {
        "input_tokens": 1200,
        "cache_read_tokens": 1000,
        "output_tokens": 50,
        "by_modality": {"text.input": 9},
        "source": "PROVIDER",
    }
    assert (event["outcome"], event["conversation_id"]) == ("SUCCESS", "conv-1")
    assert event["attributes"] == {"retry": "2"}
    assert event["duration_us"] >= 0
    assert UUID(event["event_id"]).version == 7
    begun = datetime.fromisoformat(event["event_time"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - begun).total_seconds()) < 60


def test_an_exception_that_leaves_the_block_is_a_failure_and_goes_on(client, gateway):
    with pytest.raises(ProviderError), client.inference(provider="openai"):
        raise ProviderError("quota")

    event = only(client, gateway)

    assert (event["outcome"], event["http_status"]) == ("FAILURE", 429)
    assert event["error_type"].endswith("ProviderError")


def test_a_failure_that_the_block_handled_is_one_too(client, gateway):
    with client.tool_call(name="search") as call:
        call.fail("timeout", http_status=504)

    event = only(client, gateway)

    assert (event["outcome"], event["error_type"], event["http_status"]) == ("FAILURE", "timeout", 504)


def test_a_decorated_function_is_recorded_at_every_call(client, gateway):
    @client.tool_call(name="add", project_id="search")
    def add(one: int, other: int) -> int:
        """Add."""
        return one + other

    assert [add(1, 2), add(3, 4)] == [3, 7]
    assert (add.__name__, add.__doc__) == ("add", "Add.")

    events = recorded(client, gateway)

    assert [event["tool"] for event in events] == [{"name": "add"}] * 2
    assert {event["project_id"] for event in events} == {"search"}
    assert len({event["event_id"] for event in events}) == 2


def test_a_decorated_coroutine_function_is_recorded_until_it_is_done(client, gateway):
    @client.tool_call(name="slow")
    async def slow() -> str:
        await asyncio.sleep(0)
        raise ProviderError

    with pytest.raises(ProviderError):
        asyncio.run(slow())

    assert only(client, gateway)["outcome"] == "FAILURE"


def test_cancelling_the_caller_is_partial_and_no_failure_of_the_call(client, gateway):
    async def cancelled() -> None:
        with client.inference(provider="openai"):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())

    assert only(client, gateway)["outcome"] == "PARTIAL"


def test_a_point_in_time_is_recorded_without_a_block(client, gateway):
    client.policy_decision(id="pii", verdict="deny", mode="ENFORCE").record()

    event = only(client, gateway)

    assert event["policy"] == {"id": "pii", "verdict": "deny", "mode": "ENFORCE"}
    assert "duration_us" not in event


def test_lines_of_cost_add_up(client, gateway):
    amounts = {name: Decimal("1.50") for name in ("list", "contracted", "effective", "billed")}
    line = {"meter": "gpu", "unit": "seconds", "quantity": 900, "currency": "USD", **amounts}
    with client.operational_cost(**line) as call:
        call.cost(**{**line, "meter": "storage"})

    event = only(client, gateway)

    assert [each["meter"] for each in event["costs"]] == ["gpu", "storage"]
    assert event["costs"][0]["list"] == "1.50"


def test_a_field_that_events_do_not_have_is_a_type_error_at_once(client):
    with pytest.raises(TypeError, match="modle: events have no such field"):
        client.inference(provider="openai", modle="gpt-4o")
    with client.inference(provider="openai") as call, pytest.raises(TypeError, match="conversation"):
        call.set(conversation="c")


def test_a_recording_is_of_one_run(client):
    recording = client.tool_call(name="search")
    with recording:
        pass
    with pytest.raises(RuntimeError, match="one run"), recording:
        pass
    with pytest.raises(RuntimeError, match="recorded once"):
        recording.record()


def test_the_id_of_an_event_can_be_named_by_others_before_it_is_sent(client, gateway):
    with client.inference(provider="openai") as call:
        client.evaluation(name="toxicity", subject_event_id=call.event_id, score=0.1).record()

    evaluation, inference = recorded(client, gateway)

    assert evaluation["evaluation"]["subject_event_id"] == inference["event_id"]


def test_context_is_on_every_event_inside_and_ends_with_its_block(client, gateway):
    with audit_context(conversation_id="outer", project_id="p", attributes={"a": "1"}):
        with audit_context(conversation_id="inner", actor="user-1", attributes={"b": "2"}):
            client.retrieval(top_k=3).record()
        client.retrieval(top_k=3).record()
    client.retrieval(top_k=3).record()

    inner, outer, none = recorded(client, gateway)

    assert (inner["conversation_id"], inner["project_id"]) == ("inner", "p")
    assert (inner["actor_id"], inner["actor_type"]) == ("user-1", "USER")
    assert inner["attributes"] == {"a": "1", "b": "2"}
    assert (outer["conversation_id"], "actor_id" in outer) == ("outer", False)
    assert "conversation_id" not in none


def test_context_is_the_tasks_own(client, gateway):
    async def task(name: str) -> None:
        with audit_context(conversation_id=name):
            await asyncio.sleep(0)
            client.tool_call(name=name).record()

    async def both() -> None:
        await asyncio.gather(task("one"), task("two"))

    asyncio.run(both())

    found = {event["conversation_id"]: event["tool"]["name"] for event in recorded(client, gateway)}
    assert found == {"one": "one", "two": "two"}


def test_the_events_own_fields_win_over_context_and_context_over_the_clients(make_client, gateway):
    client = make_client(project_id="client", environment="production")
    with audit_context(project_id="context"):
        client.tool_call(name="a").record()
        client.tool_call(name="b", project_id="own").record()

    first, second = recorded(client, gateway)

    assert [first["project_id"], second["project_id"]] == ["context", "own"]
    assert first["environment"] == "production"


def test_the_active_opentelemetry_span_is_named_where_there_is_one(client, gateway, monkeypatch):
    context = types.SimpleNamespace(trace_id=0x4BF92F3577B34DA6A3CE929D0E0E4736, span_id=0xF067AA0BA902B7)
    span = types.SimpleNamespace(get_span_context=lambda: context)
    module = types.ModuleType("opentelemetry.trace")
    module.get_current_span = lambda: span
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", module)

    client.tool_call(name="search").record()

    event = only(client, gateway)
    assert event["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert event["span_id"] == "00f067aa0ba902b7"


def test_a_finished_event_is_taken_as_fields_of_the_contract(client, gateway):
    given = {
        "event_type": "ai.tool_call",
        "event_id": "0197F3A0-1C2B-7D4E-8F00-123456789ABC",
        "event_time": datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc),
        "tool": {"name": "search"},
        "project_id": None,
    }
    client.record(given)
    given["tool"]["name"] = "changed later"

    event = only(client, gateway)

    assert event["event_id"] == "0197f3a0-1c2b-7d4e-8f00-123456789abc"
    assert event["event_time"] == "2026-03-01T12:30:00Z"
    assert event["tool"] == {"name": "search"}
    assert "project_id" not in event


def test_numbers_are_dense_and_in_order_over_threads(client, gateway):
    def record() -> None:
        for _ in range(200):
            client.tool_call(name="search").record()

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    events = recorded(client, gateway)

    assert [event["source_seq"] for event in events] == list(range(1, 801))
    assert {event["source_instance"] for event in events} == {client.instance_id}


@pytest.mark.parametrize("name", KINDS)
def test_every_recorder_is_a_method_of_its_name(client, name):
    assert getattr(client, name)().kind is KINDS[name]
