"""The spool: what is appended comes back in order, what is cut off is counted, and it has a bound."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from auditstream.emit.access_spool import Spool, SpoolFullError

RECORDS = [b"one", b"two" * 100, b"three"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access" / "spool"


def drained(spool: Spool) -> tuple[tuple[bytes, ...], int]:
    with spool.drained() as found:
        return found.records, found.torn


def test_what_was_appended_comes_back_once_and_in_order(path: Path) -> None:
    spool = Spool(path, 10_000)
    spool.append(RECORDS[:1])
    Spool(path, 10_000).append(RECORDS[1:])  # as another process

    assert drained(spool) == (tuple(RECORDS), 0)
    assert spool.is_empty
    assert drained(spool) == ((), 0)


def test_what_could_not_be_sent_stays(path: Path) -> None:
    spool = Spool(path, 10_000)
    spool.append(RECORDS)

    with pytest.raises(OSError, match="away"), spool.drained():
        raise OSError("away")

    assert drained(spool) == (tuple(RECORDS), 0)


@pytest.mark.parametrize("cut", [1, 5, 9, 12])
def test_a_record_that_was_cut_off_is_counted_once(path: Path, cut: int) -> None:
    spool = Spool(path, 10_000)
    spool.append(RECORDS)
    path.write_bytes(path.read_bytes()[:-cut])

    assert drained(spool) == (tuple(RECORDS[:2]), 1)


def test_appending_after_a_cut_keeps_the_count(path: Path) -> None:
    spool = Spool(path, 10_000)
    spool.append(RECORDS)
    path.write_bytes(path.read_bytes()[:-2])

    spool.append([b"four"])

    assert drained(spool) == ((*RECORDS[:2], b"four"), 1)


def test_damage_ends_what_is_read(path: Path) -> None:
    spool = Spool(path, 10_000)
    spool.append(RECORDS)
    data = bytearray(path.read_bytes())
    data[8] ^= 1  # in the first record
    path.write_bytes(bytes(data))

    assert drained(spool) == ((), 1)


def test_a_full_spool_takes_nothing_and_keeps_what_it_has(path: Path) -> None:
    spool = Spool(path, 100)
    spool.append([b"x" * 80])

    with pytest.raises(SpoolFullError, match="at most 100"):
        spool.append([b"y" * 10])

    assert drained(spool) == ((b"x" * 80,), 0)


def test_nobody_else_may_read_it(path: Path) -> None:
    Spool(path, 1_000).append([b"x"])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
