"""The store that searches are measured in: what it is filled with, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from auditstream.core.errors import RequestError
from benchmarks.search_store import DAYS, filled_store, settings_of
from sinks.clients import http_client

EVENTS = 3_000
FACTS = """
SELECT count(), uniqExact(event_id), uniqExact(leaf_index), uniqExact(toDate(event_time)), uniqExact(trace_id)
FROM {table:Identifier}"""
PARTS = """
SELECT table, count() FROM system.parts
WHERE active AND database = currentDatabase() AND table IN ('events', 'events_plain')
GROUP BY table ORDER BY table"""
DIFFERENT = "SELECT count() FROM (SELECT * FROM events EXCEPT SELECT * FROM events_plain)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where stores are made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_days_lie_as_if_merged_each_event_is_there_once_and_the_copy_has_the_same(folder: Path) -> None:
    told: list[str] = []
    with (
        filled_store(EVENTS, told.append) as store,
        closing(http_client(settings_of(store))) as client,
    ):
        for table in ("events", "events_plain"):
            facts = client.query(FACTS, {"table": table}).result_rows
            assert facts == [(EVENTS, EVENTS, EVENTS, DAYS, EVENTS // 6)]
        assert client.query(PARTS).result_rows == [("events", DAYS), ("events_plain", DAYS)]
        assert client.query(DIFFERENT).result_rows == [(0,)]
    assert str(folder) in told[0]
    assert len([line for line in told if line.startswith("filled")]) == DAYS
    assert not list(folder.iterdir())


def test_nothing_is_left_of_a_store_that_is_given_up_while_it_is_filled(folder: Path) -> None:
    pids: list[int] = []

    def give_up(text: str) -> None:
        if text.startswith("filled 1 "):
            pids.extend(int(path.parent.name) for path in _processes(folder))
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit), filled_store(EVENTS, give_up):
        pass

    assert pids
    assert not list(folder.iterdir())
    assert not list(_processes(folder))


def _processes(folder: Path) -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in path.read_bytes():
                found.append(path)
        except OSError:  # ended meanwhile
            continue
    return found


@pytest.mark.parametrize(("events", "why"), [(DAYS - 1, "fewer than"), (10**15, "GB")])
def test_what_cannot_be_filled_is_refused_before_anything_is_started(
    folder: Path, events: int, why: str
) -> None:
    with pytest.raises(RequestError, match=why), filled_store(events, lambda text: None):
        pass
    assert not list(folder.iterdir())
