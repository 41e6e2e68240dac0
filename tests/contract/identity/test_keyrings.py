"""What every keyring promises, over each there is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.identity.cached_keyring import CachedKeyring
from auditstream.identity.keyring import Destruction, KeyDestroyedError, Keyring, KeyUnknownError
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.master_key import MasterKey

ERASED = Destruction(datetime(2026, 3, 5, tzinfo=UTC), "mara", "GDPR art. 17(1)(b)")


@pytest.fixture(params=["file", "cached"])
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keyring]:
    file = KeyringFile(tmp_path / "ring", MasterKey(bytes(range(32))))
    yield file if request.param == "file" else CachedKeyring(file)
    file.close()


def test_a_key_is_made_once_and_found_by_its_name(ring: Keyring) -> None:
    made = ring.data_key("acme", "user-a", "2026-01")

    assert ring.data_key("acme", "user-a", "2026-01") == made
    assert ring.key("acme", made.key_id) == made
    assert len({made.secret, ring.data_key("acme", "user-a", "2026-02").secret}) == 2
    assert len({made.secret, ring.data_key("globex", "user-a", "2026-01").secret}) == 2


def test_the_name_of_a_key_says_nothing_of_its_subject_and_its_secret_is_not_shown(ring: Keyring) -> None:
    made = ring.data_key("acme", "user-a", "2026-01")

    assert made.key_id.startswith("sk-")
    assert len(made.key_id) == 29
    assert "secret" not in repr(made)


def test_another_tenants_key_is_unknown(ring: Keyring) -> None:
    made = ring.data_key("acme", "user-a", "2026-01")

    with pytest.raises(KeyUnknownError):
        ring.key("globex", made.key_id)
    with pytest.raises(KeyUnknownError):
        ring.key("acme", "sk-" + "x" * 5_000)


def test_destroyed_keys_are_gone_for_good_and_say_why(ring: Keyring) -> None:
    first, second = (ring.data_key("acme", "user-a", month) for month in ("2026-01", "2026-02"))
    other = ring.data_key("acme", "user-b", "2026-01")

    gone = ring.destroy("acme", ["user-a"], ERASED)

    assert [each.key_id for each in gone] == [first.key_id, second.key_id]
    assert {each.destroyed for each in gone} == {ERASED}
    for _ in range(2):
        with pytest.raises(KeyDestroyedError, match="by mara: GDPR"):
            ring.key("acme", first.key_id)
    assert ring.key("acme", other.key_id) == other
    assert ring.destroy("acme", ["user-a"], ERASED) == []
    known = {each.key_id: each.destroyed for each in ring.records("acme", ["user-a", "user-b"])}
    assert known == {first.key_id: ERASED, second.key_id: ERASED, other.key_id: None}


@pytest.mark.parametrize("month", ["2025-12", "2026-01", "2026-03"])
def test_no_key_is_made_for_the_months_of_an_erased_subject(ring: Keyring, month: str) -> None:
    ring.data_key("acme", "user-a", "2026-01")
    ring.destroy("acme", ["user-a"], ERASED)

    with pytest.raises(KeyDestroyedError):
        ring.data_key("acme", "user-a", month)
    assert [each.month for each in ring.records("acme", ["user-a"])] == ["2026-01"]


def test_a_subject_who_comes_back_has_new_keys_from_the_next_month_on(ring: Keyring) -> None:
    ring.destroy("acme", ["user-a"], ERASED)

    made = ring.data_key("acme", "user-a", "2026-04")

    assert ring.key("acme", made.key_id) == made
    later = Destruction(datetime(2026, 4, 9, tzinfo=UTC), "mara", "again")
    assert [each.key_id for each in ring.destroy("acme", ["user-a"], later)] == [made.key_id]


def test_an_earlier_erasure_does_not_shorten_a_later_one(ring: Keyring) -> None:
    ring.destroy("acme", ["user-a"], Destruction(datetime(2026, 4, 9, tzinfo=UTC), "mara", "later"))
    ring.destroy("acme", ["user-a"], ERASED)

    with pytest.raises(KeyDestroyedError):
        ring.data_key("acme", "user-a", "2026-04")
