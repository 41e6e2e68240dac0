"""One episode: a key that a detector fires for, from its first bucket until it has been quiet long enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from auditstream.core.clock import EPOCH
from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.detection.detector import Tier
from auditstream.detection.severities import Severity
from auditstream.detection.traits import traits_of
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

NO_KEY = -1
"""Key of an episode that stands for others."""

# How sure a detector is by how much it knows of the key [our judgement]; another family that agrees adds.
_CONFIDENCE = {Tier.NEW: 40, Tier.SPARSE: 60, Tier.WARM: 75, Tier.SEASONAL: 85}
_AGREED = 10
_STEP = Decimal(1).scaleb(-12)
_MOST_MONEY = 1e24  # what the column holds


@dataclass(slots=True, kw_only=True)
class Episode:
    """Plain data that a snapshot can hold; times are minutes since 1970.

    Attributes:
        slug: The detector.
        metric: What it watches.
        detector_version: Its version.
        family: Its family.
        key: The key's number; `NO_KEY` for an episode that stands for others.
        tenant_id: Whose it is.
        scope: What it is about within the tenant.
        currency: Of `excess`; empty without money.
        first: Start of the bucket in which it began.
        opened_at: End of that bucket.
        warm_at: End of the last bucket that was not cool.
        hot_at: End of the last bucket that fired.
        level: Highest level so far; observed, expected, score and tier are those of its bucket.
        excess: Money above what was expected, since it began.
        severity: It never falls.
        agreed: Whether another family agrees.
        version: Version of the finding that was stored last, below 0 before the first.
        stored_at: When that was.
        changed: Whether there is more to tell than was stored.
        stored_severity: What its severity was then.
        reason: Why nobody was called then; empty when somebody was.
        told_at: When somebody was called last; None when nobody ever was.
        told_severity: What it was then.
        parent: Finding id of the episode that stands for it; empty without one.
        children: Keys that this one stands for, as `tenant/scope`, past ones included.
        contributors: Largest contributors and their share.
        events: Sample event ids.
        finding_id: Id of its findings: the same at every replay.
    """

    slug: str
    metric: str
    detector_version: str
    family: str
    key: int
    tenant_id: str
    scope: str
    currency: str
    first: int
    opened_at: int
    warm_at: int
    hot_at: int
    level: float = 0.0
    score: float = 0.0
    observed: float = 0.0
    expected: float | None = None
    tier: int = 0
    excess: Decimal = Decimal(0)
    severity: Severity = Severity.INFORMATIONAL
    agreed: bool = False
    version: int = -UPDATES_APART
    stored_at: int = 0
    changed: bool = True
    stored_severity: int = 0
    reason: str = ""
    told_at: int | None = None
    told_severity: int = 0
    parent: str = ""
    children: list[str] = field(default_factory=list)
    contributors: dict[str, float] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    finding_id: str = ""

    def __post_init__(self) -> None:
        about = self.tenant_id, self.scope, self.metric, self.slug
        self.finding_id = self.finding_id or finding_id(*about, str(self.first))

    @property
    def stands_for_others(self) -> bool:
        """Whether it is a parent."""
        return self.key == NO_KEY

    def add_excess(self, amount: float) -> None:
        """Count money above what was expected; what is no sum of money counts nothing."""
        if amount > 0 and math.isfinite(amount):
            self.excess += Decimal(min(amount, _MOST_MONEY)).quantize(_STEP)

    def finding(self, status: FindingStatus, suppressed_by: str | None, ending: str = "") -> Finding:
        """Return it as the next version of its finding.

        Args:
            status: Where it stands.
            suppressed_by: Why nobody is called; None when somebody is.
            ending: What to say of its end.
        """
        self.version += UPDATES_APART
        money = bool(self.currency) and self.excess > 0
        return Finding(
            finding_id=self.finding_id,
            version=self.version,
            tenant_id=self.tenant_id,
            rule_id=self.slug,
            detector_version=self.detector_version,
            title=(self._title() + (f"; {ending}" if ending else ""))[:500],
            status=status,
            severity=int(self.severity),
            confidence=min(100, _CONFIDENCE[Tier(self.tier)] + (_AGREED if self.agreed else 0)),
            scope=self.scope,
            metric=self.metric,
            tier=Tier(self.tier).name.lower(),
            window_start=_moment(self.first),
            window_end=_moment(self.hot_at),
            observed=_finite(self.observed),
            expected=_finite(self.expected),
            score=_finite(self.score),
            excess_cost=self.excess if money else None,
            currency=self.currency if money else "",
            contributors=self.contributors,
            attacks=traits_of(self.slug).attacks,
            related_events=tuple(self.events),
            suppressed_by=suppressed_by,
        )

    def _title(self) -> str:
        whom = " of ".join(part for part in (self.scope, self.tenant_id) if part)
        if self.stands_for_others:
            return f"{self.slug}: {self.observed:.0f} {self.metric} of {whom} at once"
        usual = "" if self.expected is None else f" where {self.expected:.6g} is usual"
        money = f", {self.excess:.2f} {self.currency} more" if self.currency and self.excess > 0 else ""
        return f"{self.slug}: {self.metric} {self.observed:.6g}{usual}{money}, {whom}"

    def state(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return {**asdict(self), "excess": str(self.excess), "severity": int(self.severity)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Episode:
        """Return what `state` told."""
        severity, excess = Severity(state["severity"]), Decimal(state["excess"])
        return cls(**{**state, "severity": severity, "excess": excess})


def _moment(minute: int) -> datetime:
    return EPOCH + timedelta(minutes=minute)


def _finite(value: float | None) -> float | None:
    """Return a number that every reader takes: JSON has neither infinity nor NaN."""
    return value if value is not None and math.isfinite(value) else None
