"""A keyring in one SQLite file: data keys wrapped by a key of their tenant, which the master key wraps.

SQLite rather than a file a key: gateways read while `erase` writes, a key and its tombstone change in one
transaction, a crash leaves the one or the other, and an index finds a subject's keys. Destruction overwrites
the wrapped key with zeros in place (`secure_delete`), commits with fsync, and empties the write-ahead log, so
that no file of the keyring has the key any more. What it cannot reach: blocks that a journaling or copying
file system, a snapshot, a flash disk or a backup kept. There the key still lies wrapped, and opens for
whoever has the master key too: keep backups of the keyring for days, and apart from those of the master key.

Wrapping is AES-256-GCM with a random nonce, its associated data the tenant (and subject, month, key id), so
that no row can stand in for another.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import os
import secrets
import sqlite3
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Lock

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.secret_file import KeyFileError
from auditstream.identity.keyring import (
    DataKey,
    Destruction,
    KeyDestroyedError,
    KeyRecord,
    KeyUnknownError,
)
from auditstream.identity.master_key import KEY_BYTES, MasterKey

_BUSY_S = 5.0
_NONCE_BYTES = 12
_OTHERS = 0o077

_TABLES = """
CREATE TABLE IF NOT EXISTS origin (master_check BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tenant_keys (tenant TEXT PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS data_keys (
    key_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, subject TEXT NOT NULL, month TEXT NOT NULL,
    wrapped BLOB NOT NULL, created_at REAL NOT NULL,
    destroyed_at REAL, destroyed_by TEXT, ground TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS data_keys_of ON data_keys (tenant, subject, month);
CREATE TABLE IF NOT EXISTS tombstones (
    tenant TEXT NOT NULL, subject TEXT NOT NULL, month TEXT NOT NULL,
    destroyed_at REAL NOT NULL, destroyed_by TEXT NOT NULL, ground TEXT NOT NULL,
    PRIMARY KEY (tenant, subject)
) WITHOUT ROWID;
"""
# A zero blob of the same length first: the cell is overwritten where it lies, whatever SQLite does with
# pages.
_OVERWRITE = """
UPDATE data_keys SET wrapped = zeroblob(length(wrapped)), destroyed_at = ?, destroyed_by = ?, ground = ?
WHERE tenant = ? AND subject = ? AND destroyed_at IS NULL"""
_BURY = """
INSERT INTO tombstones VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    month = max(month, excluded.month), destroyed_at = excluded.destroyed_at,
    destroyed_by = excluded.destroyed_by, ground = excluded.ground"""


class KeyringFile:
    """The keyring of a file; several processes may have it open, none across a fork.

    Args:
        path: The file; made when missing.
        master: What wraps the tenants' keys.
        clock: What `created_at` is taken from.

    Raises:
        KeyFileError: Others may read or write the file.
        ConfigError: It is no keyring, or that of another master key.
        RetryableError: It is busy.
    """

    def __init__(self, path: Path, master: MasterKey, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._wrapping = master
        self._lock = Lock()
        self._database = _opened(path)
        try:
            self._claim(master)
        except BaseException:
            self._database.close()
            raise

    def data_key(self, tenant: str, subject: str, month: str) -> DataKey:
        """Return the key of a subject and month; see `Keyring`."""
        with self._reading() as database:
            found = database.execute(_LIVING, (tenant, subject, month)).fetchone()
        if found is None:
            with self._writing() as database:
                self._make(database, tenant, subject, month)
                found = database.execute(_LIVING, (tenant, subject, month)).fetchone()
        return self._key(tenant, found)

    def key(self, tenant: str, key_id: str) -> DataKey:
        """Return a key by its name; see `Keyring`."""
        with self._reading() as database:
            found = database.execute(_BY_ID, (tenant, key_id)).fetchone()
        if found is None:
            raise KeyUnknownError(f"no key {key_id!r:.80} of tenant {tenant}")
        return self._key(tenant, found)

    def records(self, tenant: str, subjects: Sequence[str]) -> list[KeyRecord]:
        """Return every key of some subjects; see `Keyring`."""
        with self._reading() as database:
            rows = [row for subject in subjects for row in database.execute(_RECORDS, (tenant, subject))]
        return sorted(map(_record, rows), key=lambda each: (each.month, each.key_id))

    def destroy(self, tenant: str, subjects: Sequence[str], destruction: Destruction) -> list[KeyRecord]:
        """Destroy every key of some subjects; see `Keyring`."""
        at, month = destruction.at.timestamp(), f"{destruction.at.astimezone(UTC):%Y-%m}"
        why = (at, destruction.by, destruction.ground)
        living = {each.key_id for each in self.records(tenant, subjects) if each.destroyed is None}
        with self._writing() as database:
            for subject in dict.fromkeys(subjects):
                database.execute(_OVERWRITE, (*why, tenant, subject))
                database.execute(_BURY, (tenant, subject, month, *why))
        self._empty_log()
        return [each for each in self.records(tenant, subjects) if each.key_id in living]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def _claim(self, master: MasterKey) -> None:
        """Note in a new file whose it is; refuse that of another master key."""
        check = hmac.digest(master.derived("keyring check"), b"", sha256)
        with self._writing() as database:
            known = database.execute("SELECT master_check FROM origin").fetchone()
            if known is None:
                database.execute("INSERT INTO origin VALUES (?)", (check,))
            elif not hmac.compare_digest(known[0], check):
                raise ConfigError(
                    f"{self._path} belongs to another master key", hint="Restore both of one time."
                )

    def _make(self, database: sqlite3.Connection, tenant: str, subject: str, month: str) -> None:
        """Write a new key, unless another process has meanwhile or the subject was erased."""
        buried = database.execute(
            "SELECT destroyed_at, destroyed_by, ground FROM tombstones WHERE tenant = ? AND subject = ? "
            "AND month >= ?",
            (tenant, subject, month),
        ).fetchone()
        if buried is not None:
            raise _destroyed(f"no key of {subject} for {month}", _destruction(*buried))
        key_id = f"sk-{base64.b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"
        wrapped = self._tenant_key(database, tenant).wrap(
            secrets.token_bytes(KEY_BYTES), tenant, subject, month, key_id
        )
        database.execute(
            "INSERT OR IGNORE INTO data_keys (key_id, tenant, subject, month, wrapped, created_at) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (key_id, tenant, subject, month, wrapped, self._clock.now_s()),
        )

    def _tenant_key(self, database: sqlite3.Connection, tenant: str) -> _Wrapping:
        """Return what wraps a tenant's keys; made with the first of them."""
        outer = _Wrapping(self._wrapping.derived("tenant wrapping", tenant), self._path)
        found = database.execute("SELECT wrapped FROM tenant_keys WHERE tenant = ?", (tenant,)).fetchone()
        if found is None:
            wrapped = outer.wrap(secrets.token_bytes(KEY_BYTES), tenant)
            database.execute("INSERT INTO tenant_keys VALUES (?, ?)", (tenant, wrapped))
        else:
            wrapped = found[0]
        return _Wrapping(outer.unwrap(wrapped, tenant), self._path)

    def _key(self, tenant: str, row: tuple[str, str, str, bytes, float | None, str, str]) -> DataKey:
        key_id, subject, month, wrapped, destroyed_at, by, ground = row
        if destroyed_at is not None:
            raise _destroyed(f"key {key_id}", _destruction(destroyed_at, by, ground))
        with self._reading() as database:
            wrapping = self._tenant_key(database, tenant)
        return DataKey(
            key_id, tenant, subject, month, wrapping.unwrap(wrapped, tenant, subject, month, key_id)
        )

    def _empty_log(self) -> None:
        """Move what the write-ahead log has into the file and cut the log to nothing."""
        with self._reading() as database:
            busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise RetryableError(
                f"{self._path}: the keys are destroyed, but its log is in use and may still hold them",
                hint="Run it again: nothing is destroyed twice.",
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _translated(self._path):
            yield self._database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the only writer's place, for all of the block's changes or none."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


_COLUMNS = "key_id, subject, month, wrapped, destroyed_at, destroyed_by, ground"
_LIVING = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant = ? AND subject = ? AND month = ?"  # noqa: S608
_BY_ID = f"SELECT {_COLUMNS} FROM data_keys WHERE tenant = ? AND key_id = ?"  # noqa: S608  constants
_RECORDS = (
    "SELECT key_id, month, created_at, destroyed_at, destroyed_by, ground FROM data_keys "
    "WHERE tenant = ? AND subject = ?"
)


class _Wrapping:
    """Encrypts keys under a key."""

    def __init__(self, secret: bytes, path: Path) -> None:
        self._aead = AESGCM(secret)
        self._path = path

    def wrap(self, key: bytes, *place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, key, _bound(place))

    def unwrap(self, wrapped: bytes, *place: str) -> bytes:
        try:
            return self._aead.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound(place))
        except (InvalidTag, ValueError):
            hint = "Restore keyring and master key of one time, then repeat the erasures that came since."
            raise ConfigError(f"{self._path}: a key of tenant {place[0]} is damaged", hint=hint) from None


def _bound(place: Sequence[str]) -> bytes:
    parts = [part.encode() for part in place]
    return b"auditstream keyring v1\x00" + b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _opened(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite would make the file for everybody to read; its log and index then take the file's rights.
        # One that exists is not touched: closing it would drop the locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", hint="AUDITSTREAM_KEYS__FOLDER says where.") from error
    if mode & _OTHERS:
        raise KeyFileError(
            f"{path} can be read or written by others (mode {mode & 0o777:o})", hint=f"chmod 600 {path}"
        )
    # One at a time: of several that turn a file to its log at once, SQLite refuses all but one, whatever the
    # timeout.
    with _translated(path), _alone(path.parent):
        database = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            for setting in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                database.execute(f"PRAGMA {setting}")
            database.executescript(_TABLES)
        except BaseException:
            database.close()
            raise
    return database


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process opens a keyring of the folder."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RetryableError(f"{path}: {error}", hint="Is the disk full, or the file locked?") from error
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{path} is no keyring: {error}", hint="Restore it from a copy.") from error


def _record(row: tuple[str, str, float, float | None, str, str]) -> KeyRecord:
    key_id, month, created_at, destroyed_at, by, ground = row
    destroyed = None if destroyed_at is None else _destruction(destroyed_at, by, ground)
    return KeyRecord(key_id, month, datetime.fromtimestamp(created_at, UTC), destroyed)


def _destruction(at: float, by: str, ground: str) -> Destruction:
    return Destruction(datetime.fromtimestamp(at, UTC), by, ground)


def _destroyed(what: str, why: Destruction) -> KeyDestroyedError:
    return KeyDestroyedError(f"{what}: destroyed at {why.at:%Y-%m-%dT%H:%M:%SZ} by {why.by}: {why.ground}")
