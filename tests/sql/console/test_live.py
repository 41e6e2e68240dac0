"""The live tail's stream: that a role's number of tails bounds the console's as well."""

from __future__ import annotations

from collections.abc import Callable

from auditstream.access.principal import Principal
from auditstream.access.rates import TooManyRequestsError
from auditstream.access.tails import Tails
from auditstream.query.reader import Reader
from tests.support.console_house import ConsoleHouse


class AllOpen(Tails):
    """As many tails are open as anybody may have."""

    def open(self, who: Principal) -> Callable[[], None]:
        raise TooManyRequestsError(f"more than {who.limits.tails} live tails at a time", retry_after_s=1)


def test_a_tail_too_many_is_told_so_and_asked_to_come_back(recorded: Reader) -> None:
    house = ConsoleHouse(recorded, tails=AllOpen())
    with house.visitor("viewer", "acme") as browser:
        answer = browser.get("/parts/stream")

    assert answer.status_code == 200, "a browser gives up a stream that is refused"
    assert "event: busy\ndata: Waiting: More than 2 live tails at a time." in answer.text
    assert answer.text.startswith("retry: ")
    assert house.commands == []
