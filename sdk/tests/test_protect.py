"""What `protect` is given, what leaves instead, and what cannot be hidden does not leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread, current_thread
from typing import Any

import pytest

from auditstream_sdk import AsyncAuditClient, AuditClient, RefusedError
from auditstream_sdk.testing.gateway import LocalGateway
from conftest import MakeClient
from tests_of_sdk import losses, names, tool_calls

SECRET = "Ada asks for her order"


def hidden(event: Mapping[str, Any]) -> dict[str, Any]:
    """Hide the actor and everything in attributes."""
    found = {name: value for name, value in event.items() if name not in {"attributes", "actor_id"}}
    return found | {"attributes": {"hidden": "yes"}}


def record(client: AuditClient, name: str = "search") -> None:
    with client.tool_call(name=name) as call:
        call.set(actor_id=SECRET, attributes={"content.input": SECRET})


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_leaves_is_what_protect_returned(make_client: MakeClient, gateway: LocalGateway) -> None:
    client = make_client(protect=hidden)
    record(client)
    client.record({"event_type": "ai.tool_call", "tool": {"name": "finished"}, "actor_id": SECRET})
    assert client.flush()

    events = tool_calls(gateway.wait_for(lambda kept: len(kept) >= 2))
    assert names(events) == ["search", "finished"]
    assert SECRET not in str(events)
    assert [event["attributes"] for event in events] == [{"hidden": "yes"}] * 2
    assert [event["source_seq"] for event in events] == [1, 2]


def test_the_spool_never_holds_what_protect_hides(
    make_client: MakeClient, gateway: LocalGateway, tmp_path: Path
) -> None:
    gateway.behave = lambda request: request.answer(503)
    client = make_client(protect=hidden, fsync="always")
    record(client)
    client.close(0.3)

    spooled = on_disk(tmp_path / "spool")
    assert b'"search"' in spooled
    assert SECRET.encode() not in spooled


def test_an_event_that_cannot_be_protected_is_told_of_and_costs_no_other(
    make_client: MakeClient, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses_one(event: Mapping[str, Any]) -> Mapping[str, Any]:
        if event.get("tool", {}).get("name") == "second":
            raise ValueError(SECRET)
        return hidden(event)

    client = make_client(protect=refuses_one)
    for name in ("first", "second", "third"):
        record(client, name)
    assert client.flush()

    events = gateway.wait_for(lambda kept: len(kept) >= 3)
    assert names(events) == ["first", "third"]
    (loss,) = losses(events)
    assert (loss["first"], loss["last"], loss["reason"], loss["detail"]) == (
        2,
        2,
        "unprotected",
        "ValueError",
    )
    assert client.dropped == 1
    assert SECRET not in str(events) + caplog.text


def test_in_mode_blocking_strict_who_waits_is_told(make_client: MakeClient) -> None:
    def refuses(event: Mapping[str, Any]) -> Mapping[str, Any]:
        raise LookupError(SECRET)

    client = make_client(protect=refuses, mode="blocking-strict")
    with pytest.raises(RefusedError) as raised:
        client.record({"event_type": "ai.tool_call", "tool": {"name": "search"}})
    assert raised.value.reason == "unprotected"
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("protect", [hidden, None], ids=["it hides", "it fails"])
def test_reports_of_the_client_itself_hide_what_all_its_events_have(
    make_client: MakeClient, gateway: LocalGateway, protect: Callable[..., Any] | None
) -> None:
    def fails(event: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ValueError(SECRET)

    client = make_client(protect=protect or fails, heartbeat_s=0.02, actor_id=SECRET)
    client.record({"event_type": "ai.tool_call", "tool": {"name": "search"}})

    def has_beat(kept: list[dict[str, Any]]) -> bool:
        return any("heartbeat" in event for event in kept)

    assert SECRET not in str(gateway.wait_for(has_beat))


def test_only_the_background_runs_protect(make_client: MakeClient, gateway: LocalGateway) -> None:
    threads = set()

    def noted(event: Mapping[str, Any]) -> Mapping[str, Any]:
        threads.add(current_thread().name)
        return event

    client = make_client(protect=noted, queue_events=2, queue_wait_s=5.0)
    for number in range(300):
        record(client, str(number))
    assert client.flush()
    assert threads == {"auditstream-sdk"}
    assert client.dropped == 0
    assert names(gateway.events) == [str(number) for number in range(300)]


def test_a_caller_never_waits_for_protect(make_client: MakeClient, gateway: LocalGateway) -> None:
    entered, may_go_on = Event(), Event()

    def slow(event: Mapping[str, Any]) -> Mapping[str, Any]:
        entered.set()
        assert may_go_on.wait(20)
        return event

    client = make_client(protect=slow, queue_events=2, queue_wait_s=0.01)
    record(client, "first")
    assert entered.wait(20)
    caller = Thread(target=lambda: [record(client, "more") for _ in range(6)])
    caller.start()
    caller.join(20)
    is_stuck = caller.is_alive()
    may_go_on.set()
    caller.join(20)
    assert not is_stuck
    assert client.flush()
    told = losses(gateway.events)
    assert client.dropped == sum(each["last"] - each["first"] + 1 for each in told) > 0


async def awaited(gateway: LocalGateway, tmp_path: Path, settings: Mapping[str, Any]) -> None:
    async with AsyncAuditClient(
        url=gateway.url, spool=tmp_path / "spool", protect=hidden, **settings
    ) as client:
        async with client.tool_call(name="search") as call:
            call.set(actor_id=SECRET)
        assert await client.flush()


def test_the_client_for_code_that_awaits_has_it_too(gateway: LocalGateway, tmp_path: Path) -> None:
    import asyncio

    from conftest import QUICK

    asyncio.run(awaited(gateway, tmp_path, QUICK))
    events = gateway.wait_for(lambda kept: len(kept) >= 1)
    assert SECRET not in str(events)
    assert events[0]["attributes"] == {"hidden": "yes"}
