"""Ends of gaps and silences: what came after all, and what is not taken for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from auditstream.detection.sources import Gap, Pulse
from auditstream.notify.source_news import gaps_over, silences_over, source_news, source_of_gap
from schemas.records.detection import Finding

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def gap(first: int, last: int, instance: str = "i-1", source: str = "shop") -> Gap:
    return Gap("acme", source, instance, first, last, NOON)


def pulse(last: datetime, source: str = "shop", minutes: int = 60) -> Pulse:
    return Pulse("acme", source, last, MINUTE, last + minutes * MINUTE)


def told(*gaps: Gap, pulses: tuple[Pulse, ...] = ()) -> list[Finding]:
    return list(source_news(gaps, pulses))


def test_a_source_that_beats_again_is_over_and_one_that_does_not_or_beats_elsewhere_is_silent_still() -> None:
    [silence] = told(pulses=(pulse(NOON), pulse(NOON, "prompt", 2)))
    later = pulse(NOON + MINUTE)

    assert list(silences_over([silence], [pulse(NOON), pulse(NOON + MINUTE, "other")])) == []
    [over] = silences_over([silence, *told(gap(3, 4))], [later])
    assert (over.finding_id, over.version, over.status) == (silence.finding_id, 1_000, "RESOLVED")
    assert over.window_end > later.last


def test_a_gap_is_over_when_it_is_missing_no_more() -> None:
    open_ = told(gap(3, 4), gap(7, 7))

    assert list(gaps_over(open_, [gap(4, 4), gap(7, 7)], NOON)) == [], "the end of it is missing still"
    assert [each.finding_id for each in gaps_over(open_, [gap(7, 7)], NOON)] == [open_[0].finding_id]


def test_what_is_left_of_a_gap_and_not_told_yet_keeps_it_open() -> None:
    open_ = told(gap(3, 6))
    left = gap(3, 4)

    assert list(gaps_over(open_, [left], NOON)) == []
    assert [each.status for each in gaps_over([*open_, *told(left)], [left], NOON)] == ["RESOLVED"]
    assert len(list(gaps_over(open_, [gap(3, 4, "i-2")], NOON))) == 1, "of another instance"


def test_the_source_of_a_gap_is_read_from_its_scope_unless_names_have_our_word_in_them() -> None:
    sources = [
        source_of_gap(each)
        for each in told(
            gap(1, 1), gap(1, 1, ""), gap(1, 1, "a instance=b"), gap(1, 1, source="urn:x source=y")
        )
    ]
    assert sources == ["shop", "shop", "", "urn:x source=y"]
