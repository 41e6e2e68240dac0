"""What was published, as an auditor reads it: in a folder or in an object store.

Anybody may have written it. So files are read up to a bound, links are not followed, and nothing is believed
before a signature says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from auditstream.core.errors import ConfigError, NotFoundError, VerificationError
from auditstream.sealer.tile_store import StoreDownError

if TYPE_CHECKING:
    from obstore.store import S3Store

MAX_FILE_BYTES = 32 * 1024 * 1024
"""More than the largest bundle has: 256 entries of 65,535 bytes."""

_SMALL_BYTES = 32 * 1024
_PLAINLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_NO_LOGS = frozenset({"raw", "statements"})  # folders beside the logs

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
            StoreDownError: It cannot be read now.
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
        path = f"{self._root}/{name}"
        try:
            descriptor = os.open(path, _PLAINLY)
            try:
                size = os.fstat(descriptor).st_size
                if size <= _SMALL_BYTES:  # nearly all: no more calls, and no more room, than it takes
                    data = os.read(descriptor, size + 1)
                else:
                    with os.fdopen(os.dup(descriptor), "rb") as file:
                        data = file.read(MAX_FILE_BYTES + 1)
            finally:
                os.close(descriptor)
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
            if named[0] not in _NO_LOGS and epoch.is_dir() and not epoch.is_symlink():
                yield "/".join(named)

    def names(self, log_id: str) -> Iterator[str]:
        """Yield the names of a log's files; see the port."""
        base = self._root / log_id
        for folder, _, files in os.walk(base):
            for name in files:
                path = Path(folder, name).relative_to(base)
                yield path.as_posix()


class PublishedObjects:
    """Published files under a prefix of a bucket.

    Args:
        bucket: The bucket.
        prefix: "" or ends in a slash.
    """

    def __init__(self, bucket: S3Store, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def read(self, name: str) -> bytes | None:
        """Return a whole file; see the port."""
        import obstore  # noqa: PLC0415  an optional extra

        with _answering(name):
            try:
                answer = obstore.get(self._bucket, self._prefix + name)
            except FileNotFoundError:
                return None
            if answer.meta["size"] > MAX_FILE_BYTES:
                raise PublishedError(f"{name} has more than {MAX_FILE_BYTES} bytes")
            return bytes(answer.bytes())

    def log_ids(self) -> Iterator[str]:
        """Yield the logs that have files; see the port."""
        for topic in self._folders(self._prefix):
            if topic.removeprefix(self._prefix).strip("/") not in _NO_LOGS:
                for partition in self._folders(topic):
                    for epoch in self._folders(partition):
                        yield epoch.removeprefix(self._prefix).strip("/")

    def names(self, log_id: str) -> Iterator[str]:
        """Yield the names of a log's files; see the port."""
        import obstore  # noqa: PLC0415  an optional extra

        base = f"{self._prefix}{log_id}/"
        with _answering(base):
            for page in obstore.list(self._bucket, prefix=base):
                yield from (entry["path"].removeprefix(base) for entry in page)

    def _folders(self, prefix: str) -> list[str]:
        import obstore  # noqa: PLC0415  an optional extra

        with _answering(prefix):
            found = obstore.list_with_delimiter(self._bucket, prefix=prefix or None)
        return sorted(f"{folder.strip('/')}/" for folder in found["common_prefixes"])


@contextmanager
def _answering(name: str) -> Iterator[None]:
    from obstore.exceptions import BaseError  # noqa: PLC0415  an optional extra

    try:
        yield
    except BaseError as error:
        raise StoreDownError(f"{name or 'the bucket'} cannot be read: {error}") from error


def open_published(place: str | Path) -> Published:
    """Return the published files of a folder or of an object store, as `s3://bucket/prefix`.

    Raises:
        NotFoundError: There is no such folder.
        ConfigError: The extra for object stores is not installed.
    """
    parts = urlsplit(str(place))
    if parts.scheme == "s3":
        try:
            from obstore.store import S3Store  # noqa: PLC0415  an optional extra
        except ImportError as error:
            hint = "pip install 'auditstream[objects]'"
            raise ConfigError(f"{place} takes the extra `objects`", hint=hint) from error
        prefix = f"{path}/" if (path := parts.path.strip("/")) else ""
        return PublishedObjects(S3Store(parts.netloc), prefix)
    folder = Path(place)
    if not folder.is_dir():
        hint = "Run `auditstream seal`, or name an exported bundle: --bundle DIR."
        raise NotFoundError(f"no published logs: {folder} is not a folder", hint=hint)
    return PublishedFolder(folder)
