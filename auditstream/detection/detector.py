"""What a detector is: a fold over closed buckets of time, with its state in arrays by key.

A key is a row of those arrays: a number that stands for a tenant and a scope within it, as `model=gpt-4o`.
State after a bucket is a function of the state before it and the bucket alone, so a replay gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int32]
"""Numbers of keys, each at most once."""

Column = NDArray[np.float64]
"""A number a key."""

COOL = 0.6
"""Level below which an episode cools down: between that and 1 it goes on."""


class Tier(IntEnum):
    """How much a detector knows of a key; it is told with every finding."""

    NEW = 0
    SPARSE = 1
    WARM = 2
    SEASONAL = 3


@dataclass(frozen=True, slots=True)
class Bucket:
    """What keys did in one closed bucket of time.

    Attributes:
        start: Its start, in minutes since 1970.
        minutes: Its length.
        keys: Keys that did anything, ascending.
        values: Sums of each of them by name, as `events`, `calls`, `failures`, `blocked`, `decisions`,
            `blocked_decisions`, `spend`, `usage_spend`, `input_tokens`, `output_tokens`, `cache_read_tokens`,
            `paced_us`, `paced_tokens`; and what `Acquaintances.values` says of credentials.
    """

    start: int
    minutes: int
    keys: Keys
    values: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a detector says of the keys of a bucket.

    Attributes:
        keys: The keys that it has an opinion of, ascending: all whose level matters to an episode, those that
            are in one at least.
        level: Score as a share of the threshold: from 1 on it fires, below `COOL` it is over.
        score: The score itself.
        observed: What was seen.
        expected: What was expected.
        excess: Money above what was expected, in the key's currency; 0 where there is none.
        tier: `Tier` of each.
    """

    keys: Keys
    level: Column
    score: Column
    observed: Column
    expected: Column
    excess: Column
    tier: NDArray[np.uint8]


class Detector(Protocol):
    """One detector over many keys; single-threaded.

    Attributes:
        slug: Its id, as `spend.surge`: the `rule_id` of its findings.
        metric: What it watches, as `spend_15m`.
        version: Grows with every change of a formula or a constant.
        family: Detectors that look at the same thing in the same way share it: two families that agree say
            more than two of one.
    """

    slug: str
    metric: str
    version: str
    family: str

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number; new ones begin without history."""
        ...

    def observe(self, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Scores:
        """Judge a bucket, then learn from it; a key that is in an episode teaches a tenth.

        Args:
            bucket: What happened. Buckets come in order of time; one without rows may be left out.
            in_episode: By key, whether an episode of this detector is open.
        """
        ...

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin, for others to use."""
        ...

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays to be kept, by name; the first axis is keys."""
        ...

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over what `state` returned; arrays of another form are left out, and their keys learn anew."""
        ...
