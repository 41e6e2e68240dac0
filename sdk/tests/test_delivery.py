"""A gateway that is away, refuses, hangs, cuts or answers in part: what is kept, and what is told of."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from typing import Any

import pytest

from auditstream_sdk import AsyncAuditClient, NotAcknowledgedError, RefusedError
from auditstream_sdk.errors import ClosedError
from auditstream_sdk.testing.gateway import LocalGateway, Request
from tests_of_sdk import QUICK, losses, names, tool_calls


def failing(times: int, status: int, told: Any = None, **headers: str) -> Any:
    """Return a behaviour that answers so often with a status, and then well."""
    left = [times]

    def behave(request: Request) -> None:
        if left[0] > 0:
            left[0] -= 1
            request.answer(status, told, **headers)

    return behave


def record(client: Any, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        client.tool_call(name=f"t{number}").record()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_a_busy_gateway_does_not_take_is_sent_again(client, gateway, status):
    gateway.behave = failing(2, status)
    record(client, 3)

    assert client.flush(10)
    assert names(gateway.events) == ["t0", "t1", "t2"]
    assert losses(gateway.events) == []


def test_retry_after_is_waited_for(client, gateway):
    gateway.behave = failing(1, 503, retry_after="1")
    begun = time.monotonic()
    record(client, 1)

    assert client.flush(10)
    assert time.monotonic() - begun >= 1


def test_a_gateway_that_is_not_there_yet_gets_everything_later(make_client):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    client = make_client(url=f"http://127.0.0.1:{port}")
    record(client, 5)
    assert not client.flush(0.1)

    with LocalGateway(port=port) as late:
        assert client.flush(10)
        assert names(late.events) == ["t0", "t1", "t2", "t3", "t4"]


def test_an_answer_that_was_cut_off_makes_duplicates_and_no_second_events(client, gateway):
    gateway.behave = lambda request: request.keep_and_cut() if gateway.requests == 1 else None
    record(client, 3)

    assert client.flush(10)
    ids = [event["event_id"] for event in tool_calls(gateway.events)]
    assert (len(ids), len(set(ids))) == (6, 3)


def test_a_gateway_that_hangs_is_left_at_the_deadline_and_the_queue_is_written_meanwhile(
    make_client, gateway, tmp_path
):
    client = make_client(request_timeout_s=0.5, queue_events=1000)
    over = threading.Event()
    gateway.behave = lambda request: request.hang(over) if gateway.requests == 1 else None
    record(client, 1)
    while gateway.requests < 1:
        time.sleep(0.001)
    record(client, 900, first=1)  # into the spool while the request hangs
    log = next((tmp_path / "spool").glob("*.log"))
    until = time.monotonic() + 0.4
    while b'"t900"' not in log.read_bytes() and time.monotonic() < until:
        time.sleep(0.001)
    was_written = b'"t900"' in log.read_bytes()

    assert client.flush(10)
    over.set()
    assert was_written
    assert len(names(gateway.events)) == 901


def test_a_host_that_does_not_even_refuse_is_given_up_at_the_deadline(make_client, tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        waiting = []
        for _ in range(8):  # until the kernel has no room for another one, and lets whoever comes wait
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(address)
        client = make_client(url=f"http://127.0.0.1:{address[1]}", connect_timeout_s=0.4)
        record(client, 1)
        assert not client.flush(0.2)
        record(client, 300, first=1)  # into the spool while it connects
        log = next((tmp_path / "spool").glob("*.log"))
        until = time.monotonic() + 5
        while b'"t300"' not in log.read_bytes():
            assert time.monotonic() < until
            time.sleep(0.001)
        for each in waiting:
            each.close()


def test_an_answer_that_drips_does_not_outlast_the_deadline(make_client):
    over = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.settimeout(0.05)
            while not over.is_set():
                try:
                    connection.sendall(b"H")
                    connection.recv(1 << 16)
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        client = make_client(
            url=f"http://127.0.0.1:{server.getsockname()[1]}",
            request_timeout_s=0.3,
            mode="blocking",
            deadline_s=0.5,
        )
        begun = time.monotonic()
        client.tool_call(name="t").record()
        assert not client.close(0.4)
        over.set()
        thread.join()
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("told", [b"", b"[]", b"{", b'{"accepted": 2}', b'{"ids": 7}', b"[" * 100_000])
def test_an_answer_that_cannot_be_read_is_none(client, gateway, told):
    gateway.behave = failing(2, 202, told)
    record(client, 2)

    assert client.flush(10)
    assert names(gateway.events) == ["t0", "t1"]


def test_the_body_of_an_answer_that_ends_the_connection_is_read(client, gateway):
    def close_late(request: Request) -> None:
        gateway.keep(request.events)
        told = {"accepted": len(request.events), "ids": [event["event_id"] for event in request.events]}
        body = json.dumps(told).encode()
        request.answer(202, b"", content_length=str(len(body)), connection="close")
        time.sleep(0.02)  # so that the head arrives alone
        request.write(body)

    gateway.behave = close_late
    for number in range(3):
        record(client, 1, first=number)
        assert client.flush(10)

    assert names(gateway.events) == ["t0", "t1", "t2"]


def test_events_that_an_answer_leaves_out_are_sent_again(client, gateway):
    def half(request: Request) -> None:
        kept = request.events[: max(1, len(request.events) // 2)]
        gateway.keep(kept)
        request.answer(202, {"accepted": len(kept), "ids": [event["event_id"] for event in kept]})

    gateway.behave = half
    record(client, 8)

    assert client.flush(10)
    assert sorted(names(gateway.events)) == [f"t{number}" for number in range(8)]


@pytest.mark.parametrize("unacknowledged", [{"t2", "t5"}, {"t0", "t1", "t2", "t3", "t4", "t5"}])
@pytest.mark.parametrize("status", [202, 503])
def test_events_that_kafka_did_not_acknowledge_are_sent_again_and_not_told_of_as_refused(
    client, gateway, status, unacknowledged
):
    def behave(request: Request) -> None:
        if gateway.requests > 1:
            return
        rejected = [
            {"index": index, "code": "unavailable", "field": "", "detail": "Kafka did not acknowledge"}
            for index, event in enumerate(request.events)
            if event.get("tool", {}).get("name") in unacknowledged
        ]
        refused = {each["index"] for each in rejected}
        kept = [event for index, event in enumerate(request.events) if index not in refused]
        gateway.keep(kept)
        ids = [event["event_id"] for event in kept]
        request.answer(
            status, {"code": "unavailable", "accepted": len(kept), "ids": ids, "rejected": rejected}
        )

    gateway.behave = behave
    record(client, 6)

    assert client.flush(10)
    assert set(names(gateway.events)) == {f"t{number}" for number in range(6)}
    assert losses(gateway.events) == []
    assert client.dropped == 0


def test_a_refused_event_costs_no_other_and_is_told_of(client, gateway, caplog):
    gateway.behave = lambda request: request.accept(
        lambda _, event: "contract" if event.get("tool", {}).get("name") in {"t2", "t3", "t7"} else None
    )
    record(client, 9)

    assert client.flush(10)
    gateway.wait_for(lambda _: len(losses(gateway.events)) == 2)
    assert names(gateway.events) == ["t0", "t1", "t4", "t5", "t6", "t8"]
    assert [(each["first"], each["last"], each["reason"]) for each in losses(gateway.events)] == [
        (3, 4, "refused:contract"),
        (8, 8, "refused:contract"),
    ]
    assert losses(gateway.events)[0]["detail"] == "event_type"
    assert client.dropped == 3
    assert [record.levelname for record in caplog.records if "refused" in record.message] == ["ERROR"]


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_batch_that_is_refused_as_a_whole_is_split_down_to_the_event_at_fault(client, gateway, status):
    def refuse_whole(request: Request) -> None:
        if any(event.get("tool", {}).get("name") == "t5" for event in request.events):
            request.answer(status, {"code": "at_fault", "detail": "too bad", "field": "tool.name"})

    gateway.behave = refuse_whole
    record(client, 11)

    assert client.flush(10)
    gateway.wait_for(lambda _: losses(gateway.events))
    assert names(gateway.events) == [f"t{number}" for number in range(11) if number != 5]
    assert [(each["first"], each["reason"]) for each in losses(gateway.events)] == [(6, "refused:at_fault")]


def test_a_batch_that_shrinks_more_than_the_gateway_believes_is_sent_as_it_is(client, gateway):
    def believe_nothing_compressed(request: Request) -> None:
        if "content-encoding" in request.headers:
            request.answer(413, {"code": "decompression_bomb", "detail": "shrank too much"})

    gateway.behave = believe_nothing_compressed
    record(client, 3)

    assert client.flush(10)
    assert names(gateway.events) == ["t0", "t1", "t2"]
    assert losses(gateway.events) == []


def test_reports_have_attributes_as_events_have_them(make_client, gateway):
    client = make_client(attributes={"shard": 7, "canary": True})
    client.tool_call(name=object()).record()

    assert client.flush(10)
    (report,) = gateway.wait_for(lambda kept: kept)
    assert {name: report["attributes"][name] for name in ("shard", "canary", "lost.reason")} == {
        "shard": "7",
        "canary": "true",
        "lost.reason": "unencodable",
    }


@pytest.mark.parametrize("default", [{"environment": object()}, {"attributes": "none"}])
def test_defaults_that_no_event_can_have_cost_events_and_not_the_word_about_it(make_client, gateway, default):
    client = make_client(tenant="acme", **default)
    record(client, 2)

    assert client.flush(10)
    assert [(each["first"], each["reason"]) for each in losses(gateway.events)] == [
        (1, "unencodable"),
        (2, "unencodable"),
    ]
    assert {event["tenant_id"] for event in gateway.events} == {"acme"}


def test_another_tenants_event_is_refused_and_not_the_key(client, gateway):
    gateway.behave = lambda request: (
        request.answer(403, {"code": "tenant_mismatch", "detail": "not yours", "field": "tenant_id"})
        if any(event.get("tenant_id") == "other" for event in request.events)
        else None
    )
    client.tool_call(name="bad", tenant_id="other").record()
    client.tool_call(name="good").record()

    assert client.flush(10)
    assert names(gateway.events) == ["good"]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
def test_a_refused_key_or_address_keeps_everything_and_is_said_loudly_once(client, gateway, caplog, status):
    gateway.behave = failing(3, status, {"code": "unauthenticated", "detail": "no such key"}, location="/x")
    record(client, 4)

    assert client.flush(10)
    assert names(gateway.events) == ["t0", "t1", "t2", "t3"]
    assert losses(gateway.events) == []
    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "no such key" in errors[0]
    assert "ask_test_secret" not in caplog.text


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("told", [b"<html>400 Bad Request</html>", {"detail": [{"loc": ["body"]}]}])
def test_a_server_that_is_not_the_gateway_refuses_no_event(client, gateway, caplog, status, told):
    gateway.behave = failing(3, status, told)
    record(client, 4)

    assert client.flush(10)
    assert names(gateway.events) == ["t0", "t1", "t2", "t3"]
    assert (losses(gateway.events), client.dropped) == ([], 0)
    assert f"http_{status}" in caplog.text


def test_blocking_returns_the_receipt(make_client, gateway):
    client = make_client(mode="blocking")

    with client.tool_call(name="search") as call:
        pass

    assert call.receipt.event_id == gateway.events[0]["event_id"]
    assert (call.receipt.topic, call.receipt.offset, len(call.receipt.value_sha256)) == (
        "audit.events.v1",
        0,
        64,
    )


def test_blocking_goes_on_without_a_word_at_the_deadline_and_the_event_comes_later(make_client, gateway):
    client = make_client(mode="blocking", deadline_s=0.2)
    gateway.behave = lambda request: request.answer(503)
    with client.tool_call(name="search") as call:
        pass
    assert call.receipt is None

    gateway.behave = None
    assert client.flush(10)
    assert names(gateway.events) == ["search"]


def test_strict_raises_without_an_acknowledgement_and_the_event_comes_later(make_client, gateway):
    client = make_client(mode="blocking-strict", deadline_s=0.2)
    gateway.behave = lambda request: request.answer(503)

    with (
        pytest.raises(NotAcknowledgedError, match=r"within 0\.2 s") as caught,
        client.tool_call(name="search"),
    ):
        pass

    gateway.behave = None
    assert client.flush(10)
    assert [event["event_id"] for event in gateway.events] == [caught.value.event_id]


def test_strict_says_why_an_event_is_refused(make_client, gateway):
    client = make_client(mode="blocking-strict")
    gateway.behave = lambda request: request.accept(lambda *_: "contract")

    with pytest.raises(RefusedError, match="event_type: told to") as caught:
        client.tool_call(name="search").record()

    assert caught.value.reason == "contract"
    with pytest.raises(RefusedError, match=r"tool.name: object"):
        client.tool_call(name=object()).record()


def test_strict_raises_at_once_when_the_key_is_refused(make_client, gateway):
    client = make_client(mode="blocking-strict", deadline_s=30, held_retry_s=30)
    gateway.behave = lambda request: request.answer(401)

    with pytest.raises(NotAcknowledgedError, match=r"refuses this client \(http_401.*waits in the spool"):
        client.tool_call(name="search").record()


def test_strict_leaves_the_callers_own_exception_as_it_is(make_client, gateway):
    client = make_client(mode="blocking-strict", deadline_s=0.1)
    gateway.behave = lambda request: request.answer(503)

    with pytest.raises(KeyError), client.tool_call(name="search"):
        raise KeyError


def test_queued_is_no_acknowledgement(make_client, gateway):
    strict = make_client(mode="blocking-strict")
    batch = make_client()
    gateway.behave = lambda request: request.answer(
        202, {"accepted": 0, "queued": len(request.events), "ids": [], "receipts": [], "rejected": []}
    )

    with pytest.raises(NotAcknowledgedError):
        strict.tool_call(name="search").record()
    batch.tool_call(name="search").record()
    assert batch.flush(5)


def test_many_threads_share_requests_when_they_block(make_client, gateway):
    client = make_client(mode="blocking-strict", deadline_s=20)
    receipts: list[Any] = []

    def run() -> None:
        for _ in range(25):
            receipts.append(client.tool_call(name="t").record())

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({receipt.event_id for receipt in receipts}) == 200
    assert gateway.requests < 200


def test_the_client_that_awaits_waits_for_the_word_without_holding_the_loop_up(gateway, tmp_path):
    async def run() -> list[Any]:
        settings = {**QUICK, "mode": "blocking-strict"}
        async with AsyncAuditClient(url=gateway.url, spool=tmp_path / "spool", **settings) as client:

            async def one(number: int) -> Any:
                async with client.tool_call(name=f"t{number}") as call:
                    pass
                return call.receipt

            return await asyncio.gather(*(one(number) for number in range(50)))

    receipts = asyncio.run(run())

    assert {receipt.event_id for receipt in receipts} == {e["event_id"] for e in tool_calls(gateway.events)}


def test_the_client_that_awaits_raises_in_strict(gateway, tmp_path):
    async def run() -> None:
        settings = {**QUICK, "mode": "blocking-strict", "deadline_s": 0.1}
        client = AsyncAuditClient(url=gateway.url, spool=tmp_path / "spool", **settings)
        with pytest.raises(NotAcknowledgedError):
            await client.tool_call(name="t").record()
        gateway.behave = None
        assert await client.flush(5)
        assert await client.close()
        with pytest.raises(ClosedError):
            await client.tool_call(name="t").record()

    gateway.behave = lambda request: request.answer(503)
    asyncio.run(run())


def test_after_close_nothing_is_recorded(make_client, caplog):
    batch, strict = make_client(), make_client(mode="blocking-strict")
    for client in (batch, strict):
        assert client.close()

    batch.tool_call(name="late").record()
    with pytest.raises(ClosedError):
        strict.tool_call(name="late").record()
    assert "closed; the event is not recorded" in caplog.text


def test_heartbeats_say_what_was_recorded_and_how_old_the_oldest_is(make_client, gateway):
    client = make_client(heartbeat_s=0.05)
    gateway.behave = lambda request: request.answer(503)
    record(client, 3)
    assert not client.flush(0.3)
    gateway.behave = None
    assert client.close(5)

    beats = [each for each in gateway.of_type("ai.source.heartbeat") if "attributes" not in each]

    assert all(beat["heartbeat"]["interval_us"] == 50_000 for beat in beats)
    assert max(beat["heartbeat"]["lag_us"] for beat in beats) >= 100_000
    assert beats[-1]["heartbeat"] | {"lag_us": 0} == {
        "interval_us": 50_000,
        "last_seq": 3,
        "dropped": 0,
        "lag_us": 0,
    }
    assert all("source_seq" not in beat for beat in beats)


def test_what_does_not_fit_is_dropped_with_its_numbers_and_reason(make_client, gateway):
    client = make_client(queue_events=10, spool="none", queue_bytes=20_000, queue_wait_s=0, batch_age_s=60)
    gateway.behave = lambda request: request.answer(503)
    record(client, 300)

    gateway.behave = None
    assert client.flush(20)
    client.close(5)
    lost = losses(gateway.events)
    numbers = {event["source_seq"] for event in tool_calls(gateway.events)}
    named = {n for each in lost for n in range(each["first"], each["last"] + 1)}

    assert lost
    assert numbers | named == set(range(1, 301))
    assert numbers & named == set()
    assert client.dropped == len(named)
    assert {each["reason"] for each in lost} <= {"queue_full", "spool_full"}


def test_what_json_has_no_form_for_is_dropped_alone(client, gateway, caplog):
    client.tool_call(name="good").record()
    client.tool_call(name="bad", type={1, "x"}).record()
    client.tool_call(name="half \ud800 pair").record()
    client.evaluation(name="nan", score=float("nan")).record()
    client.tool_call(name="x" * 600_000).record()
    client.record({"event_type": "ai.other", "attributes": 7})  # the gateway says what is wrong with it
    client.tool_call(name="good too").record()

    assert client.flush(5)
    assert [each["reason"] for each in losses(gateway.events)] == ["unencodable"] * 3 + ["too_large"]
    assert names(gateway.events)[0] == "good"
    assert names(gateway.events)[-1] == "good too"
    assert client.dropped == 4
    assert "tool.type" in losses(gateway.events)[0]["detail"]


def test_the_key_goes_into_a_header_and_bodies_are_compressed(client, gateway):
    seen: list[Any] = []
    gateway.behave = lambda request: seen.append(request.headers)
    record(client, 1)

    assert client.flush(5)
    assert seen[0]["authorization"] == "Bearer ask_test_secret"
    assert (seen[0]["content-encoding"], seen[0]["content-type"]) == ("gzip", "application/x-ndjson")
    assert seen[0]["user-agent"].startswith("auditstream-sdk/")
