"""A keyring remembered for seconds: sealing costs no disk, and a destroyed key is out of use that soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Lock

from auditstream.identity.keyring import DataKey, Destruction, KeyDestroyedError, KeyRecord, Keyring

_MOST = 20_000
"""Keys in memory: some 500 bytes each."""


class CachedKeyring:
    """Answers from memory what was asked of the keyring within the last seconds.

    After a destruction elsewhere a box may still be sealed, or opened, until the lifetime is over; here it
    counts at once. A key is counted from when it was read, however often it is used. What was destroyed is
    remembered likewise. Python cannot wipe memory: a key that was dropped is gone when its memory is used
    again.

    Args:
        keyring: The keyring.
        lifetime_s: How long an answer counts.
        now_s: A clock that never goes back, in seconds.
    """

    def __init__(
        self, keyring: Keyring, *, lifetime_s: float = 5.0, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._keyring = keyring
        self._lifetime_s = lifetime_s
        self._now_s = now_s
        self._lock = Lock()
        self._known: dict[tuple[str, ...], tuple[float, DataKey | KeyDestroyedError]] = {}

    def data_key(self, tenant: str, subject: str, month: str) -> DataKey:
        """Return the key of a subject and month; see `Keyring`."""
        return self._answer((tenant, subject, month), lambda: self._keyring.data_key(tenant, subject, month))

    def key(self, tenant: str, key_id: str) -> DataKey:
        """Return a key by its name; see `Keyring`. Unknown names are asked for each time."""
        return self._answer((tenant, key_id), lambda: self._keyring.key(tenant, key_id))

    def records(self, tenant: str, subjects: Sequence[str]) -> list[KeyRecord]:
        """Return every key of some subjects; see `Keyring`. Never from memory."""
        return self._keyring.records(tenant, subjects)

    def destroy(self, tenant: str, subjects: Sequence[str], destruction: Destruction) -> list[KeyRecord]:
        """Destroy every key of some subjects; see `Keyring`."""
        try:
            return self._keyring.destroy(tenant, subjects, destruction)
        finally:
            with self._lock:
                self._known.clear()

    def _answer(self, name: tuple[str, ...], ask: Callable[[], DataKey]) -> DataKey:
        known = self._known.get(name)
        if known is None or self._now_s() - known[0] >= self._lifetime_s:
            known = self._asked(name, ask)
        if isinstance(known[1], KeyDestroyedError):
            raise KeyDestroyedError(known[1].message)
        return known[1]

    def _asked(
        self, name: tuple[str, ...], ask: Callable[[], DataKey]
    ) -> tuple[float, DataKey | KeyDestroyedError]:
        at = self._now_s()  # before the answer: it is at least as fresh as this
        answer: DataKey | KeyDestroyedError
        try:
            answer = ask()
        except KeyDestroyedError as error:
            answer = error
        with self._lock:
            if len(self._known) >= _MOST:
                self._drop_old(at)
            self._known[name] = (at, answer)
        return at, answer

    def _drop_old(self, now: float) -> None:
        self._known = {name: each for name, each in self._known.items() if now - each[0] < self._lifetime_s}
        if len(self._known) >= _MOST:
            self._known.clear()
