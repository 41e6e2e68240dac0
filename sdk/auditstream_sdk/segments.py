"""Files of a spool: one instance's records in numbered files, each with a head that says where it goes on."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

_MAGIC = b"ASDKSEG1"
_HEAD = struct.Struct("<8sQ")
_SUM = struct.Struct("<I")
HEAD_BYTES = _HEAD.size + _SUM.size


def segment_path(folder: Path, instance: str, file: int) -> Path:
    """Return where a file of an instance is."""
    return folder / f"{instance}-{file:08d}.log"


def segment_numbers(folder: Path, instance: str) -> list[int]:
    """Return the numbers of an instance's files, in order."""
    names = (path.stem for path in folder.glob(f"{instance}-*.log"))
    return sorted(int(name[len(instance) + 1 :]) for name in names if name[len(instance) + 1 :].isdigit())


def create_segment(path: Path, base: int) -> int:
    """Make a file and return its descriptor.

    Args:
        path: Where.
        base: Every `source_seq` up to this one is told of in the files before it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
    head = _HEAD.pack(_MAGIC, base)
    try:
        write_all(fd, head + _SUM.pack(zlib.crc32(head)))
    except OSError:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return fd


def base_of(fd: int) -> int | None:
    """Return the number that a file goes on from; None when its head is not whole."""
    data = os.pread(fd, HEAD_BYTES, 0)
    if len(data) < HEAD_BYTES or _SUM.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        return None
    magic, base = _HEAD.unpack_from(data)
    return int(base) if magic == _MAGIC else None


def write_all(fd: int, data: bytes) -> None:
    """Write all of it at the end of a file.

    Raises:
        OSError: It could not; the file is as it was before.
    """
    before = os.fstat(fd).st_size
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError:
        os.ftruncate(fd, before)
        raise


def sync_folder(folder: Path) -> None:
    """Make names of new files survive a loss of power."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
