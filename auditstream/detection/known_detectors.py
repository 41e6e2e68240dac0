"""Every detector of the product, in one list: what runs in production, and what commands name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auditstream.detection.burst import deny_burst, error_burst
from auditstream.detection.deny_rise import DenyRise
from auditstream.detection.detector import Detector
from auditstream.detection.novelty import Novelty
from auditstream.detection.rate_shape import RateShape
from auditstream.detection.spend_creep import SpendCreep
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.spread import many_countries, many_networks
from auditstream.detection.unit_drift import OUTPUT_TOKENS, TOKEN_TIME, UNCACHED_SHARE, UNIT_COST, UnitDrift


@dataclass(frozen=True, slots=True)
class Known:
    """A detector.

    Attributes:
        make: Returns a new one, without keys.
        finds: What it finds, for people.
    """

    make: Callable[[], Detector]
    finds: str


KNOWN: tuple[Known, ...] = (
    Known(SpendSurge, "A key spends far more than it ever does."),
    Known(SpendCreep, "The days of a key cost more and more."),
    Known(lambda: UnitDrift(UNIT_COST), "A call of a key costs more than it used to."),
    Known(lambda: UnitDrift(OUTPUT_TOKENS), "A call of a key writes more tokens than it used to."),
    Known(lambda: UnitDrift(TOKEN_TIME), "A token takes a key longer than it used to."),
    Known(lambda: UnitDrift(UNCACHED_SHARE), "A key reads more of its input outside the cache."),
    Known(deny_burst, "Guardrails refuse many more of a key's events than they use to."),
    Known(DenyRise, "They refuse more of a key's events for hours, where there are few."),
    Known(Novelty, "A credential does two things at once that it has never done."),
    Known(many_networks, "A credential is used from many networks within an hour."),
    Known(many_countries, "A credential is used from many countries within an hour."),
    Known(error_burst, "Many more of a key's events fail than use to."),
    Known(lambda: RateShape("events"), "The rate of a dense key takes a shape that it never has."),
    Known(lambda: RateShape("latency_us_per_token"), "So does the latency of a dense key, by output token."),
    Known(lambda: RateShape("failure_share"), "So does the share of a dense key's events that fail."),
)
"""All of them; those of one slug differ in their metric."""


def watched_detectors() -> list[Detector]:
    """Return all detectors, without history; in production they judge every key of a partition."""
    return [each.make() for each in KNOWN]
