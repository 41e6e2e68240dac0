"""Periods as reports name them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.named_periods import Span, month_span, named_span

NOW = datetime(2026, 11, 28, 19, 48, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("2026-11", "2026-11-01", "2026-12-01"),
        ("2026-12", "2026-12-01", "2027-01-01"),
        ("2024-02", "2024-02-01", "2024-03-01"),
        ("2026-11-03", "2026-11-03", "2026-11-04"),
        ("2026-W45", "2026-11-02", "2026-11-09"),
        ("2026-W01", "2025-12-29", "2026-01-05"),
        ("last-7d", "2026-11-21T20:00", "2026-11-28T20:00"),
        ("last-1h", "2026-11-28T19:00", "2026-11-28T20:00"),
        ("2026-11-01/2026-11-03T12:30", "2026-11-01", "2026-11-03T12:30"),
        ("2026-11-01T01:00+01:00/2026-11-01T01:00Z", "2026-11-01", "2026-11-01T01:00"),
    ],
)
def test_a_name_means_a_range(name: str, start: str, end: str) -> None:
    assert named_span(name, NOW) == Span(at(start), at(end))


@pytest.mark.parametrize(
    "name",
    [
        "", "2026", "2026-13", "2026-00", "0000-01", "2026-11-31", "2026-W54", "last-", "last-7x",
        "2026-11-02/2026-11-01", "2026-11-01/2026-11-01", "yesterday", "9999-12", "2026-11/",
    ],
)  # fmt: skip
def test_what_names_no_range_is_refused_with_what_can_be_written(name: str) -> None:
    with pytest.raises(RequestError) as refused:
        named_span(name, NOW)

    assert refused.value.hint


def test_the_period_before_has_the_same_length() -> None:
    assert named_span("2026-11", NOW).before == Span(at("2026-10-02"), at("2026-11-01"))


def test_a_period_is_of_hours_when_both_its_ends_are() -> None:
    assert named_span("last-7d", NOW).is_of_hours
    assert not Span(at("2026-11-01"), at("2026-11-01T00:30")).is_of_hours


def test_only_a_month_is_a_month() -> None:
    assert month_span("2026-11") == Span(at("2026-11-01"), at("2026-12-01"))
    with pytest.raises(RequestError, match="2026-11-03"):
        month_span("2026-11-03")
