"""Surges that last and slow ramps, which no statistic tells from a good day: do burn rates come in time?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.burn import WEEK_ROWS, burns, spend_rate, windows
from benchmarks.detection.episodes import QUIET_MINUTES
from benchmarks.detection.servegen_traffic import LEAST_ACTIVE, MINUTES, WEEK, Traffic

HEADROOM = 1.25
"""A client's budget of the second week, in what it spent in the first."""

_LAST_START = MINUTES - 2 * 1_440
"""An injection begins in the first five days of the week, so that it can spend the budget."""


_PAGES = [row.pages for row in WEEK_ROWS]


@dataclass(frozen=True, slots=True)
class Lasting:
    """An anomaly that goes on until the week ends.

    Attributes:
        name: What it is called.
        factor: Times what the client does.
        ramp: Minutes in which it grows to that.
    """

    name: str
    factor: float
    ramp: int


LASTING = (Lasting("x3 and stays", 3, 1), Lasting("ramp to x3 in 6 h and stays", 3, 360))


@dataclass(frozen=True, slots=True)
class Burning:
    """What came of one kind.

    Attributes:
        kind: The kind.
        counted: Injections that spend a budget which would have lasted without them.
        found: Of these, how many a row told of before the budget was gone, that would not have fired without.
        lead_min: Median minutes from the finding until the budget was gone.
        page: Of these, how many a page told of.
        needless: Alerts a key-day, one an hour at most, of clients that keep to their budget by themselves.
        needless_pages: The same of pages.
    """

    kind: Lasting
    counted: int
    found: int
    lead_min: float
    page: int
    needless: float
    needless_pages: float

    @property
    def share(self) -> float:
        """Share that was found; 0 where nothing was counted."""
        return self.found / max(self.counted, 1)

    def line(self) -> str:
        """Return it in a line."""
        found, page = self.share, self.page / max(self.counted, 1)
        return (
            f"{self.kind.name}: burn rates find {found:.2f} of {self.counted} before the week's budget is "
            f"gone, {self.lead_min / 60:.0f} h before at the median ({page:.2f} by a page); needless "
            f"{self.needless:.3f} a key-day, {self.needless_pages:.3f} of them pages"
        )


def burning(traffic: Traffic, kind: Lasting, seed: int, times: int) -> Burning:
    """Return what burn rates find of a kind, with so many injections into each client."""
    random = np.random.default_rng([seed, 11])
    leads, pages, counted, keeping, needless, needless_pages = [], 0, 0, 0, 0, 0
    for client in range(len(traffic.clients)):
        spend, events = traffic.sums["spend"][:, client], traffic.sums["events"][:, client]
        if (events[:WEEK] > 0).sum() < LEAST_ACTIVE:
            continue
        budget = HEADROOM * spend[:WEEK].sum()
        as_is = _fires(spend, budget)
        if spend[WEEK:].sum() >= budget:
            continue  # gone without us
        keeping += 1
        needless += _alerts(as_is.any(axis=0)[WEEK:])
        needless_pages += _alerts(as_is[_PAGES].any(axis=0)[WEEK:])
        active = np.flatnonzero(events[WEEK:_LAST_START] > 0) + WEEK
        for start in random.choice(active, times) if len(active) else ():
            since = np.arange(MINUTES) - start
            grown = np.clip((since + 1) / kind.ramp, 0.0, 1.0)
            more = spend * (1 + (kind.factor - 1) * grown)
            gone = WEEK + int(np.searchsorted(np.cumsum(more[WEEK:]), budget))
            if gone >= MINUTES:
                continue  # it never hurts
            counted += 1
            fires = _fires(more, budget)[:, start:gone] & ~as_is[:, start:gone]
            told = np.flatnonzero(fires.any(axis=0))
            leads += [gone - start - int(told[0])] if len(told) else []
            pages += bool(fires[_PAGES].any())
    return Burning(
        kind=kind,
        counted=counted,
        found=len(leads),
        lead_min=float(np.median(leads)) if leads else float("nan"),
        page=pages,
        needless=needless / keeping / 7,
        needless_pages=needless_pages / keeping / 7,
    )


def _alerts(fires: NDArray[np.bool_]) -> int:
    """Return how many alerts minutes make, the next one after an hour of quiet."""
    minutes = np.flatnonzero(fires)
    return int((np.diff(minutes, prepend=-QUIET_MINUTES) >= QUIET_MINUTES).sum())


def _fires(spend: NDArray[np.float64], budget: float) -> NDArray[np.bool_]:
    """Return by row and minute whether it fires."""
    total = np.concatenate([[0.0], np.cumsum(spend)])
    at = np.arange(1, len(total))
    rates = {
        window: spend_rate(
            total[at] - total[np.maximum(at - window, 0)],
            np.full(len(at), budget),
            window=window,
            period=WEEK,
        )
        for window in windows(WEEK_ROWS)
    }
    return burns(WEEK_ROWS, WEEK, rates).fires
