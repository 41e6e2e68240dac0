"""The partitioner of Java's clients: where a key's messages go, whoever sends them.

Source: `org.apache.kafka.common.utils.Utils.murmur2`, of which the sign bit is dropped.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

_SEED, _M = 0x9747B28C, 0x5BD1E995
_MASK = 0xFFFFFFFF
_MANY = 32
"""Keys from which on numpy's start costs less than it saves."""


def hashes_of(keys: Sequence[bytes]) -> list[int]:
    """Return of each key the number whose remainder by the count of partitions is its partition."""
    if len(keys) < _MANY:
        return [_hash(key) for key in keys]
    by_length: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        by_length.setdefault(len(key), []).append(place)
    found = [0] * len(keys)
    for length, places in by_length.items():
        if len(places) < _MANY or not length:
            for place in places:
                found[place] = _hash(keys[place])
        else:
            same = b"".join([keys[place] for place in places])
            for place, number in zip(places, _hashes(same, length).tolist(), strict=True):
                found[place] = number
    return found


@lru_cache(maxsize=4_096)
def _hash(key: bytes) -> int:
    size = len(key)
    found = _SEED ^ size
    for word in struct.unpack_from(f"<{size >> 2}I", key):
        word = word * _M & _MASK  # noqa: PLW2901
        found = (found * _M ^ (word ^ word >> 24) * _M) & _MASK
    if size & 3:
        found = (found ^ int.from_bytes(key[-(size & 3) :], "little")) * _M & _MASK
    found = (found ^ found >> 13) * _M & _MASK
    return (found ^ found >> 15) & 0x7FFFFFFF


def _hashes(same: bytes, length: int) -> npt.NDArray[np.uint32]:
    """Return the numbers of keys of one length, which follow each other."""
    m = np.uint32(_M)
    octets = np.frombuffer(same, np.uint8).reshape(-1, length)
    whole = length & ~3
    words = np.ascontiguousarray(octets[:, :whole]).view("<u4").astype(np.uint32) * m
    words = (words ^ words >> np.uint32(24)) * m
    found = np.full(len(octets), (_SEED ^ length) & _MASK, np.uint32)
    for column in words.T:
        found = found * m ^ column
    if length & 3:
        rest = np.zeros((len(octets), 4), np.uint8)
        rest[:, : length & 3] = octets[:, whole:]
        found = (found ^ rest.view("<u4")[:, 0].astype(np.uint32)) * m
    found = (found ^ found >> np.uint32(13)) * m
    return (found ^ found >> np.uint32(15)) & np.uint32(0x7FFFFFFF)
