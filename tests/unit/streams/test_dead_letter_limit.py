"""When dead letters stop being normal."""

from __future__ import annotations

import polars as pl

from auditstream.core.ports import Block
from streams.dead_letter_limit import PROBE_ROWS, DeadLetterLimit


def block(kinds: str) -> Block:
    """Return a block with an event for every `e` and a dead letter for every `d`."""
    frame = pl.DataFrame({"leaf_kind": [int(kind == "d") for kind in kinds]})
    return Block("t/0/e/0-1", frame, dead_letters=kinds.count("d"))


def noted(limit: DeadLetterLimit, *blocks: str) -> bool:
    for kinds in blocks:
        limit.note(block(kinds))
    return limit.tripped


def test_a_ratio_past_the_limit_trips_once_enough_records_were_seen() -> None:
    limit = DeadLetterLimit(max_ratio=0.5, max_in_a_row=10_000)
    assert not noted(limit, "d" * 900)
    assert noted(limit, "d" * 100)


def test_a_ratio_at_the_limit_does_not_trip() -> None:
    assert not noted(DeadLetterLimit(0.5, 10_000), *["de" * 100] * 50)


def test_many_dead_letters_in_a_row_trip_across_blocks() -> None:
    limit = DeadLetterLimit(max_ratio=1.0, max_in_a_row=10)
    assert not noted(limit, "eeedddd", "ddddd")
    assert noted(limit, "d")


def test_an_event_ends_the_row() -> None:
    assert not noted(DeadLetterLimit(1.0, 10), "ddddd", "dddedddd", "ddddd")


def test_old_health_does_not_hide_a_new_fault() -> None:
    limit = DeadLetterLimit(max_ratio=0.5, max_in_a_row=1_000_000)
    assert not noted(limit, *["e" * 1000] * 1000)
    assert noted(limit, *["d" * 1000] * 5)


def test_a_healthy_probe_ends_the_pause() -> None:
    limit = DeadLetterLimit(0.5, 10)
    assert noted(limit, "d" * 2000)
    assert not noted(limit, "e" * PROBE_ROWS)


def test_a_bad_probe_goes_on_with_the_pause() -> None:
    limit = DeadLetterLimit(0.5, 1_000)
    assert noted(limit, "d" * 2000)
    assert noted(limit, "de" * 10 + "d" * PROBE_ROWS)


def test_a_probe_that_is_mostly_events_ends_the_pause_whatever_came_before() -> None:
    limit = DeadLetterLimit(0.5, 1_000)
    assert noted(limit, *["d" * 2000] * 20)
    assert not noted(limit, "eed" * PROBE_ROWS)


def test_a_trip_is_told_once_with_what_passed_which_limit() -> None:
    limit = DeadLetterLimit(0.5, 10_000)
    assert limit.take_trip() is None
    noted(limit, "e" * 300, "d" * 700)
    trip = limit.take_trip()
    assert trip is not None
    assert (trip.limit, trip.observed, trip.allowed, len(trip.block)) == ("ratio", 0.7, 0.5, 700)
    assert limit.take_trip() is None


def test_a_run_is_told_by_its_length_across_blocks() -> None:
    limit = DeadLetterLimit(1.0, 10)
    noted(limit, "eedddd", "dddddd")
    trip = limit.take_trip()
    assert trip is not None
    assert (trip.limit, trip.observed, trip.allowed) == ("run", 10, 10)


def test_a_probe_that_fails_is_no_new_trip_and_one_after_a_recovery_is() -> None:
    limit = DeadLetterLimit(0.5, 1_000)
    noted(limit, "d" * 2000)
    limit.take_trip()
    assert noted(limit, "d" * PROBE_ROWS)
    assert limit.take_trip() is None
    assert not noted(limit, "e" * PROBE_ROWS)
    assert noted(limit, "d" * 2000)
    assert limit.take_trip() is not None


def test_a_trip_that_was_not_told_yet_outlives_the_probe() -> None:
    limit = DeadLetterLimit(0.5, 1_000)
    noted(limit, "d" * 2000, "e" * PROBE_ROWS)
    trip = limit.take_trip()
    assert trip is not None
    assert len(trip.block) == 2000
