"""Events that wait for Kafka in a local file: appended and synced before the act that they tell of, bounded.

Layout: records of length (u32), CRC-32 (u32) and one encoded event; big-endian. The file is locked while it
is used, so that commands of one machine share it. A record at the end that is not whole was cut off, and its
act did not go on; it is dropped at the next use, and an empty record in its place counts it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditstream.core.errors import RetryableError

_HEAD = struct.Struct(">II")
_CUT_OFF = _HEAD.pack(0, zlib.crc32(b""))


class SpoolFullError(RetryableError):
    """The spool has no room: what cannot be told of is not done."""

    code = "spool_full"
    hint = "Bring Kafka back: the next access sends what waits. AUDITSTREAM_ACCESS__SPOOL_BYTES is the bound."


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a spool holds.

    Attributes:
        records: Encoded events, oldest first.
        torn: Records that were cut off.
    """

    records: tuple[bytes, ...]
    torn: int = 0


class Spool:
    """A spool file; any number of processes may use it.

    Args:
        path: The file; made when it is needed.
        most_bytes: Bound on its size.
    """

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path = path
        self._most_bytes = most_bytes

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        try:
            return self._path.stat().st_size == 0
        except FileNotFoundError:
            return True

    def append(self, records: Sequence[bytes]) -> None:
        """Keep records; all of them are on disk when this returns.

        Raises:
            SpoolFullError: They do not fit.
            OSError: The file cannot be written.
        """
        data = b"".join(_HEAD.pack(len(each), zlib.crc32(each)) + each for each in records)
        with self._locked() as fd:
            there = _read(fd)
            end = _whole_bytes(there)
            if end < len(there):
                data = _CUT_OFF + data
            if end + len(data) > self._most_bytes:
                raise SpoolFullError(f"{self._path} has {end:,} bytes of at most {self._most_bytes:,}")
            os.ftruncate(fd, end)
            _write(fd, data, end)
            os.fsync(fd)

    @contextmanager
    def drained(self) -> Iterator[Spooled]:
        """Lend what waits; it is gone when the block ends without an error.

        Raises:
            OSError: The file cannot be read or written.
        """
        with self._locked() as fd:
            data = _read(fd)
            end = _whole_bytes(data)
            found = list(_records(data[:end]))
            yield Spooled(tuple(filter(None, found)), found.count(b"") + (end < len(data)))
            os.ftruncate(fd, 0)
            os.fsync(fd)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)


def _read(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    pieces, at = [], 0
    while at < size and (piece := os.pread(fd, size - at, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _write(fd: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(fd, data, at)
        data, at = data[written:], at + written


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records until the first that is not whole."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, checksum = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(record) < length or zlib.crc32(record) != checksum:
            return
        yield record
        at += _HEAD.size + length


def _whole_bytes(data: bytes) -> int:
    return sum(_HEAD.size + len(record) for record in _records(data))
