"""How much a key teaches: less while it is in an episode, and wholly once that has lasted for a day.

Without this an attack would become normal while it goes on, and a new price would be an attack for ever.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys

IN_EPISODE = 0.1
"""Share of an update that a key in an episode teaches: ten hours of it weigh as one."""

ACCEPTED_AFTER = 1_440
"""Minutes of one episode after which its level is the new one."""


class Lesson(NamedTuple):
    """What keys teach now.

    Attributes:
        share: Share of a whole update.
        is_accepted: Whether an episode has just lasted for long enough: the level is to be taken as it is.
    """

    share: Column
    is_accepted: NDArray[np.bool_]


class Learning(ArrayBlock):
    """When each key's episode began."""

    ARRAYS = ("_since",)

    def __init__(self, *, rebaselines: bool = True) -> None:
        """Begin without keys.

        Args:
            rebaselines: Whether a level that lasts is accepted; refusals do not become normal by going on.
        """
        self._rebaselines = rebaselines
        self._since: NDArray[np.int32] = np.zeros(0, np.int32)  # minute, below 0 once accepted; 0: in none

    def lesson(self, keys: Keys, minute: int, in_episode: NDArray[np.bool_]) -> Lesson:
        """Return what keys teach in a minute, and note whose episode begins and ends.

        Args:
            keys: Each at most once; all that are in an episode among them.
            minute: Minutes since 1970.
            in_episode: Of each of these keys, whether it is in one.
        """
        known = self._since[keys]
        since = np.where(in_episode, np.where(known == 0, minute, known), 0)
        lasted = in_episode & ((since < 0) | (minute - since >= ACCEPTED_AFTER)) & self._rebaselines
        self._since[keys] = np.where(lasted, -np.abs(since), since)
        return Lesson(np.where(in_episode & ~lasted, IN_EPISODE, 1.0), lasted & (since > 0))
