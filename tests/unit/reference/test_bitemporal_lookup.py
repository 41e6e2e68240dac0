"""What holds at a time, as known at a revision."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.errors import InvariantError
from auditstream.reference.intervals import intervals_of as painted
from auditstream.reference.owners import Credential
from auditstream.reference.snapshot import Snapshot
from tests.support.examples import examples
from tests.support.facts import day, snapshot_of


def credential(tenant: str, start: int, end: int | None = None) -> Credential:
    return Credential(
        credential_id="key",
        tenant_id=tenant,
        valid_from=day(start),
        valid_to=None if end is None else day(end),
    )


HISTORY = {
    1: [credential("first", 10)],
    2: [credential("second", 20)],
    3: [credential("corrected", 5, 15)],
}


@pytest.mark.parametrize(
    ("at", "revision", "expected"),
    [
        (9, 1, None),
        (10, 1, "first"),
        (25, 1, "first"),
        (19, 2, "first"),
        (20, 2, "second"),
        (7, 2, None),
        (4, 3, None),
        (5, 3, "corrected"),
        (14, 3, "corrected"),
        (15, 3, "first"),
        (20, 3, "second"),
        (12, 2, "first"),
        (12, 0, None),
    ],
)
def test_the_row_of_the_highest_known_revision_that_covers_the_time_holds(at, revision, expected):
    known = snapshot_of(HISTORY).upto(revision)

    found = known.find(Credential, "key", at=day(at))

    assert expected == (found.tenant_id if found else None)
    assert expected == by_interval(known, at)


def test_of_one_revision_the_row_that_begins_later_holds():
    known = snapshot_of({1: [credential("new", 20), credential("old", 10)]})

    assert [by_interval(known, 19), by_interval(known, 20)] == ["old", "new"]


def test_an_interrupted_row_is_two_intervals_and_a_hidden_one_none():
    known = snapshot_of(
        {1: [credential("a", 0, 30)], 2: [credential("b", 10, 20)], 3: [credential("c", 9, 21)]}
    )

    rows = known.intervals("credential").select("tenant_id", "valid_from", "valid_to").rows()

    assert [("a", day(0), day(9)), ("c", day(9), day(21)), ("a", day(21), day(30))] == rows


def test_a_kind_that_was_not_read_is_an_error_and_not_empty():
    with pytest.raises(InvariantError, match="credential"):
        Snapshot(1, {}).intervals("credential")


rows = st.tuples(st.sampled_from("xy"), st.integers(0, 12), st.integers(1, 6) | st.none(), st.integers(1, 4))


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(rows, max_size=8, unique_by=lambda row: (row[0], row[1], row[3])))
def test_intervals_agree_with_the_rule_row_by_row(stated):
    history: dict[int, list[Credential]] = {revision: [] for revision in range(1, 5)}
    for number, (key, start, length, revision) in enumerate(stated):
        end = None if length is None else day(start + length)
        history[revision].append(
            Credential(credential_id=key, tenant_id=f"t{number}", valid_from=day(start), valid_to=end)
        )
    for revision in range(5):
        intervals = intervals_of(snapshot_of(history).upto(revision))
        for key in "xy":
            for at in range(20):
                covering = [
                    ((of, fact.valid_from), fact.tenant_id)
                    for of, facts in history.items()
                    for fact in facts
                    if of <= revision and fact.credential_id == key and fact.covers(day(at))
                ]
                expected = max(covering)[1] if covering else None
                assert expected == holding(intervals, at, key)


def by_interval(known: Snapshot, at: int, key: str = "key") -> str | None:
    return holding(intervals_of(known), at, key)


def intervals_of(known: Snapshot) -> list[tuple[str, datetime, datetime | None, str]]:
    columns = ("credential_id", "valid_from", "valid_to", "tenant_id")
    return known.intervals("credential").select(columns).rows()


def holding(intervals: list[tuple[str, datetime, datetime | None, str]], at: int, key: str) -> str | None:
    """Return whom the intervals name at a time."""
    held = [
        tenant
        for of, start, end, tenant in intervals
        if of == key and start <= day(at) and (end is None or end > day(at))
    ]
    assert len(held) <= 1
    return held[0] if held else None


@pytest.mark.parametrize("others", [0, 1])
def test_a_row_that_ends_as_it_begins_never_holds(others: int) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC)] * (1 + others)
    rows = pl.DataFrame(
        {"key": "k", "valid_from": moments, "valid_to": moments, "revision": range(1, 2 + others)},
        schema_overrides={"valid_from": pl.Datetime("us", "UTC"), "valid_to": pl.Datetime("us", "UTC")},
    )

    assert painted(rows, ["key"]).is_empty()
