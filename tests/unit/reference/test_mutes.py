"""Mutes end, or come every week; what they say is what detection asks for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from auditstream.reference.documents import Reading
from auditstream.reference.known_mutes import suppression_of
from auditstream.reference.mutes import FindingMute
from tests.support.facts import day, snapshot_of

SATURDAY = datetime(2026, 11, 28, tzinfo=UTC)


def minute(moment):
    return int(moment.timestamp() // 60)


def reasons(mute, *moments):
    known = suppression_of(snapshot_of({1: [mute]}))
    return [known.reason("acme", "spend.surge", "model=m", minute(each)) for each in moments]


def test_a_mute_holds_from_its_beginning_to_its_end():
    mute = FindingMute(
        mute_id="m",
        tenant_id="acme",
        reason="known",
        valid_from=SATURDAY,
        valid_to=SATURDAY + timedelta(hours=1),
    )

    at = [SATURDAY + timedelta(minutes=each) for each in (-1, 0, 59, 60)]
    assert reasons(mute, *at) == ["", "mute:m", "mute:m", ""]


def test_a_mute_of_seconds_is_not_one_of_none():
    mute = FindingMute(
        mute_id="m",
        reason="known",
        valid_from=SATURDAY + timedelta(seconds=10),
        valid_to=SATURDAY + timedelta(seconds=20),
    )

    assert reasons(mute, SATURDAY, SATURDAY + timedelta(minutes=1)) == ["mute:m", ""]


def test_a_mute_that_was_taken_back_holds_until_then():
    mute = FindingMute(mute_id="m", reason="r", valid_from=SATURDAY, valid_to=SATURDAY + timedelta(days=2))
    back = mute.model_copy(update={"active": False, "valid_from": SATURDAY + timedelta(days=1)})
    known = suppression_of(snapshot_of({1: [mute], 2: [back]}))

    held = [known.reason("t", "r", "s", minute(SATURDAY + timedelta(hours=each))) for each in (23, 24)]
    assert held == ["mute:m", ""]


def test_a_window_holds_on_its_days_and_past_midnight():
    mute = FindingMute(
        mute_id="batch",
        reason="nightly batch",
        weekdays=("sat",),
        from_time="22:30",
        to_time="02:00",
        valid_from=SATURDAY - timedelta(days=30),
    )

    at = [SATURDAY + timedelta(hours=each) for each in (22, 22.5, 25.9, 26, 46.5)]
    assert reasons(mute, *at) == ["", "window:batch", "window:batch", "", ""]


def test_a_window_of_equal_times_is_a_whole_day():
    mute = FindingMute(mute_id="sunday", reason="r", weekdays=("sun",), valid_from=day(0))

    at = [SATURDAY + timedelta(hours=each) for each in (23.9, 24, 47.9, 48)]
    assert reasons(mute, *at) == ["", "window:sunday", "window:sunday", ""]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "valid_to: must be stated, unless weekdays are"),
        ({"valid_to": "2026-11-30", "reason": ""}, "at least 1 character"),
        ({"weekdays": ["saturday"]}, "'mon'"),
        ({"weekdays": ["sat"], "from_time": "24:00"}, "must be a time of day as 06:30, in UTC"),
        ({"weekdays": ["sat"], "to_time": "6:30"}, "must be a time of day as 06:30, in UTC"),
    ],
)
def test_a_mute_that_is_wrong_is_refused_with_field_and_reason(fields, reason):
    with pytest.raises(ValidationError) as refusal:
        FindingMute(**{"mute_id": "m", "reason": "r", "valid_from": SATURDAY, **fields})

    assert reason in str(refusal.value)


def test_the_mute_of_the_page_is_one():
    page = Path(__file__).parents[3] / "docs" / "how-to" / "findings.md"
    (text,) = re.findall(r"```yaml\n(kind: mute.*?)```", page.read_text(), re.DOTALL)
    reading = Reading()
    reading.add(text, "mutes.yaml", now=SATURDAY)

    assert reading.problems == []
    assert len(reading.stated) == 1


def test_a_document_says_a_mute():
    reading = Reading()
    reading.add(
        "kind: mute\nmute_id: m\ntenant_id: acme\nrule_id: spend.surge\nscope: model=m\n"
        "reason: load test\nvalid_to: 2026-11-30T06:00:00Z\n",
        "mutes.yaml",
        now=SATURDAY,
    )

    assert reading.problems == []
    (stated,) = reading.stated
    assert stated.fact.key == ("m",)
