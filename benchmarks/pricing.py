"""The record path with full pricing against the same without: 200 models, 50 tenants with contracts."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from auditstream.pricing.pricer import unpriced_columns
from benchmarks.bed import Bed
from benchmarks.measured import Figures
from benchmarks.priced_events import MODELS, TENANTS, values

CASES = ("record-unpriced", "record-priced")


@dataclass(frozen=True, slots=True)
class Pricing:
    """What prices take of recording.

    Attributes:
        models: Models of the events.
        tenants: Tenants of the events, each with a contract at each provider.
        unpriced: The record path when nothing is priced.
        priced: The same events with the imported price book and the contracts.
        cpu_ratio: Processor time an event, with prices over without.
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
    without, with_ = (bed.run(case, topic, events) for case in CASES)
    return Pricing(
        models=MODELS,
        tenants=TENANTS,
        unpriced=without,
        priced=with_,
        cpu_ratio=with_.cpu_us / without.cpu_us,
        time_ratio=without.events_per_s / with_.events_per_s,
    )
