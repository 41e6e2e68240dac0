"""Kafka's record batches as aiokafka reads them, with their bytes kept, so that checksums are quick to judge.

aiokafka judges a checksum with a table, 2.4 ms a megabyte: more than all the rest of a fetch. The processor's
own instruction needs a fiftieth of that, and it needs the bytes, which aiokafka's records do not show.

Format of a batch: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import google_crc32c
from aiokafka.consumer import fetcher
from aiokafka.record.memory_records import MemoryRecords

_LENGTH = struct.Struct(">8xi")  # behind the base offset; counts what comes after itself
_HEAD_BYTES = 12  # base offset and length
_MAGIC_AT = 16
_CRC = struct.Struct(">I")
_CRC_AT = 17
_CHECKED_FROM = 21  # everything behind the checksum
_FIRST_MAGIC_WITH_CRC32C = 2


class FetchedRecords:
    """What one fetch brought of one partition: aiokafka's records, and their bytes beside them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._at = 0
        self.size_in_bytes = self._records.size_in_bytes
        self.has_next = self._records.has_next

    def next_batch(self) -> Any:
        """Return the next batch, or None at the end: what aiokafka's own reader calls."""
        self._at += self._next_size()
        return self._records.next_batch()

    def next_whole_batch(self) -> tuple[Any, bool]:
        """Return the next batch, and whether its checksum is right."""
        begin = self._at
        batch = self.next_batch()
        if self._data[begin + _MAGIC_AT] < _FIRST_MAGIC_WITH_CRC32C:
            return batch, bool(batch.validate_crc())
        (expected,) = _CRC.unpack_from(self._data, begin + _CRC_AT)
        return batch, google_crc32c.value(self._data[begin + _CHECKED_FROM : self._at]) == expected

    def _next_size(self) -> int:
        if not self.has_next():
            return 0
        (length,) = _LENGTH.unpack_from(self._data, self._at)
        return _HEAD_BYTES + int(length)


def keep_bytes() -> None:
    """Let aiokafka's fetcher, everywhere in this process, make `FetchedRecords` of what it receives."""
    fetcher.MemoryRecords = FetchedRecords


def batches(records: FetchedRecords, *, checked: bool) -> Iterator[tuple[Any, bool]]:
    """Yield each batch, and whether its checksum is right (True when not checked)."""
    while records.has_next():
        yield records.next_whole_batch() if checked else (records.next_batch(), True)
