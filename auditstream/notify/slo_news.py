"""What is told of an objective: an event, a finding, and a signal when its error budget is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from auditstream.core.clock import EPOCH
from auditstream.detection.burn import MINUTES_A_DAY
from auditstream.notify.burn_findings import burn_finding, event_fields
from auditstream.notify.reactions import REACTIONS
from auditstream.notify.scopes import scope_text
from auditstream.notify.slo_episodes import About, SloTold, ended, followed
from auditstream.notify.slo_standing import SloStanding
from auditstream.notify.told_episodes import ToldEpisode
from schemas.records.detection import Finding, Signal
from schemas.records.vocabulary import SignalKind, SignalState

SIGNAL_HOLDS = timedelta(hours=1)
"""How long gateways do as a spent budget asks without hearing again: a dead watch must not block for ever."""

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
    def episode(self) -> ToldEpisode:
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
        standing, objective = self.standing, self.standing.objective
        metric: str = objective.indicator
        row = standing.firing
        period = objective.window_days * MINUTES_A_DAY
        common: dict[str, Any] = {
            "title": self.title,
            "window_end": standing.at,
            "attacks": _TACTICS.get(objective.indicator, ()),
        }
        if self.about == "burn":
            window = timedelta(minutes=row.long if row else period)
            common |= {
                "tier": row.name if row else "",
                "observed": standing.rates[row.long] if row else None,
                "expected": row.factor(period) if row else None,
                "score": standing.level,
            }
        else:
            metric, window = f"{metric}_budget", timedelta(minutes=period)
            common |= {
                "observed": standing.good_share,
                "expected": float(objective.objective),
                "score": 1 - standing.left,
            }
        scope = scope_text("slo", objective.slo_id, "", objective.scope)
        start = min(self.episode.opened, standing.at - window)
        return burn_finding(self.episode, objective.tenant_id, scope, metric, window_start=start, **common)

    @property
    def signal(self) -> Signal | None:
        """What gateways are told; None when they are asked for nothing else."""
        if self.about == "burn" or self.standing.objective.reaction == "notify":
            return None
        return slo_signal(self.standing, self.episode)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the event `ai.finding` that tells of it."""
        standing, objective, signal = self.standing, self.standing.objective, self.signal
        attributes = {
            "scope": scope_text("slo", objective.slo_id, objective.tenant_id, objective.scope),
            "indicator": objective.indicator,
            "objective": f"{objective.objective.normalize():f}",
            "bad": str(standing.total.bad),
            "valid": str(standing.total.valid),
            "left_pct": f"{100 * standing.left:.3f}",
            **({"owner": objective.owner} if objective.owner else {}),
            **({"state": str(signal.state)} if signal else {}),
        }
        return event_fields(self.finding, self.episode, objective.slo_id, self.about, attributes)

    @property
    def rule(self) -> str:
        """Id of the objective."""
        return self.standing.objective.slo_id

    @property
    def tenant_id(self) -> str:
        """The objective's tenant; empty for all."""
        return self.standing.objective.tenant_id

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of events that the objective is narrowed by, and their values."""
        return self.standing.objective.scope


def news_of(standing: SloStanding, told: SloTold) -> tuple[list[SloNews], SloTold]:
    """Return what is new of an objective, in the order to tell it in, and what is remembered then."""
    return _between(standing, told, followed(standing, told))


def news_of_retired(standing: SloStanding, told: SloTold) -> tuple[list[SloNews], SloTold]:
    """Return what is to be told of an objective that holds no more: that what was open is over."""
    return _between(standing, told, ended(told))


def slo_signal(standing: SloStanding, episode: ToldEpisode) -> Signal:
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
        revision=(at - EPOCH) // _MICROSECOND,
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
