"""Axes of histograms: where on a row of bins a value lies, equal steps being equal factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from auditstream.detection.detector import Column


class Axis(Protocol):
    """Where values lie."""

    @property
    def bins(self) -> int:
        """Number of bins."""
        ...

    def position(self, values: Column) -> Column:
        """Return where values lie, from 0 to below `bins`; the whole part is the bin."""
        ...

    def value(self, positions: Column) -> Column:
        """Return the values that lie there."""
        ...


@dataclass(frozen=True, slots=True)
class LogAxis:
    """Positive values: bins are equal factors from `low` to `high`; what is outside lies at an end.

    Attributes:
        low: Start of the first bin, above 0; 0 and all below `low` lie in that bin.
        high: End of the last one.
        bins: Number of bins.
    """

    low: float
    high: float
    bins: int

    def position(self, values: Column) -> Column:
        """Return where values lie, from 0 to below `bins`."""
        steps = self.bins / np.log(self.high / self.low)
        place = np.log(np.maximum(values, self.low) / self.low) * steps
        found: Column = np.minimum(place, np.nextafter(float(self.bins), 0.0))
        return found

    def value(self, positions: Column) -> Column:
        """Return the values that lie there; `low` at 0."""
        found: Column = self.low * np.exp(positions * (np.log(self.high / self.low) / self.bins))
        return found


@dataclass(frozen=True, slots=True)
class SignedLogAxis:
    """Values of both signs: bins are equal steps of asinh(value / unit), equal factors far from 0.

    Attributes:
        unit: Where steps turn from equal amounts into equal factors.
        high: Largest absolute value that is told from larger ones.
        bins: Number of bins; half for each sign.
    """

    unit: float
    high: float
    bins: int

    def position(self, values: Column) -> Column:
        """Return where values lie, from 0 to below `bins`; 0 lies in the middle."""
        reach = np.arcsinh(self.high / self.unit)
        place = (np.arcsinh(values / self.unit) / reach + 1.0) * (self.bins / 2)
        found: Column = np.clip(place, 0.0, np.nextafter(float(self.bins), 0.0))
        return found

    def value(self, positions: Column) -> Column:
        """Return the values that lie there."""
        reach = np.arcsinh(self.high / self.unit)
        found: Column = self.unit * np.sinh((positions / (self.bins / 2) - 1.0) * reach)
        return found
