"""The measurement of many keys runs on rows as detection takes them."""

from __future__ import annotations

from benchmarks.detection.keys import hours


def test_an_hour_of_a_few_keys_is_told() -> None:
    (hour,) = hours(50, 1)

    assert (hour.hour, hour.deltas) == (1, 60)
    assert hour.keys >= 50
