"""Whether a slow burn has to be told of within the set: by the SRE workbook's table, of the expected spend.

The table and the windows are written down here anew, so that the product's own are held against something.
A burn that never reaches a row is none that anybody shall be called for: its budget lasts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.incidents.services import Service

_DOLLARS_A_MILLION = {
    "gpt-4.1-mini": (0.40, 1.60),
    "claude-haiku-4-5": (1.00, 5.00),
    "gemini-2.5-flash": (0.30, 2.50),
}
"""List prices of tokens in and out, of the models of services whose budgets burn."""

_MEAN_OF_A_MEDIAN = float(np.exp(0.9**2 / 2))
"""Mean of a lognormal with the set's deviation of tokens, by its median."""

_CALLS = 2.5
"""Calls of a turn of an agent: one to four."""

_ROWS = {
    "month": ((14.4, 60, 5), (6.0, 360, 30), (3.0, 1_440, 120), (1.0, 4_320, 360)),
    "week": ((13.44, 60, 5), (3.5, 360, 30), (1.4, 1_440, 120), (0.98, 4_320, 360)),
}
"""Factor, minutes of the long window, and of the short one."""

SURELY = 1.1
"""Level from which on it must be told: waves and raids move a sum of days by less than a tenth."""

_PERIOD = {"month": 30 * 1_440, "week": 7 * 1_440}


def level(service: Service, minutes: int, start: int, times: Callable[[int], float]) -> float:
    """Return how near the burn comes to a row of the table, as a share of it: due from `SURELY` on.

    Args:
        service: Whose budget burns.
        minutes: Length of the set.
        start: Minute at which the burn begins.
        times: Times as many turns, by minute of the set.
    """
    read, written = _DOLLARS_A_MILLION[service.model]
    call = (service.read * read + service.written * written) * _MEAN_OF_A_MEDIAN / 1e6
    turn = call * (_CALLS if service.tools else 1.0)
    spent = [service.peak * service.busy(each) * times(each) * turn for each in range(minutes)]
    until = np.concatenate([[0.0], np.cumsum(spent)])
    period, budget = _PERIOD[service.period], float(service.budget)
    ends = np.arange(start, minutes + 1)

    def rate(window: int) -> NDArray[np.float64]:
        spent_in: NDArray[np.float64] = until[ends] - until[np.maximum(ends - window, 0)]
        return spent_in * (period / window / budget)

    return max(
        float((np.minimum(rate(long), rate(short)) / factor).max())
        for factor, long, short in _ROWS[service.period]
    )
