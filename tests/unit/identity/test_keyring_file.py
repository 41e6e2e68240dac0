"""The keyring of a file: what its files hold, who may read them, and what a failure leaves."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError, RetryableError
from auditstream.core.secret_file import KeyFileError
from auditstream.identity import keyring_file
from auditstream.identity.keyring import Destruction, KeyDestroyedError
from auditstream.identity.keyring_file import KeyringFile
from auditstream.identity.master_key import MasterKey

MASTER = MasterKey(bytes(range(32)))
_RINGS = 40  # made by all at once: their first openings meet
ERASED = Destruction(datetime(2026, 3, 5, tzinfo=UTC), "mara", "GDPR art. 17(1)(b)")


def wrapped_of(path: Path, key_id: str) -> bytes:
    with sqlite3.connect(path) as database:
        (wrapped,) = database.execute("SELECT wrapped FROM data_keys WHERE key_id = ?", (key_id,)).fetchone()
    database.close()
    return bytes(wrapped)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_keys_outlive_the_process_and_only_the_owner_may_read_them(ring: KeyringFile, tmp_path: Path) -> None:
    made = ring.data_key("acme", "user-a", "2026-01")

    again = KeyringFile(tmp_path / "ring", MASTER)

    assert again.key("acme", made.key_id) == made
    again.close()
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_no_file_of_the_keyring_has_a_destroyed_key(ring: KeyringFile, tmp_path: Path) -> None:
    subjects = [f"user-{number}" for number in range(50)]
    made = [ring.data_key("acme", subject, "2026-01") for subject in subjects]
    wrapped = [wrapped_of(tmp_path / "ring", each.key_id) for each in made]
    assert all(each in everything_in(tmp_path) for each in wrapped)

    ring.destroy("acme", subjects[:25], ERASED)

    left = everything_in(tmp_path)
    assert not [each for each in wrapped[:25] if each in left]
    assert all(each in left for each in wrapped[25:])
    assert not [each for each in made if each.secret in left], "keys are never there unwrapped"


def test_while_another_reads_the_log_is_not_emptied_and_doing_it_again_does(
    ring: KeyringFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring_file, "_BUSY_S", 0.05)
    own = KeyringFile(tmp_path / "ring", MASTER)
    made = own.data_key("acme", "user-a", "2026-01")
    wrapped = wrapped_of(tmp_path / "ring", made.key_id)
    reader = sqlite3.connect(tmp_path / "ring", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM data_keys").fetchone()

    with pytest.raises(RetryableError, match="are destroyed, but its log is in use"):
        own.destroy("acme", ["user-a"], ERASED)
    with pytest.raises(KeyDestroyedError):
        ring.key("acme", made.key_id)

    reader.close()
    assert own.destroy("acme", ["user-a"], ERASED) == []
    assert wrapped not in everything_in(tmp_path)
    own.close()


def _ask(folder: Path, together: Barrier, answers: multiprocessing.Queue[list[str]]) -> None:
    found = []
    for number in range(_RINGS):
        together.wait(60)
        opened = KeyringFile(folder / f"ring-{number}", MASTER)
        found.append(opened.data_key("acme", "user-a", "2026-01").key_id)
        opened.close()
    answers.put(found)


def test_processes_that_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    answers = spawn.Queue()
    together = spawn.Barrier(3)
    processes = [spawn.Process(target=_ask, args=(tmp_path, together, answers)) for _ in range(3)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
    assert [each.exitcode for each in processes] == [0, 0, 0]
    first, *others = [answers.get(timeout=60) for _ in processes]
    answers.close()
    answers.join_thread()

    assert len(set(first)) == _RINGS
    assert others == [first, first]


def test_a_failure_on_the_way_leaves_the_keys_as_they_were(
    ring: KeyringFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ring.data_key("acme", "user-a", "2026-01")
    monkeypatch.setattr(keyring_file, "_BURY", "INSERT INTO nowhere VALUES (?, ?, ?, ?, ?, ?)")

    with pytest.raises(RetryableError):
        ring.destroy("acme", ["user-a"], ERASED)

    assert ring.key("acme", made.key_id) == made


def test_a_keyring_of_another_master_key_is_refused(ring: KeyringFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another master key"):
        KeyringFile(tmp_path / "ring", MasterKey(bytes(32)))


def test_rows_that_change_places_do_not_open(ring: KeyringFile, tmp_path: Path) -> None:
    first, second = (ring.data_key("acme", f"user-{name}", "2026-01") for name in "ab")
    wrapped = wrapped_of(tmp_path / "ring", second.key_id)
    with sqlite3.connect(tmp_path / "ring") as database:
        database.execute("UPDATE data_keys SET wrapped = ? WHERE key_id = ?", (wrapped, first.key_id))
    database.close()

    with pytest.raises(ConfigError, match="damaged"):
        ring.key("acme", first.key_id)


def test_a_file_that_others_may_read_or_that_is_none_is_refused(tmp_path: Path) -> None:
    open_to_all, junk = tmp_path / "open", tmp_path / "junk"
    KeyringFile(open_to_all, MASTER).close()
    open_to_all.chmod(0o640)
    junk.write_bytes(b"no database, but long enough to be looked at" * 100)
    junk.chmod(0o600)

    with pytest.raises(KeyFileError, match="mode 640"):
        KeyringFile(open_to_all, MASTER)
    with pytest.raises(ConfigError, match="no keyring"):
        KeyringFile(junk, MASTER)
