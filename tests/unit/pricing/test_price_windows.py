from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from genai_prices.types import ConditionalPrice, TimeOfDateConstraint

from auditstream.pricing.windows import DAY, FIRST, LAST, Window, cut, time_of_day, windows_of
from tests.support.price_books import model, prices, since, variant

CHEAP, DEAR = prices(input_mtok="1"), prices(input_mtok="2")


def test_a_model_with_one_price_has_one_window() -> None:
    assert list(windows_of(model("m", CHEAP), {})) == [Window()]


def test_start_dates_cut_time_at_midnight() -> None:
    dated = model("m", [ConditionalPrice(prices=CHEAP), since(date(2025, 6, 10), DEAR)])

    windows = list(windows_of(dated, {}))

    midnight = datetime(2025, 6, 10, tzinfo=UTC)
    assert windows == [Window(end=midnight), Window(start=midnight)]
    assert [str(window) for window in windows] == ["", "@2025-06-10"]


def test_times_of_day_cut_every_day() -> None:
    night = TimeOfDateConstraint(start_time=time(22, 30), end_time=time(4))
    timed = model("m", [ConditionalPrice(prices=DEAR), ConditionalPrice(night, prices=CHEAP)])

    windows = list(windows_of(timed, {}))

    assert [(window.from_time, window.to_time) for window in windows] == [
        (timedelta(), timedelta(hours=4)),
        (timedelta(hours=4), timedelta(hours=22, minutes=30)),
        (timedelta(hours=22, minutes=30), DAY),
    ]
    assert [str(window) for window in windows] == ["@00:00-04:00", "@04:00-22:30", "@22:30-24:00"]
    assert not any(window.dated for window in windows)


def test_an_offset_is_taken_off_a_time_of_day() -> None:
    noon_in_paris = time(12, tzinfo=datetime.fromisoformat("2026-01-01T00:00+01:00").tzinfo)
    timed = model(
        "m", [ConditionalPrice(TimeOfDateConstraint(noon_in_paris, time(20, tzinfo=UTC)), prices=DEAR)]
    )

    assert [window.from_time for window in windows_of(timed, {})] == [
        timedelta(), timedelta(hours=11), timedelta(hours=20),
    ]  # fmt: skip


def test_a_tier_that_begins_later_cuts_time_for_that_tier_only() -> None:
    begins = since(date(2026, 10, 14), CHEAP).constraint
    batch = model("m", DEAR, variant({"processing": "batch"}, CHEAP, begins))

    assert len(list(windows_of(batch, {}))) == 1
    assert [window.start for window in windows_of(batch, {"processing": "batch"})] == [
        FIRST, datetime(2026, 10, 14, tzinfo=UTC),
    ]  # fmt: skip


def test_windows_that_cross_are_cut_where_either_begins_or_ends() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    morning = Window(to_time=time_of_day("12:00"))
    later = Window(start=noon)

    windows = list(cut([morning, later]))

    assert [(w.start, w.end, w.to_time) for w in windows] == [
        (FIRST, noon, time_of_day("12:00")),
        (FIRST, noon, DAY),
        (noon, LAST, time_of_day("12:00")),
        (noon, LAST, DAY),
    ]
    assert [(morning.contains(w), later.contains(w)) for w in windows] == [
        (True, False), (False, False), (True, True), (False, True),
    ]  # fmt: skip
