"""The generated day: the same for the same seed, true to the contract, with what is planted in it."""

from __future__ import annotations

import io
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import fastavro
import pytest

from auditstream.core.errors import DecodeError
from auditstream.demo.cast import (
    CHANGED_PROMPT,
    IN_HOUSE,
    PROMPT_VERSIONS,
    SHADOW_CREDENTIAL,
    TENANT_OF,
    VARIANTS,
)
from auditstream.demo.day import LEAST_EVENTS, LEAST_WITH_INCIDENTS, Day
from auditstream.demo.incident import FOUND_BY
from auditstream.demo.sendings import Sending, Way
from auditstream.demo.shared_costs import SHARED
from auditstream.demo.spans import request_of
from auditstream.emit.message import Route, message_of
from auditstream.gateway.otlp.spans import spans_to_drafts
from schemas import contract
from schemas.codec import decode
from schemas.framing import framing_of
from schemas.intake import datum_of
from schemas.packaged import parsed_schema, schema_json

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
START = END - timedelta(hours=8)
EVENTS = 4_000
SCHEMA_ID = 17
ROUTE = Route("audit.events.v1", SCHEMA_ID, "http://registry/schemas/ids/17")


@cache
def generated(seed: int = 3, events: int = EVENTS) -> tuple[Day, list[Sending]]:
    day = Day(seed=seed, events=events, end=END)
    return day, list(day.sendings())


@cache
def datums() -> list[dict[str, Any]]:
    """The distinct events, as fastavro reads them."""
    schema = parsed_schema("audit_event")
    found = []
    for sending in events():
        value = message_of(datum_of(sending.draft, "audit_event"), ROUTE).value
        assert value is not None
        found.append(fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None))
    return found


def events() -> list[Sending]:
    return [sending for sending in generated()[1] if sending.kind == "event"]


def by_way(way: Way) -> list[Sending]:
    return [sending for sending in events() if sending.way == way]


def of_type(event_type: str) -> list[dict[str, Any]]:
    return [datum for datum in datums() if datum["event_type"] == event_type]


def test_one_seed_gives_one_day_and_another_seed_another() -> None:
    again = Day(seed=3, events=EVENTS, end=END)
    assert list(again.sendings()) == generated()[1]
    assert again.tally == generated()[0].tally
    assert generated(seed=4)[1] != generated()[1]


@pytest.mark.parametrize("events", [LEAST_EVENTS, 1_000, EVENTS])
@pytest.mark.parametrize("seed", range(3))
def test_there_are_exactly_as_many_messages_as_the_plan_says(seed: int, events: int) -> None:
    day, messages = generated(seed, events)
    kinds = Counter(message.kind for message in messages)
    assert kinds == {
        "event": day.events,
        "duplicate": day.planted.duplicates,
        "dead letter": day.planted.dead_letters,
    }
    assert len(messages) == day.expected_messages == day.tally.messages
    assert (day.tally.duplicates, day.tally.dead_letters) == (kinds["duplicate"], kinds["dead letter"])


def test_the_day_is_full_and_in_the_order_of_time() -> None:
    for seed in range(3):
        times = [each.draft["event_time"] for each in generated(seed)[1] if each.kind == "event"]
        assert times == sorted(times)
        moments = [datetime.fromtimestamp(time / 1e6, UTC) for time in (times[0], times[-1])]
        assert START <= moments[0] < START + timedelta(minutes=1)
        assert END - timedelta(minutes=8) < moments[1] < END


def test_every_event_keeps_the_contract() -> None:
    for sending in events():
        contract.check(datum_of(sending.draft, "audit_event"))


def test_ids_are_of_version_7_and_of_the_time_of_their_event() -> None:
    ids = [uuid.UUID(str(datum["event_id"])) for datum in datums()]
    assert len(set(ids)) == generated()[0].events > EVENTS
    for id_, datum in zip(ids, datums(), strict=True):
        assert id_.version == 7
        assert id_.int >> 80 == datum["event_time"].timestamp() * 1_000 // 1


def test_sequence_numbers_are_dense_in_every_source_instance_and_spans_have_none() -> None:
    sequences = defaultdict(list)
    for datum, sending in zip(datums(), events(), strict=True):
        if sending.way == "traces":
            assert datum["source_seq"] is None
        else:
            sequences[datum["source_instance"]].append(datum["source_seq"])
    assert len(sequences) > 6
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())
    for datum in of_type("ai.source.heartbeat"):
        assert datum["heartbeat"]["last_seq"] == datum["source_seq"]


def test_one_trace_is_one_turn_of_one_conversation() -> None:
    by_trace = defaultdict(list)
    for datum in datums():
        by_trace[datum["trace_id"]].append(datum)
    for events in by_trace.values():
        assert len({event["conversation_id"] for event in events}) == 1
        assert len({event["parent_span_id"] for event in events}) == 1
        assert len({event["span_id"] for event in events}) == len(events)
    turns = Counter(events[0]["conversation_id"] for events in by_trace.values())
    assert max(count for name, count in turns.items() if name) > 3


def test_all_that_the_day_promises_happens() -> None:
    seen = {datum["event_type"] for datum in datums()}
    assert seen >= {
        "ai.inference", "ai.embedding", "ai.retrieval", "ai.tool_call", "ai.agent.action",
        "ai.policy.decision", "ai.human.review", "ai.evaluation", "ai.rate_limit", "ai.routing",
        "ai.prompt.version", "ai.experiment.assignment", "ai.cost.operational", "ai.source.heartbeat",
        "ai.discovery",
    }  # fmt: skip
    assert {each["policy"]["verdict"] for each in of_type("ai.policy.decision")} >= {
        "allow",
        "deny",
        "modify",
    }
    assert {each["tool"]["type"] for each in of_type("ai.tool_call")} == {"mcp", "function"}
    assert {each["routing"]["reason"] for each in of_type("ai.routing")} == {"retry", "fallback"}
    assert {each["outcome"] for each in of_type("ai.inference")} == {"SUCCESS", "FAILURE"}
    assert {each["experiment"]["variant"] for each in of_type("ai.experiment.assignment")} == set(VARIANTS)
    assert {each["costs"][0]["category"] for each in of_type("ai.cost.operational")} == {
        "capacity", "storage", "people", *(each.category for each in SHARED),
    }  # fmt: skip


def test_reviews_are_asked_for_before_they_are_decided() -> None:
    requested = {}
    decided = 0
    for datum in of_type("ai.human.review"):
        review = datum["review"]
        if review["decision"] == "REQUESTED":
            requested[review["subject_event_id"]] = datum["event_time"]
            continue
        waited = datum["event_time"] - requested[review["subject_event_id"]]
        assert waited == timedelta(microseconds=review["latency_us"])
        assert review["decision"] in {"APPROVE", "REJECT"}
        decided += 1
    assert decided > 10
    judged = {str(datum["event_id"]) for datum in of_type("ai.policy.decision")}
    assert set(requested) <= judged


def test_a_prompt_changes_its_version_in_the_middle_of_the_day() -> None:
    (change,) = of_type("ai.prompt.version")
    assert change["event_time"] == START + timedelta(hours=4)
    calls = [each for each in of_type("ai.inference") if each["inference"]["prompt_name"] == CHANGED_PROMPT]
    old = [each for each in calls if each["event_time"] < change["event_time"]]
    new = [each for each in calls if each["event_time"] >= change["event_time"]]
    assert {each["inference"]["prompt_version"] for each in old} == {PROMPT_VERSIONS[0]}
    assert {each["inference"]["prompt_version"] for each in new} == {PROMPT_VERSIONS[1]}


def test_the_tally_counts_what_is_in_the_messages() -> None:
    tally = generated()[0].tally
    usages = [datum for datum in datums() if datum["usage"] is not None]
    assert tally.input_tokens == sum(each["usage"]["input_tokens"] for each in usages)
    assert tally.output_tokens == sum(each["usage"]["output_tokens"] or 0 for each in usages)
    in_house = [each for each in usages if each["inference"]["request_model"] == IN_HOUSE.name]
    assert tally.unpriced == len(in_house) > 0
    assert tally.by_type == Counter(each["event_type"] for each in datums())
    assert tally.by_tenant == Counter(TENANT_OF.get(each["credential_id"], "") for each in datums())
    assert tally.unregistered == sum(each["credential_id"] == SHADOW_CREDENTIAL for each in datums()) > 0
    named = {each["tenant_id"] for each in datums()}
    assert named == {*TENANT_OF.values(), ""}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("count", [LEAST_EVENTS, EVENTS])
def test_a_repeat_is_the_same_event_after_its_first_by_a_door_where_senders_repeat(
    seed: int, count: int
) -> None:
    _, sendings = generated(seed, count)
    gaps = []
    for position, sending in enumerate(sendings):
        if sending.kind == "duplicate":
            first = next(
                n for n, each in enumerate(sendings) if each.kind == "event" and each.draft == sending.draft
            )
            assert sending.way == sendings[first].way != "sdk"
            gaps.append(position - first)
    assert min(gaps) >= 1
    assert max(gaps) > 1, "some repeats come later"


def test_dead_letters_are_each_broken_in_another_way() -> None:
    schema = schema_json("audit_event")
    ways = set()
    for sending in generated()[1]:
        if sending.spoil is None:
            continue
        assert (sending.kind, sending.way) == ("dead letter", "kafka")
        message = message_of(datum_of(sending.draft, "audit_event"), ROUTE)
        value = sending.spoil(message.value or b"")
        try:
            framing = framing_of(value, message.headers)
        except DecodeError as error:
            ways.add(error.reason)
            continue
        if framing.schema != SCHEMA_ID:
            ways.add("unknown schema")
            continue
        assert value is not None
        with pytest.raises(DecodeError):
            decode(value[5:], schema)
        ways.add("undecodable")
    assert ways == {"bad_framing", "null_value", "empty_value", "unknown schema", "undecodable"}


def test_most_comes_by_the_sdk_and_every_door_is_used() -> None:
    ways = Counter(sending.way for sending in events())
    assert ways["sdk"] > len(events()) / 2
    assert min(ways[way] for way in ("ndjson", "cloudevents", "traces")) > 100
    unregistered = {sending.draft["credential_id"] for sending in by_way("kafka")}
    assert unregistered == {SHADOW_CREDENTIAL, ""}, "whoever has a key comes through the gateway"
    assert {each.draft["event_type"] for each in by_way("traces")} == {
        "ai.inference",
        "ai.embedding",
        "ai.retrieval",
    }


def test_a_span_s_event_is_the_one_of_the_day() -> None:
    sent = [
        sending.draft
        for seed in (3, 4, 5)
        for sending in generated(seed)[1]
        if (sending.kind, sending.way) == ("event", "traces")
    ]
    received = [draft.event for draft in spans_to_drafts(request_of(sent))]
    by_id = {str(event["event_id"]): event for event in received if event is not None}
    assert len(by_id) == len(sent)
    lost = {"schema_rev", "tenant_id", "credential_id", "severity"}  # the gateway's, or nothing a span says
    for draft in sent:
        event = by_id[draft["event_id"]] | {"event_id": draft["event_id"]}
        assert {name: event.get(name) for name in draft.keys() - lost - {"usage", "retrieval"}} == {
            name: value for name, value in draft.items() if name not in lost | {"usage", "retrieval"}
        }
        assert event.get("usage", {}) == draft.get("usage", {})
    assert any("usage" in draft for draft in sent)
    assert any(draft["outcome"] == "FAILURE" for draft in sent)


def test_turns_follow_each_other_in_a_conversation() -> None:
    turns: dict[str, list[datetime]] = defaultdict(list)
    traces: dict[str, str] = {}
    for datum in datums():
        if datum["conversation_id"] and traces.get(datum["conversation_id"]) != datum["trace_id"]:
            traces[datum["conversation_id"]] = datum["trace_id"]
            turns[datum["conversation_id"]].append(datum["event_time"])
    starts = [pair for times in turns.values() for pair in pairwise(times)]
    assert starts
    assert all(earlier < later for earlier, later in starts)


def test_a_day_with_enough_events_has_every_incident_once_and_a_smaller_one_has_none() -> None:
    day, _ = generated()
    assert sorted(each.kind for each in day.incidents) == sorted(FOUND_BY)
    assert all(START <= each.start < each.end <= END for each in day.incidents)
    assert day.tally.events == day.events
    quiet, _ = generated(events=LEAST_WITH_INCIDENTS - 1)
    assert (quiet.incidents, quiet.events) == ([], LEAST_WITH_INCIDENTS - 1)
    assert (day.events - EVENTS, 0) == (day.events_of_incidents, quiet.events_of_incidents)


def test_incidents_begin_at_least_half_an_hour_apart() -> None:
    starts = sorted(each.start for each in generated()[0].incidents if each.start > START)
    assert len(starts) == 6
    assert all(later - earlier >= timedelta(minutes=30) for earlier, later in pairwise(starts))
