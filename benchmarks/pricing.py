"""The record path with full pricing against the same without: 200 models, 50 tenants with contracts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from auditstream.pricing.states import unpriced_columns
from benchmarks.bed import Bed
from benchmarks.measured import Figures, middle, ratio
from benchmarks.priced_events import MODELS, TENANTS, values

CASES = ("record-unpriced", "record-priced")
_ROUNDS = 3  # one pair says what the machine did beside as much as what prices take


@dataclass(frozen=True, slots=True)
class Pricing:
    """What prices take of recording.

    Attributes:
        models: Models of the events.
        tenants: Tenants of the events, each with a contract at each provider.
        unpriced: The record path when nothing is priced, in its median round.
        priced: The same events with the imported price book and the contracts, likewise.
        cpu_ratio: Processor time an event, with prices over without, the median of the rounds.
        time_ratio: Time an event, likewise; says little where others use the machine.
    """

    models: int
    tenants: int
    unpriced: Figures
    priced: Figures
    cpu_ratio: float
    time_ratio: float


class NoPrices:
    """Says of every event that it costs nothing."""

    def price(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with the pricer's columns, all of them empty."""
        del revision
        return events.with_columns(unpriced_columns())


def measure_pricing(bed: Bed, events: int) -> Pricing:
    """Record the same events without and with prices."""
    topic = bed.fill_with("small-priced", values(events), events)
    rounds = bed.alternate(CASES, topic, events, rounds=_ROUNDS)
    return Pricing(
        models=MODELS,
        tenants=TENANTS,
        unpriced=middle(rounds, 0),
        priced=middle(rounds, 1),
        cpu_ratio=1 / ratio(rounds, lambda figures: figures.cpu_us),
        time_ratio=ratio(rounds, lambda figures: figures.events_per_s),
    )
