"""Values beside events: those open from the start in one pass, each by itself where that is too slow."""

from __future__ import annotations

import re
from typing import Any

import pytest

from auditstream.core.errors import StoreTimeoutError
from auditstream.query import facets
from auditstream.query.events import Search
from auditstream.query.reader import Reader, Table
from tests.support.console_house import ConsoleHouse

PART = {"hx-request": "true"}
OPEN = ["Outcome", "Kind", "Model", "Agent", "Tenant"]
ALL_TIME = "since=all&q=outcome%3Afailure"


def counted(part: str) -> dict[str, list[tuple[str, int]]]:
    """Return values with their counts by label."""
    found = {}
    for label, body in re.findall(r"<summary><h2>([^<]+)</h2>.*?</summary>(.*?)</details>", part, re.DOTALL):
        values = re.findall(r'<span class="text">([^<]*)</span><span class="number">([\d,]+)</span>', body)
        found[label] = [(text, int(events.replace(",", ""))) for text, events in values]
    return found


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute instead of a second: what is counted must not hang on how busy the machine is."""
    for each in (facets.facets, facets.facets_in_one_pass):
        monkeypatch.setitem(each.__kwdefaults__, "limit_s", 60.0)


class Slow:
    """A reader that is stopped at what counts several fields at once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.asked: list[str] = []

    def table(self, sql: str, parameters: Any, *, doing: str, **more: Any) -> Table:
        self.asked.append(doing)
        if doing == "facets":
            raise StoreTimeoutError("facets: stopped at the limit")
        return self._reader.table(sql, parameters, doing=doing, **more)


def test_what_is_open_from_the_start_is_one_question_and_says_what_each_alone_does(
    house: ConsoleHouse,
) -> None:
    with house.visitor() as browser:
        page = browser.get(f"/events?{ALL_TIME}").text
        house.told.events.clear()
        together = counted(browser.get(f"/parts/facets?{ALL_TIME}", headers=PART).text)
        asked = list(house.commands)
        alone = {
            label: counted(
                f"<summary><h2>{label}</h2></summary>"
                + browser.get(f"/parts/facet?{ALL_TIME}&field={field}", headers=PART).text
                + "</details>"
            )[label]
            for label, field in zip(OPEN, ("outcome", "type", "model", "agent", "tenant"), strict=True)
        }

    assert asked == ["facets"]
    assert list(together) == OPEN
    assert together == alone
    assert together["Outcome"] == [("failure", 45)]
    assert page.count('hx-get="/parts/facets?') == 1
    assert "field=outcome" not in page
    assert page.count("toggle from:") == len(facets.SUGGESTED) - len(OPEN)


def test_where_one_pass_is_too_slow_each_field_is_asked_and_given_up_by_itself(
    house: ConsoleHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "facets_in_one_pass", lambda *_, **__: None)
    with house.visitor() as browser:
        part = browser.get(f"/parts/facets?{ALL_TIME}", headers=PART).text

    urls = re.findall(r'hx-get="([^"]+)" hx-trigger="load delay:(\d+)ms"', part)
    assert [re.findall(r"field=(\w+)", url)[0] for url, _ in urls] == [
        "outcome",
        "type",
        "model",
        "agent",
        "tenant",
    ]
    assert sorted({int(delay) for _, delay in urls}) == [0, 150, 300, 450, 600]


def test_one_pass_that_is_stopped_is_told_and_asks_nothing_more(recorded: Reader) -> None:
    slow: Any = Slow(recorded)
    fields = ("outcome", "model")

    assert facets.facets_in_one_pass(slow, Search(), fields) is None
    assert slow.asked.count("facets") == 1
    assert [each for each in slow.asked if each.startswith("facet ")] == []
    # `facets`, which the API asks, goes on by itself: each field within a time of its own.
    assert [each.in_time for each in facets.facets(slow, Search(), fields)] == [True, True]


def test_values_are_of_ones_own_tenants_and_a_fault_is_told_in_their_place(house: ConsoleHouse) -> None:
    with house.visitor("analyst", "acme") as browser:
        own = browser.get("/parts/facets?since=all", headers=PART).text
        wrong = browser.get("/parts/facets?since=all&q=modle:x", headers=PART)
        plain = browser.get("/parts/facets?since=all").text
        page = browser.get("/events?since=all").text

    assert list(counted(own)) == [each for each in OPEN if each != "Tenant"], "there is one tenant alone"
    assert "globex" not in own
    assert wrong.status_code == 400
    assert "unknown field modle" in wrong.text.lower()
    assert "acme-model" in plain, "a page of its own without script"
    assert 'href="/parts/facets?since=all">Count the values</a>' in page
