"""What an address may say by mistake is answered or refused; no page breaks over it."""

from __future__ import annotations

import pytest

from tests.support.console_house import ConsoleHouse


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/usage", {"tenant": "no'body"}, 200),
        ("/parts/series", {"tenant": "no'body"}, 200),
        ("/parts/series", {"from": "0001-01-01"}, 200),
        ("/usage", {"to": "0001-02-01"}, 400),
        ("/usage/units", {"from": "9999-01-01"}, 400),
        ("/parts/histogram", {"from": "0001-01-01"}, 200),
        ("/parts/histogram", {"to": "9999-12-31"}, 200),
        ("/parts/facets", {"from": "0001-01-01"}, 200),
        ("/events", {"q": "time>9999-12-31T23:59:59-12:00"}, 400),
        ("/events", {"q": "cost>99999999999999999"}, 200),
        ("/runs", {"q": "input_tokens>1e999999999"}, 400),
        ("/assets", {"from": "0001-01-01"}, 200),
        ("/prompts", {"to": "0001-01-01"}, 200),
        ("/findings", {"from": "0001-01-01", "to": "9999-12-31"}, 200),
        ("/accesses", {"to": "9999-12-31"}, 200),
    ],
)
def test_no_page_breaks_over_what_an_address_says(
    house: ConsoleHouse, path: str, parameters: dict[str, str], status: int
) -> None:
    with house.visitor("admin") as browser:
        answer = browser.get(path, params=parameters)

    assert answer.status_code == status, answer.text


def test_whose_session_is_over_comes_back_to_the_page_that_a_part_was_for(house: ConsoleHouse) -> None:
    asked = {
        "hx-request": "true",
        "hx-current-url": "http://testserver/events?q=type%3Aai.inference&since=7d",
    }
    with house.visitor("viewer") as browser:
        browser.cookies.clear()
        answer = browser.get("/parts/histogram", headers=asked)
        door = browser.get(answer.headers["hx-redirect"])

    assert answer.status_code == 401
    assert 'value="/events?q=type%3Aai.inference&amp;since=7d"' in door.text
