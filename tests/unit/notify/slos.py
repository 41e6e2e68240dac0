"""Objectives and what happened of them, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from auditstream.notify.slo_standing import NOTHING, Counted, SloStanding, slo_standing
from auditstream.reference.objectives import Objective

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
TODAY = NOON.date()


def objective(**fields: Any) -> Objective:
    return Objective.model_validate(
        {
            "slo_id": "answers",
            "tenant_id": "acme",
            "indicator": "availability",
            "objective": "0.999",
            "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
            **fields,
        }
    )


def happened(
    *stretches: tuple[int, int, int, int], at: datetime = NOON
) -> tuple[dict[date, Counted], dict[int, Counted]]:
    """Return events by day and by minute.

    Args:
        *stretches: Minutes before `at`, from which on and up to which; bad and valid events of each.
        at: The moment.
    """
    now = int(at.timestamp()) // 60
    minutes: dict[int, Counted] = {}
    days: dict[date, Counted] = {}
    for since, until, bad, valid in stretches:
        for minute in range(now - since, now - until):
            minutes[minute] = minutes.get(minute, NOTHING) + Counted(bad, valid)
            day = datetime.fromtimestamp(minute * 60, UTC).date()
            days[day] = days.get(day, NOTHING) + Counted(bad, valid)
    return days, minutes


def standing(
    *stretches: tuple[int, int, int, int],
    at: datetime = NOON,
    earlier: Mapping[date, Counted] | None = None,
    **fields: Any,
) -> SloStanding:
    days, minutes = happened(*stretches, at=at)
    return slo_standing(objective(**fields), {**(earlier or {}), **days}, minutes, at)


def days_before(count: int) -> date:
    return TODAY - timedelta(days=count)
