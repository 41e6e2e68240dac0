"""Usage deltas: what a segment adds, exact, once, and the same bytes at every replay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import RegistryDownError
from auditstream.core.ports import Block
from schemas.subjects import Subject
from tests.support.bad_messages import framed
from tests.support.events import COST_LINE
from tests.support.examples import examples
from tests.support.fault_worker import PackagedSchemas
from tests.support.recorders import LOG, messages_to, record_in, recorder_of, segment_of

USAGE = "audit.usage.v1"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LARGEST = 2**63 - 1


INFERENCE = {"operation": "chat", "provider": "openai", "request_model": "gpt-4o"}


def call(**changes: Any) -> dict[str, Any]:
    """Return the fields of a model call."""
    return {
        "event_time": NOON,
        "tenant_id": "acme",
        "outcome": "SUCCESS",
        "inference": INFERENCE,
        "usage": {"input_tokens": 100, "output_tokens": 10},
        **changes,
    }


def cost(amount: str, currency: str = "USD") -> dict[str, Any]:
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal(amount))
    return {**COST_LINE, **amounts, "currency": currency}


def deltas(*values: Any, **options: Any) -> list[dict[str, Any]]:
    block = recorder_of().build(segment_of(values, **options))
    return [record_in(message, "usage_delta") for message in messages_to(USAGE, block)]


def only_line(*values: Any) -> dict[str, Any]:
    [delta] = deltas(*values)
    [line] = delta["lines"]
    return line


def test_a_delta_names_its_segment_and_sums_what_agrees_in_every_dimension() -> None:
    fields = {"project_id": "p", "environment": "prod", "credential_id": "k", "agent_id": "a"}
    one = call(**fields, duration_us=1_000, costs=[cost("0.1"), cost("0.000000000001")])
    other = call(**fields, event_time=NOON + timedelta(seconds=59), duration_us=3_000, costs=[cost("0.2")])
    [delta] = deltas(one, other, lo=40, revision=7)

    lines = delta.pop("lines")
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("0.300000000001"))
    assert delta == {
        "log_id": str(LOG),
        "segment_id": f"{LOG}/40-41",
        "segment_index": 40,
        "part": 0,
        "parts": 1,
        "tenant_id": "acme",
        "watermark": NOON + timedelta(seconds=59),
        "reference_revision": 7,
        "recorded_from": datetime.fromtimestamp(4_102_444_799, UTC),
        "recorded_until": datetime.fromtimestamp(4_102_444_799, UTC),
        "entities": [],
    }
    assert lines == [
        {
            "minute": NOON,
            **fields,
            "provider": "openai",
            "model": "gpt-4o",
            "event_type": "ai.inference",
            "outcome": "SUCCESS",
            "events": 2,
            "failures": 0,
            "blocked": 0,
            "input_tokens": 200,
            "output_tokens": 20,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
            "unpriced": 0,
            "timed": 2,
            "duration_sum_us": 4_000,
            "duration_max_us": 3_000,
            "feature_id": "",
            "tool_name": "",
            "prompt_name": "",
            "prompt_version": "",
            "denied": 0,
            "paced_us": 4_000,
            "paced_tokens": 20,
            "latency_bins": [73, 85],
            "latency_counts": [1, 1],
            "costs": [{"currency": "USD", **amounts}],
        }
    ]


def test_a_message_is_keyed_by_its_tenant_and_has_an_id_to_drop_repeats_by() -> None:
    block = recorder_of().build(segment_of([call(tenant_id="b"), call(tenant_id="a/0"), call(tenant_id="")]))
    found = [(m.key, dict(m.headers)["usage_delta_id"]) for m in messages_to(USAGE, block)]
    assert found == [
        (b"a/0", f"{LOG}/0-2/0/a/0".encode()),
        (b"b", f"{LOG}/0-2/0/b".encode()),
        (b"unattributed", f"{LOG}/0-2/0/unattributed".encode()),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_time", NOON + timedelta(minutes=1)),
        ("project_id", "x"),
        ("environment", "x"),
        ("credential_id", "x"),
        ("agent_id", "x"),
        ("event_type", "ai.embedding"),
        ("outcome", "BLOCKED"),
        ("inference", {"operation": "chat", "provider": "x", "request_model": "gpt-4o"}),
        ("inference", {"operation": "chat", "provider": "openai", "request_model": "x"}),
        ("costs", [cost("1", "EUR")]),
        ("feature_id", "x"),
        ("tool", {"name": "x"}),
        ("inference", {**INFERENCE, "prompt_name": "x"}),
        ("inference", {**INFERENCE, "prompt_version": "x"}),
    ],
)
def test_what_differs_in_a_dimension_or_the_currency_has_lines_of_its_own(field: str, value: Any) -> None:
    [delta] = deltas(call(), call(**{field: value}), call())
    assert sorted(line["events"] for line in delta["lines"]) == [1, 2]


def test_a_repeat_counts_once() -> None:
    line = only_line(framed(1, **call()), framed(1, **call()), framed(2, **call()))
    assert (line["events"], line["input_tokens"]) == (2, 200)


def test_an_event_of_an_earlier_segment_counts_there_alone() -> None:
    first = recorder_of().build(segment_of([call(), call()]))
    again = recorder_of(first).build(segment_of([framed(0, **call()), framed(1, **call())], lo=2))
    assert len(messages_to(USAGE, first)) == 1
    assert again.duplicates == 2
    assert messages_to(USAGE, again) == []


def test_a_segment_without_an_event_has_no_delta_and_asks_the_registry_nothing() -> None:
    class SilentRegistry(PackagedSchemas):
        def id_of(self, subject: Subject) -> int:
            raise RegistryDownError("no answer")

    recorder = recorder_of(schemas=SilentRegistry())
    block = recorder.build(segment_of([b"junk", None]))
    assert {message.topic for message in block.outbound} == {"audit.dlq.v1"}
    with pytest.raises(RegistryDownError):
        recorder.build(segment_of([call()]))


def test_failures_and_blocked_events_are_counted_and_what_has_no_price_is_named() -> None:
    [delta] = deltas(
        call(outcome="FAILURE"),
        call(outcome="BLOCKED", usage=None),
        call(inference={"operation": "chat", "provider": "nobody", "request_model": "none"}),
    )
    found = {
        (line["provider"], line["outcome"]): (line["failures"], line["blocked"], line["unpriced"])
        for line in delta["lines"]
    }
    assert found == {
        ("openai", "FAILURE"): (1, 0, 0),
        ("openai", "BLOCKED"): (0, 1, 0),
        ("nobody", "SUCCESS"): (0, 0, 1),
    }
    [unpriced] = [line for line in delta["lines"] if line["unpriced"]]
    assert unpriced["costs"] == []


def test_the_model_is_the_one_that_answered() -> None:
    line = only_line(call(inference={**INFERENCE, "response_model": "gpt-4o-2024-08-06"}))
    assert line["model"] == "gpt-4o-2024-08-06"


def test_denials_and_the_pace_of_answers_are_summed_over_the_events_that_have_them() -> None:
    policy = {"id": "pii", "target": "input"}
    line = only_line(
        call(duration_us=700, policy={**policy, "verdict": "deny"}),
        call(duration_us=None, policy={**policy, "verdict": "allow"}),
        call(duration_us=50, usage={"input_tokens": 1}),
        call(duration_us=40, usage={"input_tokens": 1, "output_tokens": 0}),
    )
    assert (line["denied"], line["paced_us"], line["paced_tokens"]) == (1, 700, 10)


def test_what_does_not_say_how_much_it_wrote_slows_no_answer_down() -> None:
    line = only_line(call(duration_us=700), call(duration_us=50, usage={"input_tokens": 1}))
    assert (line["paced_us"], line["paced_tokens"], line["duration_sum_us"]) == (700, 10, 750)


def test_a_sketch_counts_durations_by_bins_that_grow_by_a_tenth() -> None:
    durations = [0, 1, 2, 1_000, 1_050, 1_051, LARGEST, None]
    line = only_line(*(call(duration_us=each) for each in durations))
    assert line["latency_bins"] == [0, 8, 73, 459]
    assert line["latency_counts"] == [2, 1, 3, 1]
    assert sum(line["latency_counts"]) == line["timed"]


def test_lines_have_their_own_sketches_also_where_one_has_none() -> None:
    [delta] = deltas(
        call(project_id="a", duration_us=2),
        call(project_id="b"),
        call(project_id="c", duration_us=1_000),
        call(project_id="c", duration_us=1_000),
    )
    found = {each["project_id"]: (each["latency_bins"], each["latency_counts"]) for each in delta["lines"]}
    assert found == {"a": ([8], [1]), "b": ([], []), "c": ([73], [2])}


def test_rare_names_of_a_tenant_share_a_line_and_another_tenant_keeps_its_own() -> None:
    made_up = [call(tool={"name": f"tool-{number:03}"}) for number in range(200)]
    often = [call(tool={"name": "tool-199"})] * 2
    other = [call(tenant_id="globex", tool={"name": "tool-000"})]
    acme, globex = deltas(*made_up, *often, *other)
    found = {each["tool_name"]: each["events"] for each in acme["lines"]}
    assert found == {"__other__": 136, "tool-199": 3, **{f"tool-{number:03}": 1 for number in range(63)}}
    assert [each["tool_name"] for each in globex["lines"]] == ["tool-000"]


def test_regions_servers_and_hosts_come_with_the_first_part_and_are_bounded() -> None:
    values = [
        call(
            credential_id=f"k{number}",
            inference={**INFERENCE, "region": "eu" if number % 2 else "us", "server_host": f"h{number:03}"},
        )
        for number in range(130)
    ]
    server = call(tenant_id="b", tool={"name": "t", "mcp_server": "https://mcp.example"})
    first, second, of_b = deltas(*values, server)
    regions = [each for each in first["entities"] if each["kind"] == "region"]
    assert regions == [of_tenant("region", name, 65) for name in ("eu", "us")]
    assert [each["name"] for each in first["entities"] if each["kind"] == "host"] == [
        f"h{number:03}" for number in range(32)
    ]
    assert second["entities"] == []
    assert of_b["entities"] == [of_tenant("mcp_server", "https://mcp.example", 1)]


def of_tenant(kind: str, name: str, events: int) -> dict[str, Any]:
    return {
        "kind": kind, "name": name, "events": events, "credential_id": "",
        "minute": datetime.fromtimestamp(0, UTC),
    }  # fmt: skip


def of_credentials(delta: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (each["kind"], each["name"], each["credential_id"], each["events"])
        for each in delta["entities"]
        if each["credential_id"]
    ]


def test_a_credential_is_told_with_where_it_was_used_from_and_by_what() -> None:
    used = {
        "credential_id": "k", "src_country": "DE", "src_asn": 64_500, "src_ip": "192.0.2.7",
        "user_agent": "OpenAI/Python 1.40.0", "actor_type": "SERVICE",
    }  # fmt: skip
    updated = {**used, "user_agent": "openai/python 1.41.0", "src_ip": "192.0.2.9"}
    [found] = deltas(
        call(**used), call(**updated), call(**used | {"src_ip": "2001:db8:1:2::3", "src_country": None})
    )
    assert of_credentials(found) == [
        ("country", "DE", "k", 2),
        ("network", "AS64500", "k", 3),
        ("block", "192.0.2.0", "k", 2),
        ("block", "2001:db8:1::", "k", 1),
        ("user_agent", "openai", "k", 3),
    ]
    [line] = found["lines"]
    assert {each["minute"] for each in found["entities"]} == {line["minute"]}


def test_where_a_person_is_that_a_service_works_for_is_not_where_its_key_is() -> None:
    used = {"credential_id": "k", "src_country": "DE", "src_ip": "no address"}
    person, nobody = call(**used, actor_type="USER"), call(src_country="BR", actor_type="SERVICE")
    [found] = deltas(person, nobody, call(**used, actor_type="SERVICE", user_agent=" ("))
    assert of_credentials(found) == [("country", "DE", "k", 1)]


def test_entities_of_credentials_beyond_what_a_delta_has_are_a_sample() -> None:
    values = [
        call(credential_id=f"k{number}", src_country="DE", actor_type="SERVICE") for number in range(700)
    ]
    found = of_credentials(deltas(*values)[0])
    assert len(set(found)) == len(found) == 128
    assert found == sorted(found, key=lambda each: each[2])
    assert found == of_credentials(deltas(*values)[0])


def test_a_sum_that_no_long_holds_stays_at_the_largest_one() -> None:
    huge = call(duration_us=LARGEST)
    assert only_line(huge, huge, huge)["duration_sum_us"] == LARGEST


def test_negative_amounts_are_kept() -> None:
    line = only_line(call(costs=[cost("-0.5")]), call(costs=[cost("0.25")]))
    assert [each["billed"] for each in line["costs"]] == [Decimal("-0.25")]


def test_a_dimension_that_is_nobodys_name_is_cut_and_a_delta_of_many_lines_comes_in_parts() -> None:
    """What one event may bring would else pass what Kafka takes in a message, and stop the partition."""
    long = "ü" * 100_000
    inference = {"operation": "chat", "provider": long, "request_model": long}
    named = dict.fromkeys(("project_id", "environment", "agent_id"), long)
    values = [call(credential_id=f"{number:04}{long}", **named, inference=inference) for number in range(300)]
    block = recorder_of().build(segment_of(values))
    messages = messages_to(USAGE, block)
    parts = [record_in(message, "usage_delta") for message in messages]
    assert [(part["part"], part["parts"], len(part["lines"])) for part in parts] == [
        (0, 3, 128),
        (1, 3, 128),
        (2, 3, 44),
    ]
    assert len({dict(message.headers)["usage_delta_id"] for message in messages}) == 3
    assert max(len(message.value or b"") for message in messages) < 900_000
    names = [line["credential_id"] for part in parts for line in part["lines"]]
    assert names == [f"{number:04}{long}"[:256] for number in range(300)]


def test_the_watermark_trusts_no_clock_that_is_ahead_of_the_brokers() -> None:
    ahead = NOON + timedelta(days=900)
    values = [call(), call(event_time=ahead), b"junk"]
    stamps = [int(NOON.timestamp() * 1000) + 5_000] * 3
    [delta] = deltas(*values, timestamps_ms=stamps)
    assert delta["watermark"] == NOON + timedelta(seconds=5)
    assert {line["minute"] for line in delta["lines"]} == {NOON, ahead}


def test_an_events_broker_time_is_its_own_also_behind_a_record_that_is_none() -> None:
    noon_ms = int(NOON.timestamp() * 1000)
    [delta] = deltas(b"junk", call(event_time=NOON + timedelta(days=1)), timestamps_ms=[0, noon_ms])
    assert delta["watermark"] == NOON


def test_the_log_is_recorded_until_the_broker_time_of_the_last_record_whatever_that_is() -> None:
    noon_ms = int(NOON.timestamp() * 1000)
    [delta] = deltas(call(), b"junk", timestamps_ms=[noon_ms, noon_ms + 3_000])
    assert (delta["watermark"], delta["recorded_from"]) == (NOON, NOON)
    assert delta["recorded_until"] == NOON + timedelta(seconds=3)


def test_the_watermark_is_the_segments_for_every_tenant() -> None:
    late = NOON + timedelta(minutes=3)
    found = deltas(call(tenant_id="a", event_time=late), b"junk", call(tenant_id="b"))
    assert [delta["watermark"] for delta in found] == [late, late]


def mixture(count: int = 400) -> list[Any]:
    """Return many events in no order: tenants, minutes, models, currencies, repeats, bad bytes."""
    models = ("gpt-4o", "o3", "none")
    return [
        b"junk"
        if number % 17 == 3
        else framed(
            number % 350,
            **call(
                tenant_id=f"t{number % 7 % 4}",
                event_time=NOON + timedelta(seconds=number * 37 % 600),
                inference={"operation": "chat", "provider": "openai", "request_model": models[number % 3]},
                credential_id=f"k{number % 5}",
                costs=[cost(f"0.{number:012}", "EUR")] if number % 11 == 0 else [],
            ),
        )
        for number in range(count)
    ]


def test_a_replay_publishes_the_same_messages_to_the_byte() -> None:
    values = mixture()
    before = recorder_of().build(segment_of(mixture(20)))
    replaying = recorder_of(before)
    first, *replays = (
        recorder.build(segment_of(values, lo=20)).outbound
        for recorder in (recorder_of(before), replaying, replaying)
    )
    assert replays == [first] * 2
    assert len([message for message in first if message.topic == USAGE]) == 4


@pytest.mark.parametrize("what", ["credential_id", "event_time"])
def test_the_order_of_the_events_changes_the_order_of_nothing(what: str) -> None:
    said = [
        f"k{number}" if what == "credential_id" else NOON + timedelta(minutes=number) for number in range(10)
    ]
    events = [
        (number * 7 % 10, framed(number, **call(**{what: said[number * 7 % 10]}, duration_us=number)))
        for number in range(50)
    ]
    straight, reverse, grouped = (
        deltas(*(value for _, value in order)) for order in (events, events[::-1], sorted(events))
    )
    assert [line["duration_sum_us"] for line in straight[0]["lines"]] == [
        sum(number for number in range(50) if number * 7 % 10 == place) for place in range(10)
    ]
    assert straight == reverse == grouped


events = st.fixed_dictionaries(
    {
        "number": st.integers(0, 30),
        "tenant_id": st.sampled_from(["", "a", "b"]),
        "event_time": st.integers(0, 200).map(lambda seconds: NOON + timedelta(seconds=seconds)),
        "outcome": st.sampled_from(["UNKNOWN", "SUCCESS", "FAILURE", "BLOCKED"]),
        "duration_us": st.none() | st.integers(0, 10**9),
        "usage": st.none() | st.fixed_dictionaries({"input_tokens": st.integers(0, 10**6)}),
        "costs": st.lists(
            st.builds(
                cost,
                st.decimals(-(10**6), 10**6, places=12, allow_nan=False).map(str),
                st.sampled_from(["USD", "EUR"]),
            ),
            max_size=2,
        ),
    }
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.none() | events, min_size=1, max_size=40))
def test_the_sums_of_all_lines_are_those_of_the_rows(drawn: list[dict[str, Any] | None]) -> None:
    values = [b"junk" if each is None else _framed(each) for each in drawn]
    block = recorder_of().build(segment_of(values))
    found = [record_in(message, "usage_delta") for message in messages_to(USAGE, block)]
    assert summed_lines(found) == summed_rows(block)


def _framed(fields: dict[str, Any]) -> bytes:
    others = {name: value for name, value in fields.items() if name != "number"}
    return framed(fields["number"], **call(**others))


def summed_lines(found: Sequence[dict[str, Any]]) -> dict[tuple[Any, ...], list[Any]]:
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, Decimal(0)])
    for delta in found:
        for line in delta["lines"]:
            [(currency, billed)] = [(c["currency"], c["billed"]) for c in line["costs"]] or [("", 0)]
            _add(
                sums[delta["tenant_id"], line["minute"], line["outcome"], currency],
                line["events"],
                line["input_tokens"],
                line["timed"],
                line["duration_sum_us"],
                line["unpriced"],
                billed,
            )
    return dict(sums)


def summed_rows(block: Block) -> dict[tuple[Any, ...], list[Any]]:
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, Decimal(0)])
    for row in block.frame.iter_rows(named=True):
        if row["leaf_kind"] == 0 and row["duplicate_of"] is None:
            minute = row["event_time"].replace(second=0, microsecond=0)
            _add(
                sums[row["tenant_id"], minute, row["outcome"], row["cost_currency"]],
                1,
                row["input_tokens"] or 0,
                int(row["duration_us"] is not None),
                row["duration_us"] or 0,
                int(row["cost_status"] == "unpriced"),
                row["cost_billed"] or 0,
            )
    return dict(sums)


def _add(sums: list[Any], *values: Any) -> None:
    sums[:] = [each + value for each, value in zip(sums, values, strict=True)]
