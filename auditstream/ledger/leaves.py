"""Leaves of the Merkle log: one fixed-size commitment a record, built and hashed for a whole segment at once.

Leaf entry, version 1, 74 bytes, big-endian: 0x01 | kind u8 | index u64 | Kafka offset u64 | broker timestamp
in ms u64 | event id, 16 bytes | SHA-256 of the value as received, 32 bytes. An unknown event id is zeros, and
so is the hash of a null value (an empty value has the hash of no bytes). The leaf hash is
SHA-256(0x00 || entry), as in RFC 6962, section 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike

from auditstream.core.errors import VerificationError

ENTRY_BYTES = 74
NO_EVENT_ID = bytes(16)
NO_VALUE_HASH = bytes(32)

_VERSION = 1
_SPOT = 256
_PREFIXED_ENTRY = np.dtype(
    [
        ("prefix", "u1"),
        ("version", "u1"),
        ("kind", "u1"),
        ("index", ">u8"),
        ("offset", ">u8"),
        ("timestamp_ms", ">u8"),
        ("event_id", "V16"),
        ("value_sha256", "V32"),
    ]
)


class LeafKind(IntEnum):
    """What a leaf stands for."""

    EVENT = 0
    DEAD_LETTER = 1
    GAP = 2


class LeafError(VerificationError):
    """A recorded leaf is missing, is there twice, or does not have the hash that it was recorded with."""

    code = "leaf"
    hint = "A row was changed, removed or forged after it was recorded. Run `auditstream verify`."


def value_hashes(values: Iterable[bytes | None]) -> list[bytes]:
    """Return the SHA-256 of each value as received; zeros for a null value."""
    sha256 = hashlib.sha256
    return [NO_VALUE_HASH if value is None else sha256(value).digest() for value in values]


@dataclass(frozen=True, slots=True)
class LeafRun:
    """A run of leaves of one log, with dense indexes from `first_index`.

    Attributes:
        kinds: `LeafKind` of each leaf.
        first_index: Index of the first leaf in its log.
        offsets: Kafka offset of each record.
        timestamps_ms: Broker timestamp of each record.
        event_ids: 16 bytes each, `NO_EVENT_ID` where unknown.
        value_sha256: Hash of each value, as from `value_hashes`.
    """

    kinds: ArrayLike
    first_index: int
    offsets: ArrayLike
    timestamps_ms: ArrayLike
    event_ids: Sequence[bytes]
    value_sha256: Sequence[bytes]

    def entries(self) -> list[bytes]:
        """Return the 74-byte entry of each leaf."""
        prefixed = self._prefixed().view("u1").reshape(-1, _PREFIXED_ENTRY.itemsize)
        return _rows(np.ascontiguousarray(prefixed[:, 1:]), ENTRY_BYTES)

    def hashes(self, step: int = 1) -> list[bytes]:
        """Return the 32-byte leaf hash of each leaf, or of each `step`-th from the first on."""
        sha256 = hashlib.sha256
        prefixed = np.ascontiguousarray(self._prefixed()[::step])
        return [sha256(row).digest() for row in _rows(prefixed, _PREFIXED_ENTRY.itemsize)]

    def _prefixed(self) -> np.ndarray:
        """Return 0x00 and the entry of each leaf."""
        count = len(self.event_ids)
        leaves = np.zeros(count, _PREFIXED_ENTRY)
        leaves["version"] = _VERSION
        leaves["kind"] = self.kinds
        leaves["index"] = np.arange(self.first_index, self.first_index + count, dtype=np.uint64)
        leaves["offset"] = self.offsets
        leaves["timestamp_ms"] = self.timestamps_ms
        leaves["event_id"] = np.frombuffer(b"".join(self.event_ids), "V16")
        leaves["value_sha256"] = np.frombuffer(b"".join(self.value_sha256), "V32")
        return leaves


@dataclass(frozen=True, slots=True)
class StoredLeaves:
    """A run of leaves as rows give it, with the hashes that were recorded beside them.

    Attributes:
        run: What the rows say now.
        recorded: The leaf hash that each row was recorded with.
        derived: The leaf hash that each row gives now, where the store itself has computed it; else None.
    """

    run: LeafRun
    recorded: Sequence[bytes]
    derived: Sequence[bytes] | None = None

    def __len__(self) -> int:
        return len(self.recorded)

    def checked_hashes(self) -> Sequence[bytes]:
        """Return the leaf hashes, after comparing each with what its row gives now.

        Where the store derived them, one in 256 is derived here as well: a store whose expression is another
        than this module's is found out before its leaves are signed.

        Raises:
            LeafError: A row gives another hash than it was recorded with.
        """
        if self.derived is None:
            self._compare(self.run.hashes(), self.recorded, 1)
        else:
            self._compare(self.derived, self.recorded, 1)
            self._compare(self.run.hashes(_SPOT), self.recorded[::_SPOT], _SPOT)
        return self.recorded

    def _compare(self, found: Sequence[bytes], recorded: Sequence[bytes], step: int) -> None:
        if found == recorded:
            return
        wrong = next(at for at, pair in enumerate(zip(recorded, found, strict=True)) if pair[0] != pair[1])
        index = self.run.first_index + wrong * step
        raise LeafError(
            f"leaf {index}: expected hash {recorded[wrong].hex()} as recorded, found {found[wrong].hex()}",
            index=index,
        )


def _rows(table: np.ndarray, row_bytes: int) -> list[bytes]:
    """Return the bytes of each row; a tenth of the time that slicing them out takes."""
    rows: list[bytes] = table.view(f"V{row_bytes}").ravel().tolist()
    return rows
