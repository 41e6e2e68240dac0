"""Findings of the record worker: owners that are not believed, and partitions that are paused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditstream.core.ports import LogId, Trip
from auditstream.reference.owners import Credential, Tenant
from streams.dead_letter_limit import DeadLetterLimit
from tests.support.bad_messages import datum, framed
from tests.support.facts import FixedDirectory
from tests.support.recorders import LOG, messages_to, record_in, recorder_of, segment_of

FINDINGS = "audit.findings.v1"
START = datetime(2020, 1, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DIRECT = LogId("audit.direct.acme.v1", 2, "0a1b2c3d")
FACTS = FixedDirectory(
    {
        1: [
            Tenant(tenant_id="acme", name="Acme", valid_from=START),
            Tenant(tenant_id="gone", name="Gone", active=False, valid_from=START),
            Credential(credential_id="key-acme", tenant_id="acme", valid_from=START),
        ]
    }
)


def false(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an event that claims a tenant which its credential does not belong to."""
    time = NOON + timedelta(seconds=number)
    return {"tenant_id": "globex", "credential_id": "key-acme", "event_time": time, **changes}


def findings(*values: Any, **options: Any) -> list[dict[str, Any]]:
    block = recorder_of(directory=FACTS).build(segment_of(values, revision=1, **options))
    return [record_in(message, "finding") for message in messages_to(FINDINGS, block)]


def test_claims_that_their_credential_contradicts_are_one_finding_a_segment() -> None:
    honest = {"tenant_id": "acme", "credential_id": "key-acme"}
    [found] = findings(honest, *(false(number) for number in range(8)), honest)
    finding_id = found.pop("finding_id")
    assert len(finding_id) == 64
    assert {name: value for name, value in found.items() if value not in (None, "", [], {})} == {
        "version": 0,
        "tenant_id": "unattributed",
        "rule_id": "attribution.disputed",
        "detector_version": "1",
        "title": "8 events of credential=key-acme claim tenant globex: the credential is another tenant's",
        "status": "NEW",
        "severity": 4,
        "confidence": 100,
        "scope": "claim=globex credential=key-acme",
        "metric": "claim_and_credential",
        "window_start": NOON,
        "window_end": NOON + timedelta(seconds=7, microseconds=1),
        "observed": 8.0,
        "expected": 0.0,
        "related_events": [datum(number)["event_id"] for number in range(1, 6)],
        "segment_id": f"{LOG}/0-9",
    }


@pytest.mark.parametrize(
    ("event", "log", "scope", "reason"),
    [
        (false(), LOG, "claim=globex credential=key-acme", "claim_and_credential"),
        (false(credential_id=None), DIRECT, "claim=globex source=urn:test", "topic_and_claim"),
        (false(tenant_id="gone", credential_id=None), LOG, "claim=gone source=urn:test", "tenant_closed"),
    ],
)
def test_a_finding_says_who_claimed_what_and_why_it_is_not_believed(
    event: dict[str, Any], log: LogId, scope: str, reason: str
) -> None:
    [found] = findings(event, log=log)
    assert (found["scope"], found["metric"]) == (scope, reason)


def test_what_nobody_claimed_and_what_nobody_contradicts_is_no_finding() -> None:
    assert findings({}, {"tenant_id": "unheard-of"}, {"credential_id": "key-acme"}, b"junk") == []


def test_a_repeat_raises_no_finding_of_its_own() -> None:
    [found] = findings(framed(1, **false()), framed(1, **false()))
    assert found["observed"] == 1.0


def test_names_that_anyone_can_make_up_do_not_make_more_findings_than_twenty_one() -> None:
    values = [false(tenant_id=f"t{number % 60:02}") for number in range(100)]
    found = findings(*values)
    assert len({each["finding_id"] for each in found}) == len(found) == 21
    assert [each["observed"] for each in found] == [2.0] * 20 + [60.0]
    assert found[-1]["title"] == "60 more events name owners that are not believed, in 40 groups"
    assert {each["tenant_id"] for each in found} == {"unattributed"}


def test_a_name_of_a_megabyte_does_not_make_a_finding_that_kafka_refuses() -> None:
    block = recorder_of(directory=FACTS).build(
        segment_of([false(tenant_id="gone", credential_id=None, source="ü" * 500_000)], revision=1)
    )
    [message] = messages_to(FINDINGS, block)
    assert len(message.value or b"") < 10_000


def test_a_replay_raises_the_same_findings_and_another_segment_others() -> None:
    values = [false(number, tenant_id=f"t{number % 30}") for number in range(90)]
    first, again, other = (
        messages_to(FINDINGS, recorder_of(directory=FACTS).build(segment_of(values, lo=lo, revision=1)))
        for lo in (0, 0, 500)
    )
    assert first == again
    assert [message.key for message in first] == [b"unattributed"] * 21
    ids = [{dict(message.headers)["finding_id"] for message in each} for each in (first, other)]
    assert not ids[0] & ids[1]


def tripped(*values: Any, log: LogId = LOG, **limits: Any) -> tuple[LogId, Trip]:
    limit = DeadLetterLimit(**{"max_ratio": 0.5, "max_in_a_row": 10_000, **limits})
    stamps = [1_767_268_800_000 + number for number in range(len(values))]
    limit.note(recorder_of().build(segment_of(values, log=log, lo=100, timestamps_ms=stamps)))
    trip = limit.take_trip()
    assert trip is not None
    return log, trip


def test_a_paused_partition_is_a_finding_that_says_where_why_and_what_to_do() -> None:
    log, trip = tripped(*[{}] * 400, *[b"junk"] * 500, *[framed(1)[:-1]] * 100)
    found = record_in(recorder_of().pause_finding(log, trip), "finding")
    assert found["title"] == (
        "Partition 0 of audit.events.v1 is paused: 60% of its newest records are dead letters, more than 50%;"
        " the last ones at offsets 500 to 1099 (bad_framing, undecodable). Mend the producer; the partition"
        " goes on by itself once its records are mostly events."
    )
    assert (found["rule_id"], found["metric"], found["scope"]) == (
        "dead_letters.limit",
        "dead_letter_ratio",
        f"log={LOG}",
    )
    assert (found["tenant_id"], found["severity"], found["status"]) == ("unattributed", 5, "NEW")
    assert (found["observed"], found["expected"]) == (0.6, 0.5)
    assert found["contributors"] == {"bad_framing": 500 / 600, "undecodable": 100 / 600}
    assert found["segment_id"] == f"{LOG}/100-1099"
    assert (found["window_start"], found["window_end"]) == (
        NOON + timedelta(milliseconds=400),
        NOON + timedelta(milliseconds=1000),
    )


def test_a_run_of_dead_letters_is_told_by_its_length() -> None:
    log, trip = tripped(*[b"junk"] * 20, max_in_a_row=20)
    found = record_in(recorder_of().pause_finding(log, trip), "finding")
    assert (found["metric"], found["observed"], found["expected"]) == ("dead_letter_run", 20.0, 20.0)
    assert "20 dead letters in a row, limit 20" in found["title"]


def test_the_same_trip_has_the_same_id_in_a_replay_and_another_segment_another() -> None:
    log, trip = tripped(*[b"junk"] * 20, max_in_a_row=20)
    _, replayed = tripped(*[b"junk"] * 20, max_in_a_row=20)
    _, other = tripped(*[b"junk"] * 21, max_in_a_row=20)
    first, again, later = (recorder_of().pause_finding(log, each) for each in (trip, replayed, other))
    assert first == again
    assert dict(first.headers)["finding_id"] != dict(later.headers)["finding_id"]


def test_a_pause_of_a_tenants_own_topic_is_the_tenants_to_see() -> None:
    message = recorder_of().pause_finding(*tripped(*[b"junk"] * 20, max_in_a_row=20, log=DIRECT))
    assert message.key == b"acme"
    assert record_in(message, "finding")["tenant_id"] == "acme"
