"""An episode of what is told: from when it begins to when it is over, as the record knows it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from auditstream.core.clock import EPOCH
from auditstream.detection.detector import COOL
from auditstream.detection.open_episodes import QUIET as QUIET_MINUTES
from auditstream.notify.burning import Burning

QUIET = timedelta(minutes=QUIET_MINUTES)
"""How long a burn must have been below `COOL` of every row before it is over: as with other episodes."""

OPENED_BY = timedelta(hours=1)
"""An episode is named by the hour that it opened in.

Who takes over while the first word of it is still on its way says the same of it under the same id. Two
episodes of burn cannot begin in one hour, `QUIET` lies between."""


@dataclass(frozen=True, slots=True)
class ToldEpisode:
    """What was told last of an episode.

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


def cool_from(burning: Burning, since: datetime | None) -> datetime | None:
    """Return from when on a burn is below `COOL`, given from when on it was; None while it is not."""
    return (since or burning.at) if burning.level < COOL else None


def burn_episode(
    burning: Burning, last: ToldEpisode | None, cool_since: datetime | None
) -> ToldEpisode | None:
    """Return the episode of a burn as it is to have been told; the last one where nothing is new."""
    firing = burning.firing
    if firing is not None:
        return at_severity(burning.at, last, firing.severity)
    if cool_since is not None and burning.at - cool_since >= QUIET:
        return closed(last)
    return last


def at_severity(at: datetime, last: ToldEpisode | None, severity: int) -> ToldEpisode:
    """Return the episode as it goes on, or a new one; in the hour of the last it is the last, open again."""
    hour = EPOCH + (at - EPOCH) // OPENED_BY * OPENED_BY
    if last is not None and (last.is_open or last.opened == hour):
        if last.is_open and severity <= last.severity:
            return last
        return ToldEpisode(last.opened, last.update + 1, max(severity, last.severity))
    return ToldEpisode(hour, 0, severity)


def closed(last: ToldEpisode | None) -> ToldEpisode | None:
    """Return the episode as it is over; None where there was none."""
    if last is None or not last.is_open:
        return last
    return replace(last, update=last.update + 1, is_open=False)
