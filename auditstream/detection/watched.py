"""The detectors that run on usage."""

from __future__ import annotations

from auditstream.detection.burst import deny_burst, error_burst
from auditstream.detection.detector import Detector
from auditstream.detection.rate_shape import Metric, RateShape
from auditstream.detection.spend_creep import SpendCreep
from auditstream.detection.spend_surge import SpendSurge
from auditstream.detection.unit_drift import RATIOS, UnitDrift

_SHAPES: tuple[Metric, ...] = ("events", "latency_us_per_token", "failure_share")


def watched_detectors() -> list[Detector]:
    """Return all detectors over usage, without history; they judge every key of a partition."""
    return [
        SpendSurge(),
        SpendCreep(),
        *(UnitDrift(ratio) for ratio in RATIOS),
        deny_burst(),
        error_burst(),
        *(RateShape(metric) for metric in _SHAPES),
    ]
