"""What is told of an objective: an event, a finding, and a signal when its error budget is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.core.ids import uuid7
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.notify.reactions import REACTIONS
from auditstream.notify.scopes import scope_text
from auditstream.notify.slo_episodes import About, SloEpisode, SloTold, ended, followed
from auditstream.notify.slo_standing import SloStanding
from schemas.records.detection import Finding, Signal
from schemas.records.vocabulary import FindingStatus, SignalKind, SignalState

RULE = "slo.burn"
DETECTOR_VERSION = "1"

SIGNAL_HOLDS = timedelta(hours=1)
"""How long gateways do as a spent budget asks without hearing again: a dead watch must not block for ever."""

_INFORMATIONAL = 1
_SHARE_PLACES = 6  # as objectives have
_CERTAIN = 100  # counted, not estimated
_TACTICS: Mapping[str, tuple[str, ...]] = {
    "availability": ("AML.T0029", "LLM10"),
    "error_rate": ("AML.T0029", "LLM10"),
    "latency_ttft": ("AML.T0029", "LLM10"),
    "latency_total": ("AML.T0029", "LLM10"),
    "fallback": ("AML.T0029", "ASI08"),
    "audit_completeness": ("AML.T0107", "MCP08"),
    "audit_freshness": ("AML.T0107", "MCP08"),
    "verification_coverage": ("LLM09", "ASI09"),
}
"""ATLAS and OWASP ids by indicator: those of the catalogue's detections of the same thing."""

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class SloNews:
    """One thing that is to be told of an objective.

    Attributes:
        standing: How it stands.
        about: What it is about.
        told: What will have been told of the objective then.
    """

    standing: SloStanding
    about: About
    told: SloTold

    @property
    def episode(self) -> SloEpisode:
        """What is told, as a state."""
        episode = self.told.burn if self.about == "burn" else self.told.budget
        assert episode is not None
        return episode

    @property
    def title(self) -> str:
        """One line that says it."""
        objective, standing = self.standing.objective, self.standing
        what = f"{objective.indicator} of {objective.slo_id}"
        left = f"{100 * standing.left:.1f} % of the error budget are left"
        match self.about, self.episode.is_open:
            case "burn", True:
                row = standing.firing
                rate = f"{standing.rates[row.long]:.1f} times over {row.long} minutes" if row else "fast"
                return f"{what} burns its error budget {rate}; {left}"
            case "burn", False:
                return f"{what} burns no more; {left}"
            case "budget", True:
                missed = f"{standing.total.bad} of {standing.total.valid} missed it"
                return f"{what} has no error budget left: {missed}"
            case _:
                return f"{what} has an error budget again; {left}"

    @property
    def finding(self) -> Finding:
        """The finding, or its update."""
        standing, episode = self.standing, self.episode
        objective = standing.objective
        scope = scope_text("slo", objective.slo_id, "", objective.scope)
        tenant = objective.tenant_id or UNATTRIBUTED
        metric = objective.indicator if self.about == "burn" else f"{objective.indicator}_budget"
        row = standing.firing
        window = timedelta(minutes=row.long) if row else timedelta(days=objective.window_days)
        return Finding(
            finding_id=finding_id(tenant, scope, metric, RULE, episode.opened.isoformat()),
            version=episode.update * UPDATES_APART,
            tenant_id=tenant,
            rule_id=RULE,
            detector_version=DETECTOR_VERSION,
            title=self.title,
            status=FindingStatus.NEW if episode.is_open else FindingStatus.RESOLVED,
            severity=episode.severity,
            confidence=_CERTAIN,
            scope=scope,
            metric=metric,
            tier=row.name if row and self.about == "burn" else "",
            window_start=min(episode.opened, standing.at - window),
            window_end=standing.at,
            observed=standing.rates[row.long] if row and self.about == "burn" else standing.good_share,
            expected=row.factor(objective.window_days * 1_440)
            if row and self.about == "burn"
            else float(objective.objective),
            score=standing.level if self.about == "burn" else 1 - standing.left,
            attacks=_TACTICS.get(objective.indicator, ()),
        )

    @property
    def signal(self) -> Signal | None:
        """What gateways are told; None when they are asked for nothing else."""
        if self.about == "burn" or self.standing.objective.reaction == "notify":
            return None
        return slo_signal(self.standing, self.episode)

    @property
    def event_id(self) -> UUID:
        """An id that is the same whoever tells of it, however often."""
        found = self.finding
        name = f"{found.finding_id}\0{found.version}".encode()
        return uuid7(int(self.episode.opened.timestamp() * 1_000), hashlib.sha256(name).digest()[:10])

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the event `ai.finding` that tells of it."""
        standing, episode, found = self.standing, self.episode, self.finding
        objective = standing.objective
        signal = self.signal
        return {
            "event_id": self.event_id,
            "severity": episode.severity if episode.is_open else _INFORMATIONAL,
            "finding": {
                "rule_id": RULE,
                "title": found.title,
                "status": str(found.status),
                "confidence": _CERTAIN,
                "attacks": list(found.attacks),
            },
            "attributes": {
                "slo": objective.slo_id,
                "about": self.about,
                "opened": episode.opened.isoformat(),
                "update": str(episode.update),
                "severity": str(episode.severity),
                "open": "yes" if episode.is_open else "no",
                "scope": scope_text("slo", objective.slo_id, objective.tenant_id, objective.scope),
                "indicator": objective.indicator,
                "objective": f"{objective.objective.normalize():f}",
                "bad": str(standing.total.bad),
                "valid": str(standing.total.valid),
                "left_pct": f"{100 * standing.left:.3f}",
                "finding_id": found.finding_id,
                **({"owner": objective.owner} if objective.owner else {}),
                **({"state": str(signal.state)} if signal else {}),
            },
        }


def news_of(standing: SloStanding, told: SloTold) -> tuple[list[SloNews], SloTold]:
    """Return what is new of an objective, in the order to tell it in, and what is remembered then."""
    return _between(standing, told, followed(standing, told))


def news_of_retired(standing: SloStanding, told: SloTold) -> tuple[list[SloNews], SloTold]:
    """Return what is to be told of an objective that holds no more: that what was open is over."""
    return _between(standing, told, ended(told))


def told_before(attributes: Mapping[str, str]) -> SloEpisode:
    """Return what an event told of an objective; see `SloNews.fields`."""
    return SloEpisode(
        opened=datetime.fromisoformat(attributes["opened"]),
        update=int(attributes["update"]),
        severity=int(attributes["severity"]),
        is_open=attributes["open"] == "yes",
    )


def slo_signal(standing: SloStanding, episode: SloEpisode) -> Signal:
    """Return what gateways are told of an error budget: what to do with the scope's requests for an hour."""
    objective, at = standing.objective, standing.at
    state = REACTIONS[objective.reaction] if episode.is_open else SignalState.ALLOW
    is_asked = state is not SignalState.ALLOW
    goal, left = 100 * objective.objective, f"{100 * standing.left:.1f} % left"
    return Signal(
        scope=scope_text("slo", objective.slo_id, objective.tenant_id, objective.scope),
        tenant_id=objective.tenant_id,
        kind=SignalKind.SLO,
        rule_id=objective.slo_id,
        state=state,
        reason=f"{left} of the error budget of {goal.normalize():f} % {objective.indicator}",
        revision=(at - _EPOCH) // _MICROSECOND,
        effective=at,
        expires=at + SIGNAL_HOLDS if is_asked else None,
        limit=objective.objective,
        spent=round(Decimal(1 - standing.left), _SHARE_PLACES),
        fallback_model=objective.fallback_model or None,
        retry_after_us=SIGNAL_HOLDS // _MICROSECOND if is_asked else None,
    )


def _between(standing: SloStanding, told: SloTold, now: SloTold) -> tuple[list[SloNews], SloTold]:
    found: list[SloNews] = []
    if now.burn != told.burn:
        told = replace(told, burn=now.burn)
        found.append(SloNews(standing, "burn", told))
    if now.budget != told.budget:
        told = replace(told, budget=now.budget)
        found.append(SloNews(standing, "budget", told))
    return found, now
