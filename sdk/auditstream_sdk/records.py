"""Records of a spool's files: a head with length, checksum, kind and number, then an event as JSON.

Layout, little-endian: length of the event (u32), CRC-32 of all that follows it here and of the event (u32),
kind (u8), number (u64), count (u32), event. The number says: every `source_seq` of the instance up to this
one is told of in this record or before it. The count says how many events a report of a loss is about.
CRC-32 is the standard library's, as in gzip; it is there for torn and rotten bytes, not against forgery,
which nothing in a folder of the writer's own could withstand.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import NamedTuple

_HEAD = struct.Struct("<IIBQI")
_SUMMED = struct.Struct("<BQI")
HEAD_BYTES = _HEAD.size
MOST_BYTES = 1 << 26
"""A longer record is none that was ever written: its length is garbage."""


class Kind(IntEnum):
    """What a record holds."""

    EVENT = 1
    LOSS = 2
    HEARTBEAT = 3


class Record(NamedTuple):
    """One event on its way.

    Attributes:
        kind: What it is.
        number: Every `source_seq` up to this one is told of here or before.
        event: The event as JSON.
        lost: Of a LOSS: how many events it is about.
    """

    kind: Kind
    number: int
    event: bytes
    lost: int = 0

    @property
    def size_bytes(self) -> int:
        """Its size in a file."""
        return HEAD_BYTES + len(self.event)

    @property
    def event_id(self) -> str:
        """Id of the event, which is the first of its fields."""
        start = self.event.index(b'":"') + 3
        return self.event[start : self.event.index(b'"', start)].decode()


@dataclass(frozen=True)
class Scan:
    """What was read of a file.

    Attributes:
        records: Whole records, in order.
        end: Offset behind the last of them.
        unread_bytes: What follows them and is no whole record.
    """

    records: list[Record]
    end: int
    unread_bytes: int


def packed(records: Iterable[Record]) -> bytes:
    """Return records as bytes."""
    return b"".join(_packed(record) for record in records)


def _packed(record: Record) -> bytes:
    checksum = zlib.crc32(record.event, zlib.crc32(_SUMMED.pack(*record[:2], record.lost)))
    return _HEAD.pack(len(record.event), checksum, *record[:2], record.lost) + record.event


def scan(data: bytes, at: int = 0, most: int | None = None) -> Scan:
    """Return the records, or the first of them, of a piece of a file that begins at offset `at`."""
    records, end = [], 0
    for record in islice(_whole(data), most):
        records.append(record)
        end += record.size_bytes
    return Scan(records, at + end, len(data) - end)


def _whole(data: bytes) -> Iterator[Record]:
    at = 0
    while at + HEAD_BYTES <= len(data):
        length, checksum, kind, number, lost = _HEAD.unpack_from(data, at)
        at += HEAD_BYTES
        event = data[at : at + length]
        if length > MOST_BYTES or len(event) < length or kind not in _KINDS:
            return
        if zlib.crc32(event, zlib.crc32(_SUMMED.pack(kind, number, lost))) != checksum:
            return
        at += length
        yield Record(_KINDS[kind], number, event, lost)


_KINDS = {kind.value: kind for kind in Kind}
