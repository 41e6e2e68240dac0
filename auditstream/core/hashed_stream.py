"""A stream that hashes and counts what is written through it, so that no file is read again for its hash."""

from __future__ import annotations

import hashlib
import io
from typing import IO, Any


class HashedStream(io.RawIOBase):
    """Writes through to a stream, which stays open; nothing in it is written twice.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        """Return True: it is for nothing else."""
        return True

    def write(self, data: Any, /) -> int:
        """Write, hash and count; return how many bytes."""
        content = bytes(data)
        self._stream.write(content)
        self.digest.update(content)
        self.size_bytes += len(content)
        return len(content)

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()
