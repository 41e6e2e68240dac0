"""A data path has one owner, and the lock tells who it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_lock import OwnerLock, PathOwnedError


def test_a_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    file = tmp_path / "owner.pid"
    with OwnerLock(file), pytest.raises(PathOwnedError) as caught:
        OwnerLock(file)

    assert str(caught.value) == f"{tmp_path} is owned by process {os.getpid()}"
    assert caught.value.exit_code == 78


def test_the_next_owner_follows_the_last(tmp_path: Path) -> None:
    file = tmp_path / "owner.pid"
    file.write_text("99999999999999999999999999 of a process that was killed\n")
    for _ in range(2):
        with OwnerLock(file):
            assert file.read_text() == f"{os.getpid()}\n"


def test_the_file_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "owner.pid"
    with OwnerLock(file):
        assert file.stat().st_mode & 0o777 == 0o600
