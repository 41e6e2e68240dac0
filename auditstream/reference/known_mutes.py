"""Mutes as detection asks for them: by minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import get_args

from auditstream.core.clock import EPOCH
from auditstream.detection.suppression import Extent, Mute, Suppression, WeeklyWindow
from auditstream.reference.mutes import FindingMute, Weekday
from auditstream.reference.snapshot import Snapshot

_DAYS = {name: number for number, name in enumerate(get_args(Weekday))}
_MINUTE = timedelta(minutes=1)
_DAY = 24 * 60


def suppression_of(snapshot: Snapshot) -> Suppression:
    """Return all mutes that are known, past ones too: a replay looks at minutes that are past.

    Args:
        snapshot: Reference data with the kind `mute`.
    """
    fields = list(FindingMute.model_fields)
    rows = snapshot.intervals("mute").select(*fields).rows(named=True)
    facts = [fact for fact in (FindingMute.model_validate(row) for row in rows) if fact.active]
    mutes = [_mute(fact) for fact in facts if not fact.weekdays]
    windows = [window for fact in facts for window in _windows(fact)]
    return Suppression(tuple(mutes), tuple(windows))


def _mute(fact: FindingMute) -> Mute:
    # Rounded outwards: findings know minutes only, and a mute of a minute must not be one of none.
    end = fact.valid_to or fact.valid_from
    return Mute(fact.mute_id, _extent(fact), _minute(fact.valid_from), -(-(end - EPOCH) // _MINUTE))


def _windows(fact: FindingMute) -> Iterator[WeeklyWindow]:
    first, last = _minute_of_day(fact.from_time), _minute_of_day(fact.to_time)
    end = None if fact.valid_to is None else _minute(fact.valid_to)
    for name in fact.weekdays:
        yield WeeklyWindow(
            fact.mute_id,
            _extent(fact),
            first=_DAYS[name] * _DAY + first,
            length=(last - first) % _DAY or _DAY,
            start=_minute(fact.valid_from),
            end=end,
        )


def _extent(fact: FindingMute) -> Extent:
    return Extent(tenant_id=fact.tenant_id, rule_id=fact.rule_id, scope=fact.scope)


def _minute(moment: datetime) -> int:
    return (moment - EPOCH) // _MINUTE


def _minute_of_day(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
