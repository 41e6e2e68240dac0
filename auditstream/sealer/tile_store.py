"""Where a log's files are kept: the port, and what can go wrong there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from auditstream.core.errors import RetryableError, VerificationError


class StoreDownError(RetryableError):
    """The files cannot be read or written now; what was asked for may be done in part."""

    code = "tile_store_down"
    hint = "Look at the tile store: its address, its permissions, its free space. Sealing goes on from there."


class OtherBytesError(VerificationError):
    """Under a name that never changes, other bytes are stored than the log gives."""

    code = "other_bytes"
    hint = (
        "Either the stored file or the recorded rows were changed. Keep both, and run `auditstream verify`."
    )


class MovedError(RetryableError):
    """Another process has replaced the value since it was read; nothing was written."""

    code = "moved"
    hint = "Another sealer is at work on this log. One is enough: stop the other."


class Register(Protocol):
    """One small value that changes by compare-and-set. Every method blocks; processes may share it."""

    def read(self) -> bytes | None:
        """Return the value, None before the first.

        Raises:
            StoreDownError: It cannot be read now.
        """
        ...

    def replace(self, former: bytes | None, new: bytes) -> None:
        """Set the value if it still is the former one; durable on return.

        Where another process set the very same value meanwhile, that may count as done.

        Args:
            former: What `read` returned.
            new: What to put in its place.

        Raises:
            MovedError: It is another one by now.
            StoreDownError: It may have been set or not; read it again.
        """
        ...


class TileStore(Protocol):
    """The files of one log, named as tlog-tiles names them. Every method blocks; processes may share it."""

    def read(self, name: str) -> bytes | None:
        """Return a whole file: the checkpoint, a tile or a bundle; None when there is none.

        Raises:
            StoreDownError: It cannot be read now.
        """
        ...

    def write_once(self, files: Mapping[str, bytes]) -> None:
        """Make files durable that never change, all of them on return, each whole or not at all before.

        A file that is there already with the same bytes counts as written.

        Args:
            files: Bytes by the name of a tile or a bundle.

        Raises:
            OtherBytesError: A name has other bytes; they stay.
            StoreDownError: Some may be written, others not; call again.
        """
        ...

    def replace_checkpoint(self, former: bytes | None, new: bytes) -> None:
        """Set the checkpoint if it still is the former one; see `Register.replace`."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; those that are not there are left out.

        Raises:
            StoreDownError: Some may be removed, others not.
        """
        ...

    def list(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of the files under a folder, as `tile/0/`, in no order; "" for all.

        Raises:
            StoreDownError: They cannot be listed now.
        """
        ...
