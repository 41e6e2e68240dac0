"""From scores to findings: a fold over closed buckets that opens, updates and closes episodes.

An episode is open from the bucket whose level reaches 1 until its level has been below `COOL` for an hour; in
between it is one finding with rising versions. Whom to call is told by the finding itself: `suppressed_by` is
None when somebody is called, else the reason. Nothing is left out because nobody is called.

Time comes in with the buckets, so that a replay gives the same ids, versions and reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.core.errors import InvariantError
from auditstream.detection.calling import Calling
from auditstream.detection.detector import Keys
from auditstream.detection.episode import NO_KEY, Episode
from auditstream.detection.escalation import TOGETHER, Company, companies, severity_of, with_marks
from auditstream.detection.money_gate import Stakes, money_severity
from auditstream.detection.open_episodes import QUIET, Judged, OpenEpisodes
from auditstream.detection.roll_up import Incident, incident_of, incidents, parent_of, sum_up
from auditstream.detection.severities import Severity
from auditstream.detection.suppression import Suppression
from auditstream.detection.surroundings import MOST_CONTRIBUTORS, MOST_EVENTS, Surroundings
from auditstream.detection.traits import traits_of
from auditstream.detection.twins import hand_over, heads, pair_up
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

__all__ = ["Episodes", "Judged"]

STATE_VERSION = 1
"""Grows when `Episodes.state` changes its form."""

QUIET_OF_INFO = 240
"""Minutes of quiet (`QUIET`) after which an episode that nobody is called for is over."""

UPDATE_AFTER = 15
"""Least minutes between two versions that nobody is called for."""

DAY = 24 * 60
"""Minutes after which a level is taken for the new one, by detectors that do so (`Traits.rebaselines`)."""

_UNTOLD = Company()


class Episodes:
    """All open episodes of one partition's keys; single-threaded.

    Args:
        surroundings: Says what keys stand for, and what money means.
        suppression: Mutes and windows; may be set anew at any time.

    Attributes:
        suppression: Likewise.
        stated: What reference data says that money means, by tenant and currency; may be set anew too. It
            comes before what the surroundings say.
    """

    def __init__(self, surroundings: Surroundings, suppression: Suppression | None = None) -> None:
        self.suppression = suppression or Suppression()
        self.stated: Mapping[tuple[str, str], Stakes] = {}
        self._surroundings = surroundings
        self._open = OpenEpisodes(surroundings.subject)
        self._parents: dict[Incident, Episode] = {}
        self._marks: dict[tuple[str, str, str], int] = {}
        self._calling = Calling()
        self._now = 0

    def in_episode(self, slug: str, keys: int, metric: str | None = None) -> NDArray[np.bool_]:
        """Return by key whether an episode of a detector is open, for `Detector.observe`; not to be written.

        Args:
            slug: The detector.
            keys: How many keys there are.
            metric: What it watches; None for an episode of any metric of the detector.
        """
        return self._open.flags(slug, keys, metric)

    def note(self, tenant_id: str, scope: str, slug: str, minute: int) -> None:
        """Remember what another part saw of a key, for the pattern of a stolen key; an hour long."""
        mark = tenant_id, scope, slug
        self._marks[mark] = max(minute, self._marks.get(mark, minute))

    def step(self, end: int, judged: Sequence[Judged]) -> list[Finding]:
        """Take in what detectors say of buckets that end at a minute, and return the findings to be stored.

        Args:
            end: Minute since 1970 at which the buckets end; never before that of the step before.
            judged: What detectors say; may be empty: quiet passes too.

        Raises:
            InvariantError: Time went back.
        """
        if end < self._now:
            raise InvariantError(f"episodes: minute {end} comes after minute {self._now}")
        start = min((each.start for each in judged), default=end)
        # Buckets without rows are left out: what was quiet meanwhile is over before these begin.
        found = self._told(start) if start > self._now else []
        self._open.pass_time(start)
        self._now = end
        for each in judged:
            self._open.take(each, end)
        pair_up(self._open, self._surroundings.alike)
        self._escalate(end)
        self._roll_up(end)
        return found + self._told(end)

    def forget(self, keys: Keys) -> list[Finding]:
        """Close the episodes of keys that others are about to use, and return their last findings."""
        found = sorted(self._open.forget([int(key) for key in keys]), key=_rank)
        hand_over(self._open, {each.finding_id for each in found})
        return [self._close(each, self._now, "its key is no longer followed") for each in found]

    def state(self) -> dict[str, Any]:
        """Return everything that is remembered, as JSON takes it."""
        return {
            "version": STATE_VERSION,
            "now": self._now,
            "episodes": [each.state() for each in sorted(self._all(), key=_rank)],
            "accepted": self._open.state(),
            "marks": [[*mark, minute] for mark, minute in sorted(self._marks.items())],
            "calling": self._calling.state(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what `state` returned; one of another form is refused.

        Raises:
            InvariantError: It is of another version.
        """
        if state["version"] != STATE_VERSION:
            raise InvariantError(f"episodes: state of version {state['version']}, not {STATE_VERSION}")
        self._now = state["now"]
        known = [Episode.from_state(each) for each in state["episodes"]]
        self._parents = {incident_of(each): each for each in known if each.stands_for_others}
        self._open.restore([each for each in known if not each.stands_for_others], state["accepted"])
        self._marks = {(tenant, scope, slug): minute for tenant, scope, slug, minute in state["marks"]}
        self._calling.restore(state["calling"])

    @property
    def open_count(self) -> int:
        """Episodes that are open, those that stand for others included."""
        return len(self._open) + len(self._parents)

    def _all(self) -> Iterator[Episode]:
        yield from self._open
        yield from self._parents.values()

    # How grave, and what belongs together

    def _escalate(self, now: int) -> None:
        for mark in [mark for mark, minute in self._marks.items() if now - minute > TOGETHER]:
            del self._marks[mark]
        # Twice: that the money of one passes the gate is what makes the agreement of another count.
        for _ in range(2):
            known = companies(self._open, now)
            with_marks(known, self._marks, now)
            for each in self._open:
                company = known.get((each.tenant_id, each.scope), _UNTOLD)
                stakes = self._stakes(each.tenant_id, each.currency)
                each.agreed |= len(company.families) > 1
                each.severity = severity_of(each, company, stakes)
        for head, twins in heads(self._open):
            # No graver than the gravest of them: that one is seen twice makes it no worse.
            head.severity = max([head.severity, *(each.severity for each in twins)])

    def _stakes(self, tenant_id: str, currency: str) -> Stakes:
        learnt = self._surroundings.stakes(tenant_id, currency)
        stated = self.stated.get((tenant_id, currency))
        if stated is None:
            return learnt
        return Stakes(
            median_daily_spend=learnt.median_daily_spend,
            daily_budget=learnt.daily_budget if stated.daily_budget is None else stated.daily_budget,
            gate=learnt.gate if stated.gate is None else stated.gate,
        )

    def _roll_up(self, now: int) -> None:
        found = list(incidents(self._all(), now, self._surroundings.tenants_with))
        for incident, children in found:
            parent = self._parents.get(incident)
            if parent is None:
                parent = self._parents[incident] = parent_of(incident, children, now)
            for each in children:
                each.parent, each.changed = parent.finding_id, True
                name = f"{each.tenant_id}/{each.scope}"
                # Not another metric of a key that it stands for already, nor the tenant as a whole.
                if each.scope and name not in parent.children:
                    parent.children.append(name)
        by_id: dict[str, list[Episode]] = {}
        for each in self._open:
            if each.parent:
                by_id.setdefault(each.parent, []).append(each)
        for parent in self._parents.values():
            children = by_id.get(parent.finding_id, [])
            twins = [twin for each in children for twin in by_id.get(each.finding_id, [])]
            sum_up(parent, children, twins)
            parent.severity = max(parent.severity, self._severity_of_parent(parent, children))

    def _severity_of_parent(self, parent: Episode, children: Sequence[Episode]) -> Severity:
        """Return the gravest of its children and of their money together; without money at least medium."""
        gravest = max((each.severity for each in children), default=Severity.INFORMATIONAL)
        if not parent.excess:
            return max(gravest, Severity.MEDIUM)
        stakes = self._stakes(parent.tenant_id, parent.currency)
        return max(gravest, money_severity(parent.excess, parent.warm_at - parent.first, stakes))

    # Findings

    def _told(self, now: int) -> list[Finding]:
        """Return the findings of a step: the gravest first, so that they are called for before the cap."""
        found: list[Finding] = []
        endings = {id_: ending for id_, ending in self._endings(now) if ending}
        for each in sorted(self._all(), key=_rank):
            if each.finding_id in endings:
                found.append(self._close(each, now, endings[each.finding_id]))
                continue
            called, reason = self._calling.decide(each, self.suppression, now)
            due = each.changed and now - each.stored_at >= UPDATE_AFTER
            if called or each.version < 0 or due or each.severity > each.stored_severity:
                found.append(self._stored(each, now, called=called, reason=reason))
        found += self._calling.digests(self._all(), self.suppression, now)
        return found

    def _endings(self, now: int) -> Iterator[tuple[str, str]]:
        """Yield why each episode is over, empty when it goes on; a parent is over with its last child."""
        endings = [(each, _ending(each, now)) for each in self._open]
        hand_over(self._open, {each.finding_id for each, ending in endings if ending})
        alive = {each.parent for each, ending in endings if not ending}
        yield from ((each.finding_id, ending) for each, ending in endings)
        for parent in self._parents.values():
            yield parent.finding_id, "" if parent.finding_id in alive else "over"

    def _stored(self, episode: Episode, now: int, *, called: bool, reason: str) -> Finding:
        self._add_evidence(episode)
        episode.stored_at, episode.changed = now, False
        episode.stored_severity, episode.reason = int(episode.severity), reason
        if called:
            episode.told_at, episode.told_severity = now, int(episode.severity)
        return episode.finding(_status(reason), None if called else reason)

    def _close(self, episode: Episode, now: int, ending: str) -> Finding:
        if episode.stands_for_others:
            del self._parents[incident_of(episode)]
        else:
            self._open.drop(episode, accepted=ending.startswith("rebaselined"))
        self._add_evidence(episode)
        reason = self._calling.of_an_end(episode, self.suppression, now)
        return episode.finding(FindingStatus.RESOLVED, reason or None, ending)

    def _add_evidence(self, episode: Episode) -> None:
        if episode.stands_for_others:
            return
        evidence = self._surroundings.evidence(episode.key, episode.first, episode.hot_at)
        largest = sorted(evidence.contributors.items(), key=lambda each: (-each[1], each[0]))
        if largest:
            episode.contributors = dict(largest[:MOST_CONTRIBUTORS])
        episode.events = list(dict.fromkeys([*episode.events, *evidence.events]))[:MOST_EVENTS]


def _ending(episode: Episode, now: int) -> str:
    """Return why an episode is over; empty when it goes on."""
    quiet = QUIET if episode.severity > Severity.INFORMATIONAL else QUIET_OF_INFO
    if now - episode.warm_at >= quiet:
        return "over"
    is_long = episode.hot_at == now and now - episode.opened_at >= DAY
    if is_long and traits_of(episode.slug).rebaselines:
        return "rebaselined: after 24 hours this level is taken for the new one"
    return ""


def _rank(episode: Episode) -> tuple[int, bool, str, str, str, str]:
    """Order of telling: by gravity, parents before what they stand for, then by name; not by key number."""
    return (
        -int(episode.severity),
        episode.key != NO_KEY,
        episode.tenant_id,
        episode.scope,
        episode.slug,
        episode.finding_id,
    )


def _status(reason: str) -> FindingStatus:
    is_suppressed = reason.startswith(("mute:", "window:", "parent:"))
    return FindingStatus.SUPPRESSED if is_suppressed else FindingStatus.NEW
