"""The index of recent ids against a plain dictionary, and how many it keeps."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.recording.seen_ids import SeenIds
from tests.support.examples import examples

LARGE = 8
# Few values, so that many are there twice, within a run and across runs.
SEGMENTS = st.lists(st.lists(st.integers(0, 40), max_size=20), max_size=30)


def prints(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def added(seen: SeenIds, values: list[int], window: int) -> None:
    first, after = seen.next_index, seen.next_index + len(values)
    seen.add(prints(values), np.arange(first, after), after, max(0, after - window))


@settings(max_examples=examples(100), deadline=None)
@given(SEGMENTS, st.lists(st.integers(0, 45), max_size=20), st.integers(1, 60))
def test_every_place_of_a_sought_id_in_the_window_is_a_candidate(
    segments: list[list[int]], sought: list[int], window: int
) -> None:
    seen, log = SeenIds(0, large_run=LARGE), []
    for values in segments:
        added(seen, values, window)
        log += values
    start = max(0, len(log) - window)

    found = seen.candidates(prints(sought), start)

    assert seen.next_index == len(log)
    assert sorted(found) == sorted(
        (position, index)
        for position, value in enumerate(sought)
        for index in range(start, len(log))
        if log[index] == value
    )


@settings(max_examples=examples(100), deadline=None)
@given(SEGMENTS, st.integers(1, 60))
def test_no_more_is_kept_than_the_window_and_two_large_runs(segments: list[list[int]], window: int) -> None:
    seen = SeenIds(0, large_run=LARGE)
    for values in segments:
        added(seen, values, window)

        assert len(seen) <= window + 2 * LARGE
