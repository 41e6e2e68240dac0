"""Leaves of the Merkle log: one fixed-size commitment a record, built and hashed for a whole segment at once.

Leaf entry, version 1, 74 bytes, big-endian: 0x01 | kind u8 | index u64 | Kafka offset u64 | broker timestamp
in ms u64 | event id, 16 bytes | SHA-256 of the value as received, 32 bytes. An unknown event id is zeros, and
so is the hash of a null value (an empty value has the hash of no bytes). The leaf hash is
SHA-256(0x00 || entry), as in RFC 6962, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from auditstream.core.errors import VerificationError
from auditstream.ledger.hashing import HASH_BYTES, Rows, joined, message_hashes, row_hashes, split
from auditstream.ledger.merkle import leaf_hash, leaf_hashes

ENTRY_BYTES = 74
NO_EVENT_ID = bytes(16)
NO_VALUE_HASH = bytes(HASH_BYTES)

_VERSION = 1
_SPOT = 256
_ENTRY = np.dtype(
    [
        ("version", "u1"),
        ("kind", "u1"),
        ("index", ">u8"),
        ("offset", ">u8"),
        ("timestamp_ms", ">u8"),
        ("event_id", "V16"),
        ("value_sha256", "V32"),
    ]
)
# With the zero byte that a leaf is hashed behind, so that rows are hashed as they are.
_PREFIXED_ENTRY = np.dtype([("prefix", "u1"), *[(name, _ENTRY[name]) for name in _ENTRY.names or ()]])


class LeafKind(IntEnum):
    """What a leaf stands for."""

    EVENT = 0
    DEAD_LETTER = 1
    GAP = 2


class LeafError(VerificationError):
    """A recorded leaf is missing, is there twice, or does not have the hash that it was recorded with."""

    code = "leaf"
    hint = "A row was changed, removed or forged after it was recorded. Run `auditstream verify`."


class MissingLeafError(LeafError):
    """A leaf is not there while later ones are: it was removed, or a replica has not fetched it yet."""

    code = "leaf_missing"


def value_hashes(values: Iterable[bytes | None]) -> list[bytes]:
    """Return the SHA-256 of each value as received; zeros for a null value."""
    return split(value_hash_rows(list(values)))


def value_hash_rows(values: Sequence[bytes | None]) -> Rows:
    """Return the same, a value a row."""
    hashes = message_hashes([value or b"" for value in values])
    if None in values:
        hashes[[value is None for value in values]] = 0
    return hashes


@dataclass(frozen=True, slots=True)
class LeafRun:
    """A run of leaves of one log, with dense indexes from `first_index`.

    Attributes:
        kinds: `LeafKind` of each leaf.
        first_index: Index of the first leaf in its log.
        offsets: Kafka offset of each record.
        timestamps_ms: Broker timestamp of each record.
        event_ids: 16 bytes each, `NO_EVENT_ID` where unknown; also as rows.
        value_sha256: Hash of each value, as from `value_hashes`; also as rows.
    """

    kinds: ArrayLike
    first_index: int
    offsets: ArrayLike
    timestamps_ms: ArrayLike
    event_ids: Sequence[bytes] | Rows
    value_sha256: Sequence[bytes] | Rows

    def entries(self) -> list[bytes]:
        """Return the 74-byte entry of each leaf."""
        return split(self._rows(_ENTRY))

    def hashes(self) -> list[bytes]:
        """Return the 32-byte leaf hash of each leaf."""
        return split(self.hash_rows())

    def hash_rows(self) -> Rows:
        """Return the same, a leaf a row."""
        return row_hashes(self._rows(_PREFIXED_ENTRY))

    def _rows(self, form: np.dtype) -> Rows:
        """Return the bytes of each leaf in a form, a leaf a row."""
        count = len(self.event_ids)
        leaves = np.zeros(count, form)
        leaves["version"] = _VERSION
        leaves["kind"] = self.kinds
        leaves["index"] = np.arange(self.first_index, self.first_index + count, dtype=np.uint64)
        leaves["offset"] = self.offsets
        leaves["timestamp_ms"] = self.timestamps_ms
        leaves["event_id"] = joined(self.event_ids, len(NO_EVENT_ID)).view("V16").ravel()
        leaves["value_sha256"] = joined(self.value_sha256, HASH_BYTES).view("V32").ravel()
        return leaves.view(np.uint8).reshape(count, form.itemsize)


class CheckedLeaves(NamedTuple):
    """Leaves whose rows give the hashes that were recorded beside them: 74-byte entries, 32-byte hashes."""

    entries: list[bytes]
    hashes: Sequence[bytes]


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

    def checked(self) -> CheckedLeaves:
        """Return entries and hashes, after comparing each recorded hash with what its row gives now.

        Where the store derived them, one in 256 is derived here as well: a store whose expression is another
        than this module's is found out before its leaves are signed.

        Raises:
            LeafError: A row gives another hash than it was recorded with.
        """
        entries = self.run.entries()
        if self.derived is None:
            self._compare(leaf_hashes(entries), 1)
        else:
            self._compare(self.derived, 1)
            self._compare([leaf_hash(entry) for entry in entries[::_SPOT]], _SPOT)
        return CheckedLeaves(entries, self.recorded)

    def _compare(self, found: Sequence[bytes], step: int) -> None:
        recorded = self.recorded[::step]
        if found == recorded:
            return
        wrong = next(at for at, pair in enumerate(zip(recorded, found, strict=True)) if pair[0] != pair[1])
        index = self.run.first_index + wrong * step
        raise LeafError(
            f"leaf {index}: expected hash {recorded[wrong].hex()} as recorded, found {found[wrong].hex()}",
            index=index,
        )
