"""Addresses of the console: the search, range and tenant of a command, opened in the browser that is set."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from auditstream.cli.context import Context
from auditstream.cli.permalinks import open_event, open_events, open_live, open_run
from auditstream.cli.running import Deployment, Runtime
from auditstream.core.errors import RequestError
from auditstream.core.settings import Settings
from auditstream.query.grammar import parse
from auditstream.query.periods import Period

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
RUNS = Deployment(Settings(), Runtime(pid=1, console_url="http://127.0.0.1:8400/console/"))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


def parameters(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(address).query)


def test_a_search_is_opened_with_absolute_times(
    opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    open_events(Context(), RUNS, 'tool:"a b" -outcome:failure', Period(FIRST), 'acme "west"')
    (address,) = opened
    said = parameters(address)

    assert address.startswith("http://127.0.0.1:8400/console/events?q=")
    assert (said["from"], "since" in said) == (["2026-03-01T00:00:00Z"], False)
    assert datetime.fromisoformat(said["to"][0]) <= datetime.now(UTC)
    terms = parse(said["q"][0])
    assert [getattr(term, "value", "") for term in terms] == ["a b", "failure", 'acme "west"']
    assert capsys.readouterr() == ("", f"{address}\n")


def test_a_search_without_a_range_is_of_all_times(opened: list[str]) -> None:
    open_events(Context(quiet=True), RUNS, "", Period(), "")

    assert opened == ["http://127.0.0.1:8400/console/events?since=all"]


@pytest.mark.parametrize(
    ("act", "path"),
    [
        (lambda: open_event(Context(), RUNS, "events/0/0a/17"), "/events/events/0/0a/17"),
        (lambda: open_run(Context(), RUNS, "4bf9/../2"), "/runs/4bf9%2F..%2F2"),
        (lambda: open_live(Context(), RUNS, "outcome:failure", ""), "/live?q=outcome%3Afailure"),
    ],
    ids=["an event", "a run", "the tail"],
)
def test_pages_have_their_addresses(opened: list[str], act: Callable[[], None], path: str) -> None:
    act()

    assert opened == [f"http://127.0.0.1:8400/console{path}"]


def test_a_deployment_without_a_console_says_so() -> None:
    with pytest.raises(RequestError, match="no console"):
        open_live(Context(), Deployment(Settings()), "", "")


def test_the_browser_that_is_set_is_the_one_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.setattr("webbrowser._tryorder", None)
    open_run(Context(quiet=True), RUNS, "4bf9")

    assert (tmp_path / "opened").read_text().strip() == "http://127.0.0.1:8400/console/runs/4bf9"
    assert os.environ["BROWSER"].endswith("%s")
