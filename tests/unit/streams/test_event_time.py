"""Event time of a partition: held by a log that lags, not by one that has nothing."""

from __future__ import annotations

import json
from itertools import permutations

from streams.detecting.event_time import MINUTE_US, NEVER, EventTime

S = 1_000_000
A, B = "t/0/e", "t/1/e"


def heard(*logs: str) -> EventTime:
    """Return event time that began long enough ago for all logs to have told that they are there."""
    time = EventTime()
    for each in logs:
        time.hear(each, -10 * S)
        time.hear(each, 0)
    return time


def minutes(time: EventTime) -> float:
    return time.now_us() / MINUTE_US


def test_nothing_is_over_before_the_first_segment() -> None:
    assert EventTime().now_us() == NEVER
    assert heard(A, B).now_us() == NEVER


def test_nothing_is_over_before_every_log_had_the_time_to_tell_that_it_is_there() -> None:
    time = EventTime()
    time.hear(A, 0)
    time.advance(A, 100 * S, 500 * S)
    time.record(A, 900 * S)
    time.hear(A, 9 * S)
    assert time.now_us() == NEVER
    time.hear(A, 10 * S)
    assert minutes(time) == 2


def test_a_minute_is_over_a_minute_after_the_first_event_of_a_later_one() -> None:
    time = heard(A)
    time.advance(A, 10 * S, 11 * S)
    time.advance(A, 61 * S, 62 * S)
    time.record(A, 121 * S)
    assert time.now_us() == 0
    time.record(A, 122 * S)
    assert minutes(time) == 1
    assert time.deadline_us(0) == 122 * S


def test_where_nothing_follows_a_minute_is_over_after_another_one() -> None:
    time = heard(A)
    time.advance(A, 10 * S, 11 * S)
    time.record(A, 130 * S)
    assert time.now_us() == 0
    time.record(A, 131 * S)
    assert (minutes(time), time.deadline_us(0)) == (1, 131 * S)
    time.record(A, 10_000 * S)
    assert minutes(time) == 1


def test_a_log_that_lags_is_waited_for_and_one_that_had_nothing_is_not() -> None:
    time = heard(A, B)
    time.advance(A, 61 * S, 62 * S)
    time.record(A, 1_000 * S)
    assert time.now_us() == NEVER
    time.record(B, 121 * S)
    assert time.now_us() == NEVER
    time.record(B, 122 * S)
    assert minutes(time) == 1


def test_an_hour_that_is_sent_at_once_is_as_little_late_as_it_was_at_the_time() -> None:
    """Two logs get an hour within ten seconds, an hour after it happened; both were quiet until then."""
    time = heard(A, B)
    for log in (A, B):
        time.record(log, 7_200 * S)
    for step in range(10):
        time.advance(A, (step + 1) * 360 * S, (7_201 + step) * S)
    assert time.now_us() == NEVER
    time.record(A, 7_300 * S)
    assert time.now_us() == NEVER
    time.record(B, 7_264 * S)
    assert minutes(time) == 24
    assert time.deadline_us(0) == 7_261 * S


def test_which_log_is_heard_first_changes_no_deadline() -> None:
    told = [(A, 61, 62), (A, 130, 133), (B, 65, 60), (B, 125, 140), (B, 200, 201)]
    found = set()
    for order in permutations(told):
        time = heard(A, B)
        for log, watermark_s, until_s in order:
            time.advance(log, watermark_s * S, until_s * S)
        found.add(tuple(time.deadline_us(minute) // S for minute in range(3)))
    assert found == {(120, 180, 253)}


def test_a_log_that_is_six_hours_behind_is_not_waited_for() -> None:
    time = heard(A, B)
    time.record(B, 0)
    for minute in range(8 * 60):
        time.advance(A, minute * MINUTE_US, minute * MINUTE_US)
    assert minutes(time) == 2 * 60 - 2


def test_a_log_that_nobody_tells_of_for_an_hour_is_not_waited_for() -> None:
    time = heard(A, B)
    for minute in range(70):
        time.advance(A, minute * MINUTE_US, minute * MINUTE_US)
    time.hear(A, 3_599 * S)
    assert time.now_us() == NEVER
    time.hear(A, 3_600 * S)
    assert minutes(time) == 68


def test_a_topic_that_was_made_anew_replaces_its_earlier_logs() -> None:
    time = heard(A, B)
    time.advance(A, 61 * S, 500 * S)
    time.record(A, 700 * S)
    assert time.now_us() == NEVER
    time.hear("t/1/f", 100 * S)
    time.record("t/1/f", 700 * S)
    assert (minutes(time), time.logs) == (2, 2)


def test_a_state_goes_through_json_and_tells_the_same_from_then_on() -> None:
    time = heard(A, B)
    time.advance(A, 100 * S, 101 * S)
    time.record(B, 101 * S)
    again = EventTime()
    again.restore(json.loads(json.dumps(time.state())))
    for each in (time, again):
        each.advance(A, 200 * S, 201 * S)
        each.record(A, 400 * S)
        each.record(B, 300 * S)
    assert again.now_us() == time.now_us() > 0
    assert again.state() == time.state()


def test_marks_are_forgotten_once_they_are_passed() -> None:
    time = heard(A, B)
    for minute in range(500):
        for log in (A, B):
            time.advance(log, minute * MINUTE_US, minute * MINUTE_US)
        time.forget(time.now_us() - MINUTE_US)
    assert len(time.state()["starts"]) < 6
