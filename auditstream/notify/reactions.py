"""What gateways are asked to do when a budget is gone, be it of money or of failures."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.records.vocabulary import SignalState

REACTIONS: Mapping[str, SignalState] = {
    "notify": SignalState.ALLOW,
    "throttle": SignalState.THROTTLE,
    "fallback": SignalState.FALLBACK,
    "block": SignalState.BLOCK,
}
"""The state of a signal by the reaction that a document names."""
