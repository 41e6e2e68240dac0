"""The committed state of a partition as an offset commit, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import InvariantError
from auditstream.core.ports import Lost, Plan
from streams.plan import METADATA_LIMIT_BYTES, VERSION, Closed, from_commit, next_offset_of, to_commit
from tests.support.examples import examples

BIGGEST = 2**63 - 1
OFFSETS = st.integers(0, BIGGEST)
PLANS = st.builds(
    Plan,
    lo=OFFSETS,
    hi=OFFSETS,
    first_index=OFFSETS,
    day=st.dates(),
    reference_revision=OFFSETS,
    enricher_version=st.integers(0, 2**31),
    lost=st.none() | st.builds(Lost, st.sampled_from(["never_planned", "never_written"]), OFFSETS),
)
STATES = PLANS | st.builds(Closed, next_offset=OFFSETS, next_index=OFFSETS)


@settings(max_examples=examples(100), deadline=None)
@given(STATES)
def test_a_state_comes_back_from_its_commit_as_it_was(state: Plan | Closed) -> None:
    assert from_commit(*to_commit(state)) == state


@settings(max_examples=examples(100), deadline=None)
@given(STATES)
def test_a_commit_points_at_the_first_offset_that_may_not_be_durable(state: Plan | Closed) -> None:
    offset, _ = to_commit(state)
    assert offset == next_offset_of(state) == (state.lo if isinstance(state, Plan) else state.next_offset)


def test_metadata_stays_small_with_the_largest_numbers() -> None:
    largest = Plan(BIGGEST, BIGGEST, BIGGEST, date.max, BIGGEST, 2**31)
    lost = replace(largest, lost=Lost("never_planned", BIGGEST))
    for state in (largest, lost, Closed(BIGGEST, BIGGEST)):
        assert len(to_commit(state)[1].encode()) < METADATA_LIMIT_BYTES


def test_the_form_of_an_open_plan_is_fixed() -> None:
    # Another release of the worker reads what this one commits.
    plan = Plan(lo=7, hi=9, first_index=5, day=date(2026, 3, 1), reference_revision=4, enricher_version=2)
    assert to_commit(plan) == (7, '{"v":1,"h":9,"i":5,"d":"2026-03-01","r":4,"e":2}')
    assert to_commit(Closed(10, 8)) == (10, '{"v":1,"i":8}')


def test_only_a_plan_over_lost_offsets_has_the_version_that_older_releases_refuse() -> None:
    plan = Plan(
        lo=7, hi=9, first_index=5, day=date(2026, 3, 1), lost=Lost("never_written", 1_772_323_200_000)
    )
    metadata = '{"v":2,"h":9,"i":5,"d":"2026-03-01","r":0,"e":1,"g":"never_written","t":1772323200000}'
    assert to_commit(plan) == (7, metadata)


@pytest.mark.parametrize("metadata", ["", "{", "null", "7", "[]", '"v"', "{}", '{"v":"1"}', "faust", "\x00"])
def test_foreign_metadata_holds_no_state(metadata: str) -> None:
    assert from_commit(12, metadata) is None


def test_no_committed_offset_holds_no_state() -> None:
    assert from_commit(-1, to_commit(Closed(0, 0))[1]) is None


def test_offset_zero_is_a_committed_offset() -> None:
    assert from_commit(*to_commit(Closed(0, 0))) == Closed(0, 0)


def test_a_state_of_a_newer_version_is_refused() -> None:
    newer = json.dumps({"v": VERSION + 1, "i": 3})
    with pytest.raises(InvariantError, match=f"version {VERSION + 1}") as refusal:
        from_commit(3, newer)
    assert "newer release" in refusal.value.hint
