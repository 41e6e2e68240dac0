"""Values in an exported bundle: 4,096 a file, in the order of leaves, each behind its length.

A value is four bytes of length, big-endian, and so many bytes; a null value is the length 0xFFFFFFFF alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from auditstream.core.errors import VerificationError
from auditstream.ledger.leaves import NO_VALUE_HASH

FILE_LEAVES = 4096
NULL_LENGTH = 0xFFFFFFFF

_LENGTH_BYTES = 4
_PIECE_BYTES = 1 << 20


class RawFileError(VerificationError):
    """A file of values is missing, cut off, or longer than its values."""

    code = "raw_file"
    hint = "Export the bundle again; if it stays so, keep it as evidence."


def raw_path(log_id: str, first_index: int) -> str:
    """Return the name of the file with the values from a leaf on, under the bundle's top."""
    return f"raw/{log_id}/{first_index:012}"


def encoded(values: Iterable[bytes | None]) -> Iterator[bytes]:
    """Yield the bytes of a file of values, piece by piece."""
    for value in values:
        if value is None:
            yield NULL_LENGTH.to_bytes(_LENGTH_BYTES, "big")
        else:
            yield len(value).to_bytes(_LENGTH_BYTES, "big")
            yield value


def hashes_of_file(path: Path, count: int) -> list[bytes]:
    """Return the hash of each value of a file that holds `count`; none of them is held whole.

    Raises:
        RawFileError: There is no such file, or it does not hold exactly so many values.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RawFileError(f"{path} cannot be read: {error.strerror}") from error
    hashes: list[bytes] = []
    with os.fdopen(descriptor, "rb") as file:
        for position in range(count):
            head = file.read(_LENGTH_BYTES)
            if len(head) < _LENGTH_BYTES:
                raise RawFileError(f"{path} ends before value {position} of {count}")
            length = int.from_bytes(head, "big")
            if length == NULL_LENGTH:
                hashes.append(NO_VALUE_HASH)
                continue
            digest = hashlib.sha256()
            while length:
                piece = file.read(min(length, _PIECE_BYTES))
                if not piece:
                    raise RawFileError(f"{path} ends inside value {position} of {count}")
                digest.update(piece)
                length -= len(piece)
            hashes.append(digest.digest())
        if file.read(1):
            raise RawFileError(f"{path} goes on after its {count} values")
    return hashes
