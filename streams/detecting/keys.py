"""Numbers of keys: a tenant's scopes, as `model=gpt-4o`, each a row of the detectors' arrays.

Bounded by tenant, so that one who makes up a million names evicts nobody else's state: beyond the bound,
names that are new share `__other__`. A name that was little used makes room for a new one of the same tenant
once it has not been seen for an hour; any name goes after a week.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Keys

OTHER = "__other__"

MOST_OF_A_TENANT = 10_000
"""Keys of a tenant, those of `__other__` not counted."""

MOST = 200_000
"""Keys of a partition: about 200 MB of arrays, were all of them hot."""

COLD_BELOW = 200
"""Active minutes below which a key may make room for another: nothing much was learnt of it."""

ROOM_AFTER = 60
"""Minutes after which it may."""

GONE_AFTER = 7 * 24 * 60
"""Minutes after which a key is forgotten whatever was learnt of it."""


@dataclass(slots=True)
class Numbered:
    """What numbering names did.

    Attributes:
        keys: The number of each name.
        new: Numbers that stand for something new.
        gone: Those of keys that made room: free for others once they are released.
    """

    keys: Keys = field(default_factory=lambda: np.zeros(0, np.int32))
    new: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)


class KeyTable:
    """Keys of one partition; what it does is a function of the sequence of calls.

    Args:
        most_of_a_tenant: Bound of a tenant.
        most: Bound of all.
    """

    def __init__(self, most_of_a_tenant: int = MOST_OF_A_TENANT, most: int = MOST) -> None:
        self._most_of_a_tenant = most_of_a_tenant
        self._most = most
        self._numbers: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, str] | None] = []
        self._of_tenant: defaultdict[str, set[int]] = defaultdict(set)
        self._with_scope: Counter[str] = Counter()
        self._free: list[int] = []
        self._last: NDArray[np.int64] = np.zeros(0, np.int64)
        self._active: NDArray[np.int64] = np.zeros(0, np.int64)
        self._coldest: dict[str, list[int]] = {}
        self.evicted = 0
        self.overflowed = 0

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._numbers)

    @property
    def capacity(self) -> int:
        """Numbers are below it."""
        return len(self._names)

    def name(self, key: int) -> tuple[str, str]:
        """Return the tenant and scope of a key."""
        found = self._names[key]
        assert found is not None
        return found

    def number(self, tenant: str, scope: str) -> int | None:
        """Return the number of a key, None of one that is not known."""
        return self._numbers.get((tenant, scope))

    def tenants(self) -> set[str]:
        """Return the tenants that have a key."""
        return {tenant for tenant, _ in self._numbers}

    def tenants_with(self, scope: str) -> int:
        """Return how many tenants have a scope."""
        return self._with_scope[scope]

    def number_all(self, names: Sequence[tuple[str, str]], minute: int, held: NDArray[np.bool_]) -> Numbered:
        """Return the number of each name.

        Args:
            names: Tenant and scope, each pair once, in an order that does not depend on chance.
            minute: When they were active.
            held: By number, keys that make no room: those in an episode.
        """
        self._coldest.clear()
        # First those that are known: what is new shall not push them out.
        for name in names:
            if (key := self._numbers.get(name)) is not None:
                self._last[key] = minute
        change = Numbered()
        change.keys = np.array([self._number(name, minute, held, change) for name in names], np.int32)
        self._last[change.keys] = minute
        self._active[np.unique(change.keys)] += 1
        return change

    def idle(self, minute: int, held: NDArray[np.bool_]) -> Keys:
        """Forget keys that were not seen for a week, and return their numbers."""
        numbers = np.array(sorted(self._numbers.values()), np.int64)
        idle = numbers[minute - self._last[numbers] >= GONE_AFTER]
        idle = idle[~_at(held, idle)]
        for key in idle.tolist():
            self._forget(key)
        return idle.astype(np.int32)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return everything that is remembered: what JSON takes, and arrays."""
        return (
            {
                "names": list(self._names),
                "free": sorted(self._free),
                "counts": [self.evicted, self.overflowed],
            },
            {"last": self._last[: self.capacity].copy(), "active": self._active[: self.capacity].copy()},
        )

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned."""
        self._names = [None if each is None else (each[0], each[1]) for each in state["names"]]
        self._free = list(state["free"])
        self.evicted, self.overflowed = state["counts"]
        self._last, self._active = arrays["last"].copy(), arrays["active"].copy()
        self._numbers, self._of_tenant, self._with_scope = {}, defaultdict(set), Counter()
        for key, name in enumerate(self._names):
            if name is not None:
                self._enter(name, key)

    def _number(self, name: tuple[str, str], minute: int, held: NDArray[np.bool_], change: Numbered) -> int:
        key = self._numbers.get(name)
        if key is not None:
            return key
        tenant, scope = name
        kind, is_named, value = scope.partition("=")
        if is_named and value != OTHER and not self._has_room(tenant, minute, held, change):
            self.overflowed += 1
            return self._number((tenant, f"{kind}={OTHER}"), minute, held, change)
        key = self._new(name, minute)
        change.new.append(key)
        return key

    def _has_room(self, tenant: str, minute: int, held: NDArray[np.bool_], change: Numbered) -> bool:
        """Return whether a tenant may have one more key, after making room among its own cold ones."""
        if len(self._of_tenant[tenant]) < self._most_of_a_tenant and len(self._numbers) < self._most:
            return True
        coldest = self._coldest.get(tenant)
        if coldest is None:
            keys = np.array(sorted(self._of_tenant[tenant]), np.int64)
            is_cold = (self._active[keys] < COLD_BELOW) & (minute - self._last[keys] >= ROOM_AFTER)
            keys = keys[is_cold & ~_at(held, keys)]
            coldest = self._coldest[tenant] = keys[np.lexsort((keys, self._last[keys]))][::-1].tolist()
        if not coldest:
            return False
        key = coldest.pop()
        change.gone.append(key)
        self.evicted += 1
        self._forget(key, is_free=False)
        return True

    def _new(self, name: tuple[str, str], minute: int) -> int:
        if self._free:
            key = heapq.heappop(self._free)
            self._names[key] = name
        else:
            key = len(self._names)
            self._names.append(name)
            if key >= len(self._last):
                size = max(1_024, 2 * key)
                self._last, self._active = _grown(self._last, size), _grown(self._active, size)
        self._last[key], self._active[key] = minute, 0
        self._enter(name, key)
        return key

    def _enter(self, name: tuple[str, str], key: int) -> None:
        tenant, scope = name
        self._numbers[name] = key
        self._with_scope[scope] += 1
        if scope.partition("=")[2] not in {"", OTHER}:
            self._of_tenant[tenant].add(key)

    def _forget(self, key: int, *, is_free: bool = True) -> None:
        """Forget a key; one that made room just now is free for others from the next call on."""
        name = self.name(key)
        del self._numbers[name]
        self._of_tenant[name[0]].discard(key)
        if not self._of_tenant[name[0]]:
            del self._of_tenant[name[0]]
        self._with_scope[name[1]] -= 1
        if not self._with_scope[name[1]]:
            del self._with_scope[name[1]]
        self._names[key] = None
        if is_free:
            heapq.heappush(self._free, key)

    def release(self, keys: Iterable[int]) -> None:
        """Let keys that made room be used again, once everybody has forgotten them."""
        for key in keys:
            heapq.heappush(self._free, key)


def _grown(array: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    grown = np.zeros(size, np.int64)
    grown[: len(array)] = array
    return grown


def _at(held: NDArray[np.bool_], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a flag a key; keys beyond the flags have none."""
    found = np.zeros(len(keys), np.bool_)
    known = keys < len(held)
    found[known] = held[keys[known]]
    return found
