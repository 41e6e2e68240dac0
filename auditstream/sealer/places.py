"""Where the logs of a deployment are kept: a folder or a bucket, by log; beside them what concerns all."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from auditstream.core.errors import ConfigError, VerificationError
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.tile_store import Register, TileStore

if TYPE_CHECKING:
    from obstore.store import S3Store

_LOG_ID = re.compile(r"(?P<topic>[A-Za-z0-9._-]{1,249})/(?:0|[1-9][0-9]{0,9})/[A-Za-z0-9_-]{1,64}")
# Names beside the logs in a published store, in an exported bundle or in a sealer's state; and no folder's.
_TAKEN = frozenset(
    {"logs", "vkeys.txt", "raw", "statements", "manifest.json", ".", "..", ".lock", ".new"}
) | {*("key", "policy", "tables.json")}
_PROBE = ".conditional-writes"


class LogIdError(VerificationError):
    """A log's id in the rows is none that our writers give: nothing is kept under such a name."""

    code = "log_id"
    hint = "Rows of this log were not written by a worker. Run `auditstream verify`."


class Place(Protocol):
    """Where evidence is published, or where a sealer remembers what it signed."""

    def store(self, log_id: str) -> TileStore:
        """Return the files of a log.

        Raises:
            LogIdError: It cannot be a log's id.
        """
        ...

    def register(self, name: str) -> Register:
        """Return a value that is kept under a name, as `logs` or `topic/0/0a1b2c3d/signed`."""
        ...


class FolderPlace:
    """A folder; made when it is first written to, in one that exists."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def store(self, log_id: str) -> TileStore:
        """Return the files of a log; see the port."""
        return FolderStore(self._folder(checked_log_id(log_id)))

    def register(self, name: str) -> Register:
        """Return a value; see the port."""
        folder, _, file = name.rpartition("/")
        return FolderRegister(self._folder(folder), file)

    def _folder(self, name: str) -> LockedFolder:
        base = self._path.parent
        return LockedFolder(base, f"{self._path.name}/{name}" if name else self._path.name)


class BucketPlace:
    """A prefix of a bucket in an object store that heeds conditions.

    Args:
        bucket: The bucket.
        prefix: "" or ends in a slash.
    """

    def __init__(self, bucket: S3Store, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix

    def store(self, log_id: str) -> TileStore:
        """Return the files of a log; see the port."""
        from auditstream.sealer.object_store import ObjectStore  # noqa: PLC0415  an optional extra

        return ObjectStore(self._bucket, f"{self._prefix}{checked_log_id(log_id)}/")

    def register(self, name: str) -> Register:
        """Return a value; see the port."""
        from auditstream.sealer.object_store import ObjectRegister  # noqa: PLC0415  an optional extra

        return ObjectRegister(self._bucket, self._prefix + name)


def open_place(address: str, default: Path) -> Place:
    """Return the place of a setting: a folder, `s3://bucket/prefix`, or the default for an empty one.

    How to reach an object store and as whom comes from the environment, as AWS's own tools read it
    (AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, ...).

    Raises:
        ConfigError: Nothing can be kept there: another kind of address, the extra is not installed, or the
            object store overwrites against conditions.
        StoreDownError: The object store does not answer.
    """
    if not address:
        return FolderPlace(default)
    scheme = urlsplit(address).scheme
    if scheme == "s3":
        return _bucket_place(address)
    if scheme:
        raise ConfigError(f"evidence is kept in a folder or under s3://bucket/prefix, not {address!r}")
    return FolderPlace(Path(address).expanduser())


def checked_log_id(log_id: str) -> str:
    """Return the id of a log, once it is one under which files can be kept.

    Raises:
        LogIdError: It is not `topic/partition/epoch`.
    """
    match = _LOG_ID.fullmatch(log_id)
    if match is None or match["topic"] in _TAKEN:
        raise LogIdError(f"not the id of a log: {log_id[:200]!r}")
    return log_id


def _bucket_place(address: str) -> BucketPlace:
    try:
        from obstore.store import S3Store  # noqa: PLC0415  an optional extra

        from auditstream.sealer.object_store import require_conditional_writes  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"{address} takes the extra `objects`", hint="pip install 'auditstream[objects]'"
        ) from error
    parts = urlsplit(address)
    if not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"not s3://bucket/prefix: {address!r}")
    prefix = f"{path}/" if (path := parts.path.strip("/")) else ""
    bucket = S3Store(parts.netloc)
    require_conditional_writes(bucket, prefix + _PROBE)
    return BucketPlace(bucket, prefix)
