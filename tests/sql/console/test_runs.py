"""The list of agent runs, a page after the other."""

from __future__ import annotations

import re
from html import unescape

import pytest

from auditstream.console.screens import runs
from tests.support.console_house import ConsoleHouse


def runs_of(page: str) -> list[str]:
    return re.findall(r'href="/runs/(\w+)"', page)


def test_older_runs_are_a_page_further_each_once(
    house: ConsoleHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with house.visitor("viewer") as browser:
        everything = runs_of(browser.get("/runs?since=all").text)
        monkeypatch.setattr(runs, "_ROWS", 1)
        link, found = "/runs?since=all", list[str]()
        while link:
            page = browser.get(link).text
            found += runs_of(page)
            (link, *_) = [unescape(each) for each in re.findall(r'href="([^"]+)" data-key="n"', page)] or [""]

    assert len(everything) > 1
    assert found == everything
