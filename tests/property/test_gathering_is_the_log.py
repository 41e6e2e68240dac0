"""Whatever the slabs' boundaries and overlaps, and however batches are cut: together they are the log."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.ports import Headers, Slab
from streams.gathering import Batch, Gathering
from tests.support.examples import examples


@dataclass(frozen=True)
class Record:
    offset: int
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Record], int]:
    """Return the records of a log, and its end; some offsets carry no record."""
    end = draw(st.integers(0, 40))
    present = draw(st.lists(st.booleans(), min_size=end, max_size=end))
    value = st.none() | st.binary(max_size=6)
    headers = st.sampled_from([(), (("k", b"v"),)])
    return [Record(offset, draw(value), draw(headers)) for offset in range(end) if present[offset]], end


def cut(records: list[Record], first: int, to: int) -> Slab:
    """Return the slab over `[first, to)`."""
    inside = [record for record in records if first <= record.offset < to]
    headers: list[Headers] = [record.headers for record in inside]
    return Slab(
        topic="t",
        partition=0,
        first_offset=first,
        next_offset=to,
        offsets=[record.offset for record in inside],
        values=[record.value for record in inside],
        timestamps_ms=[record.offset * 10 for record in inside],
        headers=headers if any(headers) else None,
        size_bytes=sum(len(record.value or b"") for record in inside),
    )


def as_records(batch: Batch) -> list[Record]:
    headers = batch.headers or [()] * len(batch)
    assert batch.timestamps_ms == [offset * 10 for offset in batch.offsets]
    assert all(batch.lo <= offset <= batch.hi for offset in batch.offsets)
    return [Record(*each) for each in zip(batch.offsets, batch.values, map(tuple, headers), strict=True)]


@settings(max_examples=examples(100), deadline=None)
@given(logs(), st.lists(st.sampled_from(["add", "take", "take_through"]), max_size=30), st.data())
def test_batches_together_are_the_log(
    log: tuple[list[Record], int], steps: list[str], data: st.DataObject
) -> None:
    records, end = log
    gathering, found, covered_to = Gathering(0), [], 0

    def keep(batch: Batch) -> None:
        nonlocal covered_to
        assert batch.lo == covered_to  # without a hole and without an overlap
        found.extend(as_records(batch))
        covered_to = batch.hi + 1

    def check() -> None:
        held = [each for each in records if covered_to <= each.offset < gathering.next_offset]
        assert gathering.rows == len(held)
        assert gathering.size_bytes == sum(len(each.value or b"") for each in held)

    for step in steps:
        held_to = gathering.next_offset
        if step == "add" and end:
            first = data.draw(st.integers(0, min(held_to, end - 1)))
            gathering.add(cut(records, first, data.draw(st.integers(first + 1, end))), 0.0)
        elif step == "take" and gathering.oldest_s is not None:
            max_rows, max_bytes = data.draw(st.integers(1, 12)), data.draw(st.integers(1, 40))
            before = gathering.rows
            batch = gathering.take(max_rows, max_bytes)
            assert len(batch) <= max_rows
            assert gathering.rows == before - len(batch)
            keep(batch)
        elif step == "take_through" and gathering.oldest_s is not None:
            hi = data.draw(st.integers(covered_to, held_to - 1))
            batch = gathering.take_through(hi)
            assert batch.hi == hi
            keep(batch)
        check()
    if gathering.next_offset < end:
        gathering.add(cut(records, covered_to, end), 0.0)
    while gathering.oldest_s is not None:
        keep(gathering.take(7, 30))
        check()
    assert (found, covered_to) == (records, end)
