"""Keys, money and scores for tests of episodes: what a detect agent would tell them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from auditstream.detection.detector import Scores, Tier
from auditstream.detection.episodes import Judged
from auditstream.detection.money_gate import Stakes
from auditstream.detection.surroundings import Evidence, Subject

START = 29_000_000
"""A minute in 2025."""


@dataclass
class World:
    """Surroundings of episodes: subjects by key, and which of them are the same traffic."""

    subjects: Sequence[Subject]
    money: Stakes = field(default_factory=lambda: Stakes(gate=Decimal(20), daily_budget=Decimal(10**9)))
    beneath: Evidence = field(default_factory=Evidence)
    same: Sequence[Collection[int]] = ()

    def subject(self, key: int) -> Subject:
        return self.subjects[key]

    def tenants_with(self, scope: str) -> int:
        return len({each.tenant_id for each in self.subjects if each.scope == scope})

    def alike(self, keys: Collection[int], measure: str) -> Mapping[int, Collection[int]]:
        return {key: each for each in self.same for key in each if key in keys}

    def stakes(self, tenant_id: str, currency: str) -> Stakes:
        return self.money

    def evidence(self, key: int, start: int, end: int) -> Evidence:
        return self.beneath


def judged(
    levels: Mapping[int, float],
    end: int,
    *,
    slug: str = "spend.surge",
    family: str = "money",
    excess: float = 0.0,
    excess_minutes: int = 0,
    minutes: int = 1,
) -> Judged:
    """Return what a detector says of keys in the bucket that ends at a minute, by key and level."""
    keys = sorted(levels)
    level = np.array([levels[key] for key in keys], np.float64)
    scores = Scores(
        keys=np.array(keys, np.int32),
        level=level,
        score=level * 4,
        observed=level * 10,
        expected=np.full(len(keys), 10.0),
        excess=np.full(len(keys), excess),
        tier=np.full(len(keys), Tier.WARM, np.uint8),
    )
    return Judged(slug, f"{slug}.metric", "1", family, scores, end - minutes, minutes, excess_minutes)
