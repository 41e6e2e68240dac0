"""The access log over rows: who asked what, page by page, and nothing but questions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.access_log import Wanted, accesses, by_reader, next_page
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from tests.support.blocks import NOON, OTHER_LOG, block_of
from tests.support.stores import ClickHouseStore, OpenClient, reading

ALL = Wanted(period=Period())
COMMANDS = ("search", "search", "export", "costs", "show")


@pytest.fixture(scope="module")
def reader(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    """Five questions, a second apart, and three events that are none."""
    migrated.empty()
    migrated.insert(block_of(rows=3))
    migrated.insert(
        block_of(
            OTHER_LOG,
            rows=5,
            event_type="ai.data_access",
            event_time=[NOON + timedelta(seconds=each) for each in range(5)],
            tenant_id="",
            actor_id=["ann", "ann", "ann", "ben", "ben"],
            outcome=["SUCCESS", "SUCCESS", "SUCCESS", "BLOCKED", "SUCCESS"],
            attributes=[{"command": each, "role": "analyst", "tenant": "*"} for each in COMMANDS],
            data_access_tables=[["events_current"], ["events_current"], ["events_as_known", "logs"], [], []],
            data_access_rows=[None, None, 12, None, None],
            data_access_bytes=[None, None, 3_000, None, None],
            data_access_purpose=["", "", "audit", "", ""],
            data_access_destination=["", "", "console", "", ""],
            src_ip="192.0.2.7",
        )
    )
    with reading(engine, migrated) as opened:
        yield opened


def test_questions_come_newest_first_with_what_is_known_of_each(reader: Reader) -> None:
    found = accesses(reader, ALL)

    assert [each.command for each in found] == ["show", "costs", "export", "search", "search"]
    left = found[2]
    assert (left.reader, left.role, left.tenants, left.tables, left.rows, left.size_bytes) == (
        "ann", "analyst", "*", ("events_as_known", "logs"), 12, 3_000,
    )  # fmt: skip
    assert (left.purpose, left.destination, left.address) == ("audit", "console", "192.0.2.7")


def test_pages_hold_every_question_once(reader: Reader) -> None:
    wanted, ids = replace(ALL, limit=2), []
    while True:
        page = accesses(reader, wanted)
        ids += [each.event_id for each in page]
        after = next_page(page, wanted)
        if after is None:
            break
        wanted = replace(wanted, after=after)

    assert len(ids) == len(set(ids)) == 5


@pytest.mark.parametrize(
    ("narrower", "commands"),
    [
        ({"reader": "ben"}, ["show", "costs"]),
        ({"command": "search"}, ["search", "search"]),
        ({"blocked": True}, ["costs"]),
        ({"period": Period(NOON + timedelta(seconds=3))}, ["show", "costs"]),
        ({"reader": "ann' OR 1 --"}, []),
    ],
)
def test_what_is_asked_for_narrows_the_log(
    reader: Reader, narrower: dict[str, object], commands: list[str]
) -> None:
    assert [each.command for each in accesses(reader, replace(ALL, **narrower))] == commands  # type: ignore[arg-type]


def test_readers_are_counted_over_the_whole_range(reader: Reader) -> None:
    found = [(each.reader, each.questions, each.blocked, each.exported) for each in by_reader(reader, ALL)]

    assert found == [("ann", 3, 0, 12), ("ben", 2, 1, 0)]


def test_a_limit_out_of_range_is_refused(reader: Reader) -> None:
    with pytest.raises(RequestError, match="limit 0"):
        accesses(reader, replace(ALL, limit=0))
