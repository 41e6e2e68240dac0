"""What keys are known to use, by kind, and what of it is news: places, clients, tools, models.

News is what a key that has been known for long has never named. A key that is young makes none, nor does a
kind that sources have only just begun to tell of; and who names ever more, as a service for everybody does,
has no habit that something could be new to.

A model needs less than that: one more of a credential that has called others for an hour is half of the
pattern of a stolen key, for whoever bought it asks for the most expensive one there is. Alone it is told by
the watch over assets; with a surge of spend on the same key it is grave (`escalation`).

Rows are sorted by one number of 64 bits: key, kind, and a hash of the name; 21 bytes each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column, Keys
from auditstream.detection.rows import Arrays

KINDS = ("country", "network", "block", "user_agent", "tool", "model")
"""Kinds of what is named; at most eight."""

MODEL = KINDS.index("model")

COUNTED = ("country", "network")
"""Kinds of which an hour's names are counted."""

SILENT = 7 * 1_440
"""Minutes that a key has told of a kind before anything of it is news: a week has all working days."""

OLD_AFTER = 60
"""Minutes in which a key called one model before another one is a stray: as many as detectors of money ask
for before they judge a key."""

HOUR = 60
"""Minutes that news is news, and that names are counted in."""

MOST = 32
"""Names of a kind that a key has; beyond, those that were not seen for longest make room."""

_FORGOTTEN = 30 * 1_440
"""Minutes after which a name that was not seen is forgotten where room is short."""

_KIND_BITS = 3
_NAME_BITS = 41
"""Bits of a name's hash: of the 32 names of a key, two are alike once in four billion keys."""

Sighting = tuple[int, str, str]
"""Key, kind and name."""

Ids = NDArray[np.uint64]


class Acquaintances:
    """What keys are known to use; what it does is a function of the sequence of calls."""

    def __init__(self) -> None:
        self._ids: Ids = np.zeros(0, np.uint64)
        self._first: NDArray[np.int32] = np.zeros(0, np.int32)  # minutes since 1970
        self._last: NDArray[np.int32] = np.zeros(0, np.int32)
        self._minutes: NDArray[np.int32] = np.zeros(0, np.int32)  # in how many it was seen
        self._news: NDArray[np.bool_] = np.zeros(0, np.bool_)  # whether it was news when it came
        self._names: dict[int, str] = {}  # of news of the last hour

    def __len__(self) -> int:
        """Return how many names are known."""
        return len(self._ids)

    def see(self, minute: int, sightings: Sequence[Sighting]) -> list[int]:
        """Note what keys named in a minute, later than any before, and return those that strayed, ascending.

        They called a model that they never called, after `OLD_AFTER` minutes of another one; who calls any of
        `MOST` models does not stray.
        """
        strayed: list[int] = []
        if not sightings:
            return strayed
        ids, places = np.unique(np.array([_id(*each) for each in sightings], np.uint64), return_index=True)
        rows = np.searchsorted(self._ids, ids)
        known = np.zeros(len(ids), np.bool_)
        inside = rows < len(self._ids)
        known[inside] = self._ids[rows[inside]] == ids[inside]
        self._last[rows[known]] = minute
        self._minutes[rows[known]] += 1
        for fresh in [each for each in self._names if not self._is_fresh(each, minute)]:
            del self._names[fresh]
        if not known.all():
            strayed = self._strayed(ids[~known])
            news = self._add(ids[~known], minute)
            for number, place in zip(ids[~known].tolist(), places[~known].tolist(), strict=True):
                if number in news:
                    self._names[number] = sightings[place][2]
        return strayed

    def values(self, keys: Keys, minute: int) -> dict[str, Column]:
        """Return columns of keys: how much of each kind is news, and how many names an hour has.

        The first are `new_country` and so on, the others `country_1h` and `network_1h`.
        """
        group = self._ids >> np.uint64(_NAME_BITS)
        of_key = (group >> np.uint64(_KIND_BITS)).astype(np.int64)
        of_kind = (group & np.uint64((1 << _KIND_BITS) - 1)).astype(np.int64)
        size = 1 + max(int(keys.max(initial=0)), int(of_key.max(initial=0)))
        fresh = self._news & (minute - self._first < HOUR)
        lately = minute - self._last < HOUR

        def counted(kind: str, rows: NDArray[np.bool_]) -> Column:
            chosen = of_key[rows & (of_kind == KINDS.index(kind))]
            return np.bincount(chosen, minlength=size)[keys].astype(np.float64)

        return {f"new_{kind}": counted(kind, fresh) for kind in KINDS} | {
            f"{kind}_1h": counted(kind, lately) for kind in COUNTED
        }

    def news(self, key: int, minute: int) -> dict[str, float]:
        """Return a key's news of the last hour as `{"country=BR": 0.9}`: its share of the minutes since."""
        found: dict[str, float] = {}
        for kind in range(len(KINDS)):
            low, high = self._range(key << _KIND_BITS | kind)
            for row in range(low, high):
                name = self._names.get(int(self._ids[row]))
                if name is not None and minute - self._first[row] < HOUR:
                    span = minute - int(self._first[row]) + 1
                    found[f"{KINDS[kind]}={name}"] = int(self._minutes[row]) / span
        return found

    def forget(self, keys: Iterable[int]) -> None:
        """Take keys back to where new ones begin."""
        gone = np.zeros(len(self._ids), np.bool_)
        for key in keys:
            low, high = self._range(key << _KIND_BITS)[0], self._range((key + 1 << _KIND_BITS) - 1)[1]
            gone[low:high] = True
        if gone.any():
            self._keep(~gone)

    def state(self) -> tuple[list[Any], dict[str, NDArray[Any]]]:
        """Return everything that is remembered: what JSON takes, and arrays."""
        arrays: dict[str, NDArray[Any]] = {
            "ids": self._ids, "first": self._first, "last": self._last, "minutes": self._minutes,
            "news": self._news,
        }  # fmt: skip
        return sorted(self._names.items()), arrays

    def restore(self, names: Iterable[Sequence[Any]], arrays: Arrays | Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned."""
        self._names = {int(number): str(name) for number, name in names}
        self._ids = arrays["ids"].astype(np.uint64)
        self._first, self._last = arrays["first"].astype(np.int32), arrays["last"].astype(np.int32)
        self._minutes, self._news = arrays["minutes"].astype(np.int32), arrays["news"].astype(np.bool_)

    def _strayed(self, ids: Ids) -> list[int]:
        """Return the keys of names that were not known, where they are models of old keys."""
        groups = np.unique(ids >> np.uint64(_NAME_BITS)).tolist()
        found = []
        for group in groups:
            low, high = self._range(group)
            is_model = group & ((1 << _KIND_BITS) - 1) == MODEL
            if is_model and high - low < MOST and int(self._minutes[low:high].max(initial=0)) >= OLD_AFTER:
                found.append(group >> _KIND_BITS)
        return found

    def _add(self, ids: Ids, minute: int) -> set[int]:
        """Add names that were not known, and return those that are news."""
        kept, gone, news = np.ones(len(ids), np.bool_), np.zeros(len(self._ids), np.bool_), set()
        groups, begins, sizes = np.unique(ids >> np.uint64(_NAME_BITS), return_index=True, return_counts=True)
        for group, begin, size in zip(groups.tolist(), begins.tolist(), sizes.tolist(), strict=True):
            low, high = self._range(group)
            kept[begin + MOST : begin + size] = False
            over = high - low + min(size, MOST) - MOST
            if over > 0:
                over -= self._drop_idle(gone, low, high, minute)
            if over > 0:
                oldest = np.argsort(self._last[low:high] + gone[low:high] * minute, kind="stable")[:over]
                gone[low + oldest] = True
            elif high > low and minute - int(self._first[low:high].min()) >= SILENT:
                news.update(ids[begin : begin + size].tolist())
        if gone.any():
            self._keep(~gone)
        self._insert(ids[kept], minute, news)
        return news

    def _drop_idle(self, gone: NDArray[np.bool_], low: int, high: int, minute: int) -> int:
        """Mark names that were not seen for long, and return how many."""
        idle = minute - self._last[low:high] >= _FORGOTTEN
        gone[low:high] |= idle
        return int(idle.sum())

    def _insert(self, ids: Ids, minute: int, news: set[int]) -> None:
        rows = np.searchsorted(self._ids, ids)
        is_news = np.array([number in news for number in ids.tolist()], np.bool_)
        self._ids = np.insert(self._ids, rows, ids)
        self._first, self._last = np.insert(self._first, rows, minute), np.insert(self._last, rows, minute)
        self._minutes, self._news = np.insert(self._minutes, rows, 1), np.insert(self._news, rows, is_news)

    def _keep(self, rows: NDArray[np.bool_]) -> None:
        self._ids, self._first, self._last = self._ids[rows], self._first[rows], self._last[rows]
        self._minutes, self._news = self._minutes[rows], self._news[rows]

    def _range(self, group: int) -> tuple[int, int]:
        """Return the rows of a key's kind."""
        ends = np.array([group << _NAME_BITS, group + 1 << _NAME_BITS], np.uint64)
        low, high = np.searchsorted(self._ids, ends).tolist()
        return low, high

    def _is_fresh(self, number: int, minute: int) -> bool:
        row = int(np.searchsorted(self._ids, np.uint64(number)))
        is_known = row < len(self._ids) and int(self._ids[row]) == number
        return is_known and minute - int(self._first[row]) < HOUR


def _id(key: int, kind: str, name: str) -> int:
    return (key << _KIND_BITS | KINDS.index(kind)) << _NAME_BITS | _hash(name)


@lru_cache(maxsize=16_384)
def _hash(name: str) -> int:
    """Return a hash that is the same in every process."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _NAME_BITS)
