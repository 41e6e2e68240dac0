"""What was published, as an auditor reads it: in a folder or in an object store.

Anybody may have written it. So files are read up to a bound, links are not followed, and nothing is believed
before a signature says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from auditstream.core.errors import NotFoundError, RetryableError, VerificationError

MAX_FILE_BYTES = 32 * 1024 * 1024
"""More than the largest bundle has: 256 entries of 65,535 bytes."""

_PLAINLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

LISTING = "logs"
VKEYS = "vkeys.txt"
CHECKPOINT_NAME = "checkpoint"


class PublishedError(VerificationError):
    """What is published is not of the form that it must have."""

    code = "published"
    hint = "Fetch it again; if it stays so, keep it as evidence."


class Published(Protocol):
    """Published files by name, as `topic/partition/epoch/checkpoint`. Many threads may ask at once."""

    def read(self, name: str) -> bytes | None:
        """Return a whole file, None when there is none.

        Raises:
            PublishedError: It is larger than anything that is published.
            RetryableError: It cannot be read now.
        """
        ...

    def log_ids(self) -> Iterator[str]:
        """Yield the logs that have files, as `topic/partition/epoch`."""
        ...

    def names(self, log_id: str) -> Iterator[str]:
        """Yield the names of a log's files, without the log's own prefix."""
        ...


class PublishedFolder:
    """A folder of published files."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, name: str) -> bytes | None:
        """Return a whole file; see the port."""
        path = self._root / name
        try:
            with os.fdopen(os.open(path, _PLAINLY), "rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise PublishedError(f"{path} cannot be read: {error.strerror}") from error
        if len(data) > MAX_FILE_BYTES:
            raise PublishedError(f"{path} has more than {MAX_FILE_BYTES} bytes")
        return data

    def log_ids(self) -> Iterator[str]:
        """Yield the logs that have files; see the port."""
        for epoch in sorted(self._root.glob("*/*/*")):
            named = epoch.relative_to(self._root).parts
            if named[0] not in {"raw", "statements"} and epoch.is_dir() and not epoch.is_symlink():
                yield "/".join(named)

    def names(self, log_id: str) -> Iterator[str]:
        """Yield the names of a log's files; see the port."""
        base = self._root / log_id
        for folder, _, files in os.walk(base):
            for name in files:
                path = Path(folder, name).relative_to(base)
                yield path.as_posix()


class PublishedObjects:
    """A bucket of an object store with published files under a prefix."""

    def __init__(self, url: str) -> None:
        try:
            from obstore.store import from_url  # noqa: PLC0415  an extra that a folder does not need
        except ImportError as error:
            hint = "Install auditstream[objects]."
            raise NotFoundError(f"{url}: object stores need a library", hint=hint) from error
        self._store = from_url(url)

    def read(self, name: str) -> bytes | None:
        """Return a whole file; see the port."""
        import obstore  # noqa: PLC0415

        try:
            answer = obstore.get(self._store, name)
            if answer.meta["size"] > MAX_FILE_BYTES:
                raise PublishedError(f"{name} has more than {MAX_FILE_BYTES} bytes")
            return bytes(answer.bytes())
        except FileNotFoundError:
            return None
        except obstore.exceptions.BaseError as error:
            raise RetryableError(f"{name} cannot be read: {error}") from error

    def log_ids(self) -> Iterator[str]:
        """Yield the logs that have files; see the port."""
        import obstore  # noqa: PLC0415

        def folders(prefix: str | None) -> list[str]:
            return sorted(obstore.list_with_delimiter(self._store, prefix)["common_prefixes"])

        for topic in folders(None):
            if topic.strip("/") not in {"raw", "statements"}:
                yield from (epoch.strip("/") for partition in folders(topic) for epoch in folders(partition))

    def names(self, log_id: str) -> Iterator[str]:
        """Yield the names of a log's files; see the port."""
        import obstore  # noqa: PLC0415

        for page in obstore.list(self._store, f"{log_id}/"):
            for each in page:
                yield each["path"].removeprefix(f"{log_id}/")


def open_published(place: str | Path) -> Published:
    """Return the published files of a folder or of an object store, as `s3://bucket/prefix`.

    Raises:
        NotFoundError: There is no such folder.
    """
    if str(place).startswith("s3://"):
        return PublishedObjects(str(place))
    folder = Path(place)
    if not folder.is_dir():
        hint = "Run `auditstream seal`, or name an exported bundle: --bundle DIR."
        raise NotFoundError(f"no published logs: {folder} is not a folder", hint=hint)
    return PublishedFolder(folder)
