"""Which logs a witness cosigns: those of a fixed list of keys, and those that a trusted deployment lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from urllib3 import PoolManager, Timeout
from urllib3.exceptions import HTTPError

from auditstream.core.errors import RetryableError, VerificationError
from auditstream.core.logs import get_logger
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.log_list import LogList, open_log_list
from auditstream.ledger.notes import MAX_NOTE_BYTES
from auditstream.sealer.places import open_place
from auditstream.sealer.tile_store import Register

LOGS_FILE = "logs"

_log = get_logger(__name__)
_TIMEOUT_S = 5.0
# How long a key of the list is used without looking at the list again.
_LOOK_EVERY_S = 0.2

ReadList = Callable[[], bytes]
"""Returns the published list of a deployment, or raises `RetryableError`."""


class FixedLogs:
    """Logs whose keys were given to the witness."""

    def __init__(self, keys: Iterable[VerifierKey]) -> None:
        self._keys = tuple(keys)

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys of a log; see the port."""
        return tuple(key for key in self._keys if key.name == origin)


class DeploymentLogs:
    """Logs that a trusted deployment lists, under the keys that it lists them with.

    So partitions that are added, and keys that are rotated, need no word to the witness. A deployment that
    lies gains nothing: a log's history is bound by what the witness cosigned of its origin, whatever the key.

    Args:
        deployment_keys: Keys of one deployment, one of which signs its list.
        read: Returns the list.
        monotonic_s: Seconds that only grow.
    """

    def __init__(
        self,
        deployment_keys: tuple[VerifierKey, ...],
        read: ReadList,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._deployment_keys = deployment_keys
        self._read = read
        self._monotonic_s = monotonic_s
        self._data = b""
        self._logs: LogList | None = None
        self._looked_s = 0.0
        self._lock = Lock()

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the key that the list has of a log; see the port."""
        if not any(origin.startswith(f"{key.name}/") for key in self._deployment_keys):
            return ()
        with self._lock:
            now_s = self._monotonic_s()
            found = self._logs.find(origin) if self._logs is not None else None
            if found is None or now_s - self._looked_s >= _LOOK_EVERY_S:
                self._look()
                self._looked_s = now_s
                found = self._logs.find(origin) if self._logs is not None else None
        return () if found is None else (found.key,)

    def _look(self) -> None:
        """Read the list; one that nobody trusted signed changes nothing."""
        data = self._read()
        if data == self._data:
            return
        try:
            self._logs = open_log_list(data, *self._deployment_keys)
        except VerificationError as error:
            _log.error("list_of_logs_refused", reason=error.message)
            return
        self._data = data


class AllKnownLogs:
    """Logs that one of several sources knows."""

    def __init__(self, sources: Iterable[FixedLogs | DeploymentLogs]) -> None:
        self._sources = tuple(sources)

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys that all sources have of a log; see the port."""
        return tuple(dict.fromkeys(key for source in self._sources for key in source.keys(origin)))


def list_reader(place: str) -> ReadList:
    """Return what reads the list `logs` of a published store.

    Args:
        place: The store: a folder, an http(s) URL, or `s3://bucket/prefix`.

    Raises:
        ConfigError: It is none of them, or the extra for object stores is not installed.
    """
    if urlsplit(place).scheme in {"http", "https"}:
        return _over_http(f"{place.rstrip('/')}/{LOGS_FILE}")
    if urlsplit(place).scheme:
        return _from_register(open_place(place, Path()).register(LOGS_FILE))
    return _from_folder(Path(place) / LOGS_FILE)


def _from_register(register: Register) -> ReadList:
    def read() -> bytes:
        data = register.read()
        if data is None:
            raise RetryableError(f"there is no {LOGS_FILE} yet", hint="Does the sealer run?")
        return data

    return read


def _from_folder(path: Path) -> ReadList:
    def read() -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(MAX_NOTE_BYTES + 1)
        except OSError as error:
            raise RetryableError(f"{path}: {error.strerror}", hint="Does the sealer run?") from error

    return read


def _over_http(url: str) -> ReadList:
    http = PoolManager(retries=False, timeout=Timeout(total=_TIMEOUT_S))

    def read() -> bytes:
        try:
            answer = http.request("GET", url, preload_content=False, redirect=False)
            try:
                data = answer.read(MAX_NOTE_BYTES + 1)
            finally:
                answer.close()
        except (HTTPError, OSError) as error:
            raise RetryableError(f"{url} does not answer: {error}") from error
        if answer.status != 200:
            raise RetryableError(f"{url} answered {answer.status}")
        return data

    return read
