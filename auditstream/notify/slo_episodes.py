"""The two things that are told of an objective, each from when it begins to when it is over.

`burn`: the error budget burns fast enough for a page or a ticket. `budget`: it is gone. What was told is what
the record knows, so that who takes over goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from auditstream.detection.burn import HIGH
from auditstream.notify.slo_standing import SloStanding
from auditstream.notify.told_episodes import ToldEpisode, at_severity, burn_episode, closed, cool_from

About = Literal["burn", "budget"]

BACK = 0.02
"""Share of the budget that must be left again before gateways hear so.

A budget of a rolling window comes back by fractions as old days leave it. At 2 % it lasts an hour of the
fastest burn that is told of; less would turn gateways on and off."""


@dataclass(frozen=True, slots=True)
class SloTold:
    """What was told of an objective.

    Attributes:
        burn: Of its burn; None when nothing ever was.
        budget: Of its budget; likewise.
        cool_since: From when on the burn is below `COOL`; None while it is not. Not in the record.
    """

    burn: ToldEpisode | None = None
    budget: ToldEpisode | None = None
    cool_since: datetime | None = None


def followed(standing: SloStanding, told: SloTold) -> SloTold:
    """Return what is to have been told, given how an objective stands; what is not new is equal."""
    cool_since = cool_from(standing, told.cool_since)
    return SloTold(
        burn=burn_episode(standing, told.burn, cool_since),
        budget=_budget(standing, told.budget),
        cool_since=cool_since,
    )


def ended(told: SloTold) -> SloTold:
    """Return what is to have been told of an objective that was retired: what was open is over."""
    return replace(told, burn=closed(told.burn), budget=closed(told.budget))


def _budget(standing: SloStanding, last: ToldEpisode | None) -> ToldEpisode | None:
    if standing.is_spent:
        return at_severity(standing.at, last, HIGH)
    return closed(last) if standing.left >= BACK else last
