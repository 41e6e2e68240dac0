"""Facts about what shall be good enough: service level objectives, and what each may be asked of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

import polars as pl
from pydantic import Field, model_validator

from auditstream.reference.fact import AnyTenantId, Fact, Id, Labels, Share

Indicator = Literal[
    "availability",
    "error_rate",
    "latency_ttft",
    "latency_total",
    "fallback",
    "audit_completeness",
    "audit_freshness",
    "priced_share",
    "verification_coverage",
]
"""What can be measured; each is a share of good among those that count."""

INDICATORS: tuple[str, ...] = get_args(Indicator)

SHORTEST_WINDOW_DAYS = 7
"""Burn is watched by windows of up to 3 days: in a shorter period they would say what its sum says."""

_SECOND = 1_000_000
_WHOSE = ("project_id", "team_id", "feature_id", "cost_center", "environment", "agent_id", "credential_id")
_WHAT = ("inference_provider", "model", "event_type", "tool_name")

SCOPES: Mapping[str, tuple[str, ...]] = {
    "availability": _WHOSE + _WHAT,
    "error_rate": _WHOSE + _WHAT,
    "latency_ttft": _WHOSE + _WHAT,
    "latency_total": _WHOSE + _WHAT,
    "fallback": _WHOSE,  # the model is what a fallback changes
    "audit_completeness": ("source",),  # a source counts over all that it sends
    "audit_freshness": _WHOSE + _WHAT,
    "priced_share": _WHOSE + _WHAT,
    "verification_coverage": (*_WHOSE, "inference_provider", "model"),
}
"""Columns of events by which an objective of each indicator may be narrowed, the tenant aside."""

THRESHOLDS_US: Mapping[str, int] = {
    "latency_ttft": 2 * _SECOND,
    "latency_total": 30 * _SECOND,
    "audit_freshness": 60 * _SECOND,
    "audit_completeness": 600 * _SECOND,
    "verification_coverage": 3_600 * _SECOND,
}
"""Indicators that have a threshold, and the one that counts where none is stated.

Latencies are those of the catalogue (D12), a number of a source is missed after ten minutes (D28); a minute
is what people wait for a record, and an hour what reviews of outputs take that happen at all."""


class Objective(Fact):
    """A service level objective: which share of what shall be good, over a rolling window of days.

    Attributes:
        threshold_us: Up to what an event is good: its latency, the time until it can be queried, until a
            missing number arrives, or until an output is verified. None takes `THRESHOLDS_US`.
        objective: Share that shall be good, below 1: else there is no budget to spend.
        reaction: What gateways are asked to do once the error budget is gone.
    """

    KEY = ("slo_id",)

    slo_id: Id
    tenant_id: AnyTenantId = ""
    scope: Labels = Field(default_factory=dict)
    indicator: Indicator
    threshold_us: Annotated[int | None, Field(gt=0, lt=2**63), pl.Int64()] = None
    objective: Annotated[Share, Field(gt=0, lt=1)]
    window_days: Annotated[int, Field(ge=SHORTEST_WINDOW_DAYS, le=366), pl.UInt16()] = 30
    reaction: Literal["notify", "throttle", "fallback", "block"] = "notify"
    fallback_model: str = ""
    owner: str = ""
    active: bool = True

    @model_validator(mode="after")
    def _is_of_its_indicator(self) -> Self:
        known = SCOPES[self.indicator]
        for name, value in self.scope.items():
            if name not in known:
                raise ValueError(f"scope: {name!r} does not narrow {self.indicator}; {', '.join(known)} do")
            if not value:
                raise ValueError(f"scope: {name}: must not be empty; leave it out to cover every value")
        if self.threshold_us is not None and self.indicator not in THRESHOLDS_US:
            raise ValueError(f"threshold_us: {self.indicator} has none; {', '.join(THRESHOLDS_US)} have one")
        return self

    @model_validator(mode="after")
    def _falls_back_to_something(self) -> Self:
        if self.reaction == "fallback" and not self.fallback_model:
            raise ValueError("fallback_model: must be stated when the reaction is fallback")
        return self

    @property
    def limit_us(self) -> int:
        """The threshold that counts, in microseconds; 0 where the indicator has none."""
        return self.threshold_us or THRESHOLDS_US.get(self.indicator, 0)
