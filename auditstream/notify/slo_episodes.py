"""The two things that are told of an objective, each from when it begins to when it is over.

`burn`: the error budget burns fast enough for a page or a ticket. `budget`: it is gone. What was told is what
the record knows, so that who takes over goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from auditstream.detection.burn import HIGH
from auditstream.detection.detector import COOL
from auditstream.detection.episodes import QUIET as QUIET_MINUTES
from auditstream.notify.slo_standing import SloStanding

About = Literal["burn", "budget"]

QUIET = timedelta(minutes=QUIET_MINUTES)
"""How long a burn must have been below `COOL` of every row before it is over: as with other episodes."""

BACK = 0.02
"""Share of the budget that must be left again before gateways hear so.

A budget of a rolling window comes back by fractions as old days leave it. At 2 % it lasts an hour of the
fastest burn that is told of; less would turn gateways on and off."""

OPENED_BY = timedelta(hours=1)
"""An episode is named by the hour that it opened in.

Who takes over while the first word of it is still on its way says the same of it under the same id. Two
episodes of burn cannot begin in one hour, `QUIET` lies between."""


@dataclass(frozen=True, slots=True)
class SloEpisode:
    """What was told last of one of both.

    Attributes:
        opened: Hour in which it began (UTC).
        update: Number of what was told, from 0.
        severity: OCSF severity that was told; only rises.
        is_open: Whether it goes on.
    """

    opened: datetime
    update: int
    severity: int
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class SloTold:
    """What was told of an objective.

    Attributes:
        burn: Of its burn; None when nothing ever was.
        budget: Of its budget; likewise.
        cool_since: From when on the burn is below `COOL`; None while it is not. Not in the record.
    """

    burn: SloEpisode | None = None
    budget: SloEpisode | None = None
    cool_since: datetime | None = None


def followed(standing: SloStanding, told: SloTold) -> SloTold:
    """Return what is to have been told, given how an objective stands; what is not new is equal."""
    cool_since = (told.cool_since or standing.at) if standing.level < COOL else None
    return SloTold(
        burn=_burn(standing, told.burn, cool_since),
        budget=_budget(standing, told.budget),
        cool_since=cool_since,
    )


def ended(told: SloTold) -> SloTold:
    """Return what is to have been told of an objective that was retired: what was open is over."""
    return replace(told, burn=_closed(told.burn), budget=_closed(told.budget))


def _burn(standing: SloStanding, last: SloEpisode | None, cool_since: datetime | None) -> SloEpisode | None:
    firing = standing.firing
    if firing is not None:
        return _at_severity(standing.at, last, firing.severity)
    if cool_since is not None and standing.at - cool_since >= QUIET:
        return _closed(last)
    return last


def _budget(standing: SloStanding, last: SloEpisode | None) -> SloEpisode | None:
    if standing.is_spent:
        return _at_severity(standing.at, last, HIGH)
    return _closed(last) if standing.left >= BACK else last


def _at_severity(at: datetime, last: SloEpisode | None, severity: int) -> SloEpisode:
    """Return the episode as it goes on, or a new one; in the hour of the last it is the last, open again."""
    hour = datetime.fromtimestamp(
        at.timestamp() // OPENED_BY.total_seconds() * OPENED_BY.total_seconds(), at.tzinfo
    )
    if last is not None and (last.is_open or last.opened == hour):
        if last.is_open and severity <= last.severity:
            return last
        return SloEpisode(last.opened, last.update + 1, max(severity, last.severity))
    return SloEpisode(hour, 0, severity)


def _closed(last: SloEpisode | None) -> SloEpisode | None:
    if last is None or not last.is_open:
        return last
    return replace(last, update=last.update + 1, is_open=False)
