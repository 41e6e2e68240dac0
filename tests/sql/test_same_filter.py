"""One filter gives the same rows in the console, by the API, as the command line asks, and in SQL by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from auditstream.console.application import create_console
from auditstream.console.screens import events as events_screen
from auditstream.console.visits import Parts
from auditstream.core.settings import Settings
from auditstream.query import events
from auditstream.query.grammar import parse
from auditstream.query.reader import Reader
from tests.support.api_house import ROWS, TENANTS, ApiHouse, rows_of_three_tenants
from tests.support.stores import ClickHouseStore, OpenClient, reading

FILTERS = 50
ALL = 10 * ROWS


@pytest.fixture(scope="module")
def reader(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    migrated.empty()
    migrated.insert(rows_of_three_tenants())
    with reading(engine, migrated) as opened:
        yield opened


def term(chance: random.Random) -> tuple[str, str]:
    """Return a term as a person writes it, and the condition that it means, by hand."""
    tenant = chance.choice(TENANTS)
    number = chance.randrange(12)
    second = chance.randrange(ROWS)
    text, sql = chance.choice((
        (f"tenant:{tenant}", f"tenant_id = '{tenant}'"),
        (f"agent:{tenant}-agent", f"(agent_id = '{tenant}-agent' OR agent_name = '{tenant}-agent')"),
        (f'user:"{tenant}-person"', f"actor_id = '{tenant}-person'"),
        (f"outcome:{chance.choice(('success', 'FAILURE'))}", ""),
        (f"input_tokens>{number}", f"input_tokens > {number}"),
        (f"input_tokens<={number}", f"input_tokens <= {number}"),
        (f"cost<0.{number}", f"cost_effective < toDecimal128('0.{number}', 12)"),
        (f"time>=2026-01-02T12:{second // 60:02d}:{second % 60:02d}Z",
         f"event_time >= toDateTime64('2026-01-02 12:{second // 60:02d}:{second % 60:02d}', 6, 'UTC')"),
        (f"trace:{number % 10:032x}", f"trace_id = '{number % 10:032x}'"),
        (f"{tenant}-tool", f"tool_name = '{tenant}-tool'"),
    ))  # fmt: skip
    sql = sql or f"outcome = '{text.partition(':')[2].upper()}'"
    return (f"-{text}", f"NOT ({sql})") if chance.random() < 0.3 else (text, sql)


def test_one_filter_gives_the_same_rows_everywhere(
    reader: Reader, migrated: ClickHouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_screen, "ROWS", ALL)
    house = ApiHouse(reader)
    console = create_console(
        Parts(
            desk=house.desk,
            entry=house.entry,
            evidence=house.parts.evidence,
            publish=house.published.extend,
            settings=Settings(),
        )
    )
    chance = random.Random(8)
    sizes = set()
    token = house.token("admin", "*")
    with TestClient(console) as browser, house.client(token) as api:
        browser.post("/sign-in", data={"token": token}, headers={"origin": "http://testserver"})
        for _ in range(FILTERS):
            terms = [term(chance) for _ in range(chance.randint(1, 3))]
            query = " ".join(text for text, _ in terms)
            where = " AND ".join(sql for _, sql in terms)
            house.clock.advance(60.0)  # who asks at this pace is not asked to wait
            asked = {"q": query, "since": "all"}

            wanted = migrated.ask(f"SELECT event_id FROM events WHERE {where} ORDER BY event_time DESC")
            by_sql = [str(row[0]) for row in wanted]
            page = browser.get("/events", params=asked).text
            bars = browser.get("/parts/histogram", params=asked, headers={"hx-request": "true"}).text
            rows = api.get("/api/v1/events", params={"q": query, "limit": ALL}).json()["data"]
            found = events.search(reader, events.Search(parse(query), limit=ALL))

            assert re.findall(r'data-peek="([^"]+)"', page) == by_sql, query
            assert re.findall(r"<h2>([\d,]+) event", bars) == [str(len(by_sql))], query
            assert [row["event_id"] for row in rows] == by_sql, query
            assert [str(row["event_id"]) for row in found.records()] == by_sql, query
            sizes.add(len(by_sql))
    assert len(sizes) > FILTERS / 10  # they do not all find nothing, or all
