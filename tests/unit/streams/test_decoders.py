"""The columnar decoder against the datum decoder: the same events, the same rejections, record by record."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditstream.core.ports import LogId, Plan, Segment
from streams.recording.columnar_decoder import ColumnarDecoder
from streams.recording.datum_decoder import DatumDecoder
from streams.recording.decoded import Decoded
from tests.support.bad_messages import BadMessage, framed, kinds
from tests.support.fault_worker import PackagedSchemas


@pytest.fixture(scope="module")
def reference() -> DatumDecoder:
    return DatumDecoder(PackagedSchemas())


@pytest.fixture(scope="module")
def columnar() -> ColumnarDecoder:
    return ColumnarDecoder(PackagedSchemas())


def segment_of(*messages: bytes | BadMessage | None) -> Segment:
    values = [message.value if isinstance(message, BadMessage) else message for message in messages]
    headers = [message.headers if isinstance(message, BadMessage) else () for message in messages]
    count = len(values)
    plan = Plan(lo=0, hi=count - 1, first_index=0, day=date(2026, 1, 1))
    return Segment(LogId("topic", 0, "00000000"), plan, range(count), values, [0] * count, headers)


def assert_same(expected: Decoded, actual: Decoded) -> None:
    assert dict(expected.rejections) == dict(actual.rejections)
    assert list(expected.positions) == list(actual.positions)
    assert list(expected.schema_ids) == list(actual.schema_ids)
    assert_frame_equal(expected.events, actual.events)


@pytest.mark.parametrize("bad", kinds(), ids=str)
def test_a_bad_message_is_judged_alone(
    bad: BadMessage, reference: DatumDecoder, columnar: ColumnarDecoder
) -> None:
    """Between a hundred good ones, so that the columns are really used."""
    messages = [framed(number) for number in range(100)]
    segment = segment_of(*messages[:60], bad, *messages[60:])

    expected = reference.decode(segment)
    actual = columnar.decode(segment)

    assert_same(expected, actual)
    assert list(actual.rejections) == [60]
    assert bad.reason == actual.rejections[60].reason
    assert actual.events.height == 100


def test_adversarial_pairs_of_datums_are_each_judged_alone(
    reference: DatumDecoder, columnar: ColumnarDecoder
) -> None:
    """A datum cut short whose neighbour begins with what it lacks, and one that carries a whole neighbour."""
    good = [framed(number) for number in range(80)]
    short = good[10][:-7]
    thief = good[11] + good[12][5:]
    borrowed = good[13][:5] + good[10][-7:] + good[13][5:]
    segment = segment_of(*good[:20], short, borrowed, thief, *good[20:])

    expected = reference.decode(segment)
    actual = columnar.decode(segment)

    assert_same(expected, actual)
    assert {20, 21, 22} == set(actual.rejections)


def test_an_empty_segment_and_one_of_rejections_only_have_no_events(columnar: ColumnarDecoder) -> None:
    for segment in (segment_of(), segment_of(None, b"", b"junk")):
        decoded = columnar.decode(segment)

        assert len(segment) == len(decoded.rejections)
        assert decoded.events.is_empty()
        assert isinstance(decoded.events.schema["event_id"], pl.Binary)
