"""Event time of a partition: held by a log that lags, not by one that has nothing."""

from __future__ import annotations

import json

import pytest

from streams.detecting.event_time import MINUTE_US, NEVER, EventTime

S = 1_000_000
A, B = "t/0/e", "t/1/e"


def heard(*logs: str, at_s: int = 0) -> EventTime:
    """Return event time that began long enough ago for all logs to have told that they are there."""
    time = EventTime()
    for each in logs:
        time.hear(each, (at_s - 10) * S)
        time.hear(each, at_s * S)
    return time


def test_nothing_is_known_before_the_first_segment() -> None:
    assert EventTime().now_us() == NEVER
    assert heard(A, B).now_us() == NEVER


def test_nothing_is_closed_before_every_log_had_the_time_to_tell_that_it_is_there() -> None:
    time = EventTime()
    time.hear(A, 0)
    time.advance(A, 100 * S, 100 * S)
    time.hear(A, 9 * S)
    assert time.now_us() == NEVER
    time.hear(B, 10 * S)
    assert time.now_us() < 0
    time.advance(B, 50 * S, 100 * S)
    assert time.now_us() == 50 * S


def test_the_log_that_is_furthest_behind_holds_the_others() -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 100 * S)
    time.advance(B, 40 * S, 100 * S)
    assert time.now_us() == 40 * S
    time.advance(B, 90 * S, 101 * S)
    assert time.now_us() == 90 * S


def test_a_log_that_was_quiet_when_another_came_so_far_does_not_hold_it() -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 101 * S)
    time.advance(A, 200 * S, 201 * S)
    time.rest(B, 100 * S)
    assert time.now_us() < 100 * S
    time.rest(B, 150 * S)
    assert time.now_us() == 100 * S
    time.rest(B, 201 * S)
    assert time.now_us() == 200 * S


def test_a_claim_from_before_old_events_were_sent_releases_nothing() -> None:
    """Events of an hour ago, sent now: every log was quiet until now, and none has told of its part yet."""
    time = heard(A, B)
    time.rest(A, 4_000 * S)
    time.rest(B, 4_000 * S)
    time.advance(A, 400 * S, 4_001 * S)
    assert time.now_us() < 400 * S
    time.advance(B, 390 * S, 4_002 * S)
    assert time.now_us() == 390 * S


def test_where_all_are_quiet_event_time_goes_on_until_the_last_minute_can_close_and_no_further() -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 101 * S)
    time.rest(A, 131 * S)
    time.rest(B, 131 * S)
    assert time.now_us() == 130 * S
    for each in (A, B):
        time.rest(each, 10_000 * S)
    assert time.now_us() == 220 * S


def test_a_log_that_is_six_hours_behind_is_not_waited_for() -> None:
    time = heard(A, B)
    time.advance(B, 0, 0)
    time.advance(A, 7 * 60 * MINUTE_US, 7 * 60 * MINUTE_US)
    assert time.now_us() == 60 * MINUTE_US


def test_a_log_that_nobody_tells_of_for_an_hour_is_not_waited_for() -> None:
    time = heard(A, B, at_s=10)
    time.advance(B, 10 * S, 10 * S)
    time.hear(A, 3_600 * S)
    time.advance(A, 3_600 * S, 3_600 * S)
    assert time.now_us() == 10 * S
    time.hear(A, 3_610 * S)
    assert time.now_us() == 3_600 * S


def test_a_topic_that_was_made_anew_replaces_its_earlier_logs() -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 100 * S)
    time.advance(B, 5 * S, 100 * S)
    time.hear("t/1/f", 100 * S)
    time.advance("t/1/f", 95 * S, 100 * S)
    assert (time.now_us(), time.logs) == (95 * S, 2)


@pytest.mark.parametrize("claim_s", [90, 150, 400])
def test_a_state_goes_through_json_and_tells_the_same_from_then_on(claim_s: int) -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 101 * S)
    time.rest(B, 101 * S)
    again = EventTime()
    again.restore(json.loads(json.dumps(time.state())))
    for each in (time, again):
        each.advance(A, 200 * S, 201 * S)
        each.rest(B, claim_s * S)
    assert again.now_us() == time.now_us()
    assert again.state() == time.state()


def test_marks_are_forgotten_once_they_are_passed() -> None:
    time = heard(A, B)
    for second in range(500):
        time.advance(A, second * S, second * S)
        time.rest(B, second * S)
        time.now_us()
    assert len(time.state()["marks"]) < 5
