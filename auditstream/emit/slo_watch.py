"""The watch over objectives: what happened is asked of the record, what is new is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from auditstream.core.clock import Clock
from auditstream.emit.slo_memory import Counts, SloMemory
from auditstream.notify.burn_findings import episode_before
from auditstream.notify.slo_episodes import SloTold
from auditstream.notify.slo_news import (
    SIGNAL_HOLDS,
    SloNews,
    news_of,
    news_of_retired,
    slo_signal,
)
from auditstream.notify.slo_standing import SloStanding
from auditstream.notify.told_episodes import ToldEpisode
from auditstream.reference.known_objectives import objectives_at
from auditstream.reference.objectives import Objective
from auditstream.reference.snapshot import Snapshot
from schemas.records.detection import Signal

_RENEWED_AFTER = SIGNAL_HOLDS / 2


class SloTeller(Protocol):
    """Makes things known; `auditstream.emit.burn_teller.BurnTeller` is one."""

    def tell(self, news: SloNews) -> None:
        """Return once it is known; raises `RetryableError` when it may not be."""
        ...

    def renew(self, signal: Signal) -> None:
        """Return once gateways know that a state goes on; raises likewise."""
        ...


class ToldBefore(Protocol):
    """What was told; `sinks.slo_told.SloEvents` is one."""

    def told(self, now: datetime) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """Return the attributes of the newest event by objective and what it is about; blocks.

        What was over long before `now` may be left out.
        """
        ...


class SloWatch:
    """Evaluates objectives and tells what is new of them; keeps no state that the record does not have.

    Args:
        counts: Counts what happened.
        events: What was told.
        snapshot: Gives the newest reference data: kind `slo`.
        teller: Makes news known.
        clock: Says what time it is.
    """

    def __init__(
        self,
        counts: Counts,
        events: ToldBefore,
        snapshot: Callable[[], Snapshot],
        teller: SloTeller,
        clock: Clock,
    ) -> None:
        self._counts = counts
        self._events = events
        self._snapshot = snapshot
        self._teller = teller
        self._clock = clock
        self._memories: dict[str, SloMemory] = {}
        self._told: dict[str, SloTold] | None = None
        self._signalled: dict[str, datetime] = {}

    def forget(self) -> None:
        """Read what was told from the record again: somebody else may have told more."""
        self._told = None
        self._signalled.clear()

    def look(self, is_due: Callable[[Objective], bool] = lambda objective: True) -> list[SloStanding]:
        """Evaluate objectives, tell what is new of them, and return how the active ones stand.

        Args:
            is_due: Whether to look at an objective.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        known = [each for each in objectives_at(self._snapshot(), now) if is_due(each)]
        if self._told is None and known:
            self._told = _told_of(self._events.told(now))
        told = {} if self._told is None else self._told
        standings: list[SloStanding] = []
        for objective in known:
            before = told.get(objective.slo_id, SloTold())
            if not objective.active and not _is_open(before):
                continue
            standing = self._memory(objective).standing(now)
            news, after = (news_of if objective.active else news_of_retired)(standing, before)
            for each in news:
                self._teller.tell(each)
                told[objective.slo_id] = each.told
                if each.signal is not None:
                    self._signalled[objective.slo_id] = now
            told[objective.slo_id] = after
            if objective.active:
                self._renew(standing, after, now)
                standings.append(standing)
        self._keep(known)
        return standings

    def _renew(self, standing: SloStanding, told: SloTold, now: datetime) -> None:
        """Tell gateways that a spent budget is still spent, before they stop doing as it asks."""
        objective, episode = standing.objective, told.budget
        if episode is None or not episode.is_open or objective.reaction == "notify":
            return
        last = self._signalled.get(objective.slo_id)
        if last is None or now - last >= _RENEWED_AFTER:
            self._teller.renew(slo_signal(standing, episode))
            self._signalled[objective.slo_id] = now

    def _memory(self, objective: Objective) -> SloMemory:
        memory = self._memories.get(objective.slo_id)
        if memory is None or memory.objective != objective:
            memory = self._memories[objective.slo_id] = SloMemory(objective, self._counts)
        return memory

    def _keep(self, known: list[Objective]) -> None:
        """Forget the counts of objectives that are not looked at any more."""
        held = {each.slo_id for each in known}
        self._memories = {each: memory for each, memory in self._memories.items() if each in held}


def _told_of(events: Mapping[tuple[str, str], Mapping[str, str]]) -> dict[str, SloTold]:
    found: dict[str, dict[str, ToldEpisode]] = {}
    for (slo_id, about), attributes in events.items():
        found.setdefault(slo_id, {})[about] = episode_before(attributes)
    return {
        slo_id: SloTold(burn=episodes.get("burn"), budget=episodes.get("budget"))
        for slo_id, episodes in found.items()
    }


def _is_open(told: SloTold) -> bool:
    return any(each is not None and each.is_open for each in (told.burn, told.budget))
