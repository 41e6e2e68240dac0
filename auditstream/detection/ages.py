"""How long keys have been known and how often they were active: the tier that this makes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Keys, Tier

SPARSE_FROM = 60
"""Active minutes from which on a key has a history of its own to be measured by."""

WARM_FROM = 2_000
"""Active minutes from which on the tail of a histogram means something: ten values above its p99.5."""

WARM_AFTER = 3 * 1_440
"""Minutes since a key was first seen, too: 2,000 minutes at once are one day and a half of one kind."""


class Ages(ArrayBlock):
    """First minute, last minute and active minutes of each key."""

    ARRAYS = ("first", "last", "active")

    def __init__(self) -> None:
        self.first: NDArray[np.int32] = np.zeros(0, np.int32)  # minutes since 1970; 0: never seen
        self.last: NDArray[np.int32] = np.zeros(0, np.int32)
        self.active: NDArray[np.int32] = np.zeros(0, np.int32)

    def tiers(self, keys: Keys, minute: int) -> NDArray[np.uint8]:
        """Return the tier of each key as of a minute."""
        active = self.active[keys]
        is_old = minute - self.first[keys] >= WARM_AFTER
        tiers = np.where(active >= SPARSE_FROM, Tier.SPARSE, Tier.NEW)
        return np.where((active >= WARM_FROM) & is_old, Tier.WARM, tiers).astype(np.uint8)

    def saw(self, keys: Keys, minute: int, minutes: int = 1) -> None:
        """Count a minute in which keys were active, or several from that one on."""
        self.first[keys] = np.where(self.first[keys] > 0, self.first[keys], minute)
        self.last[keys] = minute
        self.active[keys] += minutes

    def rejuvenate(self, keys: Keys) -> None:
        """Take the first steps from keys that were idle for long: they are sparse again, not unknown."""
        self.active[keys] = np.minimum(self.active[keys], SPARSE_FROM)
        self.first[keys] = 0
