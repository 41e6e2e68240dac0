"""A key that was destroyed elsewhere is out of use when its lifetime is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditstream.core.clock import ManualClock
from auditstream.identity import cached_keyring
from auditstream.identity.cached_keyring import CachedKeyring
from auditstream.identity.keyring import Destruction, KeyDestroyedError, KeyUnknownError
from auditstream.identity.keyring_file import KeyringFile

ERASED = Destruction(datetime(2026, 1, 5, tzinfo=UTC), "mara", "asked for")


def test_a_destroyed_key_is_used_until_its_lifetime_is_over_however_often(ring: KeyringFile) -> None:
    clock = ManualClock(0.0)
    cached = CachedKeyring(ring, lifetime_s=5.0, now_s=clock.now_s)
    made = cached.data_key("acme", "user-a", "2026-01")
    cached.key("acme", made.key_id)
    ring.destroy("acme", ["user-a"], ERASED)

    for _ in range(4):
        clock.advance(1.2)
        assert cached.data_key("acme", "user-a", "2026-01") == made
        assert cached.key("acme", made.key_id) == made
    clock.advance(0.2)

    with pytest.raises(KeyDestroyedError, match="asked for"):
        cached.data_key("acme", "user-a", "2026-01")
    with pytest.raises(KeyDestroyedError, match="asked for"):
        cached.key("acme", made.key_id)


def test_a_destruction_by_way_of_the_cache_counts_at_once(ring: KeyringFile) -> None:
    cached = CachedKeyring(ring)
    made = cached.data_key("acme", "user-a", "2026-01")

    cached.destroy("acme", ["user-a"], ERASED)

    with pytest.raises(KeyDestroyedError):
        cached.key("acme", made.key_id)
    assert [each.key_id for each in cached.records("acme", ["user-a"])] == [made.key_id]


def test_what_was_destroyed_is_remembered_too_and_what_is_unknown_is_not(ring: KeyringFile) -> None:
    cached = CachedKeyring(ring)
    ring.destroy("acme", ["user-a"], ERASED)
    for _ in range(2):
        with pytest.raises(KeyDestroyedError):
            cached.data_key("acme", "user-a", "2026-01")
    with pytest.raises(KeyUnknownError):
        cached.key("acme", "sk-later")

    ring.close()

    with pytest.raises(KeyDestroyedError):
        cached.data_key("acme", "user-a", "2026-01")


def test_memory_is_bounded(ring: KeyringFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_keyring, "_MOST", 10)
    cached = CachedKeyring(ring)

    for number in range(40):
        cached.data_key("acme", f"user-{number}", "2026-01")

    assert len(cached._known) <= 10
