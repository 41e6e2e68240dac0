"""Snapshots of a partition's detection: one file each, whole or not there.

They are files, not messages of a compacted topic: a snapshot has up to tens of megabytes every half minute,
which a topic would keep, and everybody who starts would read, until compaction comes by. Where workers run on
several machines, the folder is one that all of them see; without a snapshot a worker reads the usage topic
from its beginning, finds the same again, and the table of findings tells what is known.

A file is a line that names the form, the CRC-32 of the rest, and an archive of deflated arrays in numpy's own
format, which is read without pickle. Its name has the offset that comes next, so that the newest is the one
that is furthest, whoever wrote it.
"""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import msgspec
import numpy as np

from auditstream.core.errors import ConfigError
from auditstream.core.logs import get_logger
from streams.detecting.partition import STATE_VERSION, PartitionState

log = get_logger(__name__)

_FORM = f"auditstream detection {STATE_VERSION}\n".encode()
_CRC = struct.Struct(">I")
_LEVEL = 1  # most of the arrays is empty: more effort saves little
_KEPT = 2  # the newest, and the one before should that be torn
_FACTS, _ROWS = "facts", "rows"
_NAME = re.compile(r"-(\d{20})\.snapshot$")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as it was read.

    Attributes:
        next_offset: Offset of the first message that is not in it.
        state: The state.
    """

    next_offset: int
    state: PartitionState


class SnapshotFolder:
    """Snapshots of the partitions of one incarnation of the usage topic.

    Args:
        folder: Where they are; made when it is not there.
        topic: The topic.
        epoch: Which incarnation of it: offsets of another one mean something else.
    """

    def __init__(self, folder: Path, topic: str, epoch: str) -> None:
        self._folder = folder
        self._stem = f"{topic}-{epoch}"

    def save(self, partition: int, next_offset: int, state: PartitionState) -> None:
        """Keep a snapshot; an earlier one of the same offset is replaced.

        Raises:
            ConfigError: The folder cannot be written to.
        """
        path = self._folder / f"{self._stem}-{partition}-{next_offset:020}.snapshot"
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(packed(state))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            for old in list(self._of(partition))[_KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"snapshot {path}: {error.strerror}",
                hint="Set AUDITSTREAM_DETECTION__FOLDER to one to write.",
            ) from error

    def newest(self, partition: int, *, until: int) -> Snapshot | None:
        """Return the newest snapshot that is whole, None without any.

        Args:
            partition: The partition.
            until: End of the partition: one that is further belongs to another topic.
        """
        for path in self._of(partition):
            next_offset = _offset(path)
            if next_offset > until:
                log.warning("snapshot_left_out", path=str(path), reason=f"the partition ends at {until}")
                continue
            try:
                return Snapshot(next_offset, unpacked(path.read_bytes()))
            except (OSError, ValueError) as error:
                log.warning("snapshot_left_out", path=str(path), reason=repr(error)[:300])
        return None

    def _of(self, partition: int) -> Iterator[Path]:
        """Yield a partition's files, the newest first."""
        found = self._folder.glob(f"{self._stem}-{partition}-*.snapshot")
        yield from sorted((path for path in found if _NAME.search(path.name)), key=_offset, reverse=True)


def packed(state: PartitionState) -> bytes:
    """Return a state as the bytes of a snapshot."""
    facts = np.frombuffer(msgspec.json.encode(state.facts), np.uint8)
    members = {_FACTS: facts, _ROWS: np.frombuffer(state.rows, np.uint8), **state.arrays}
    buffer = io.BytesIO()
    # Array by array, unlike numpy's own writer of such archives: what is in memory twice is small.
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, array in members.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    data = buffer.getbuffer()
    return b"".join([_FORM, _CRC.pack(zlib.crc32(data)), data])


def unpacked(data: bytes) -> PartitionState:
    """Return the state of a snapshot.

    Raises:
        ValueError: It is torn, or of another form; says which.
    """
    if not data.startswith(_FORM):
        raise ValueError(f"begins with {data[: len(_FORM)]!r}, not {_FORM!r}")
    begin = len(_FORM) + _CRC.size
    if len(data) < begin or _CRC.unpack_from(data, len(_FORM))[0] != zlib.crc32(data[begin:]):
        raise ValueError("its checksum is that of other bytes")
    try:
        with np.load(io.BytesIO(data[begin:]), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = msgspec.json.decode(arrays.pop(_FACTS).tobytes())
        return PartitionState(facts, arrays, arrays.pop(_ROWS).tobytes())
    except (KeyError, BadZipFile, zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _offset(path: Path) -> int:
    found = _NAME.search(path.name)
    assert found is not None
    return int(found[1])
