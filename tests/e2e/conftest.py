"""One demonstration and one browser for all tests of the console."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.browsing import Visitor, chromium, visitor
from tests.support.commands import ran, started
from tests.support.forked_programs import ForkedPrograms
from tests.support.processes import wait_until

_EVENTS = 2_000
_RECORDED_S = 180.0
_COUNTS_S = 20.0  # until a new token is known to the server


@dataclass(frozen=True, slots=True)
class House:
    """A running deployment.

    Attributes:
        data_dir: Its data folder.
        runtime: What its `runtime.json` says.
    """

    data_dir: Path
    runtime: dict[str, Any]

    @property
    def console(self) -> str:
        """The console's first address."""
        return str(self.runtime["console_url"])

    @property
    def token(self) -> str:
        """A token that may do everything."""
        return str(self.runtime["api_token"])


@pytest.fixture(scope="module")
def house(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A demonstration that has recorded its day; AUDITSTREAM_TEST_DEPLOYMENT names one that runs already."""
    running = os.environ.get("AUDITSTREAM_TEST_DEPLOYMENT")
    if running:
        yield House(Path(running), json.loads((Path(running) / "runtime.json").read_text(encoding="utf-8")))
        return
    folder = tmp_path_factory.mktemp("house") / "data"
    arguments = ("demo", "--broker", "embedded", "--events", str(_EVENTS))
    with started(*arguments, data_dir=folder, programs=programs) as command:
        command.wait_for("Ctrl-C ends it", within_s=_RECORDED_S)
        yield House(folder, command.wait_ready())


# No longer than a module: its event loop stays entered in this thread, where no other test could run its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    with chromium() as running:
        yield running


@pytest.fixture
def somebody(house: House, browser: Browser) -> Iterator[Visitor]:
    """Somebody at the console who may do everything."""
    with visitor(browser, house.console, house.token) as signed_in:
        yield signed_in


@pytest.fixture(scope="module")
def token_of(house: House, programs: ForkedPrograms) -> Callable[[str], str]:
    """Makes tokens that see every tenant, by role; each once."""
    made: dict[str, str] = {}

    def token(role: str) -> str:
        if role not in made:
            done = ran(
                "--output", "json", "tokens", "create", "--role", role, "--tenant", "*", "--expires", "1d",
                "--name", f"the {role}", data_dir=house.data_dir, programs=programs,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            made[role] = json.loads(done.stdout)["token"]
            wait_until(lambda: _counts(house, made[role]), within_s=_COUNTS_S, what=f"the {role}'s token")
        return made[role]

    return token


@pytest.fixture
def come_in(
    house: House, browser: Browser, token_of: Callable[[str], str]
) -> Callable[[str], AbstractContextManager[Visitor]]:
    """Lets in somebody of a role who sees every tenant, for the length of a block."""
    return lambda role: visitor(browser, house.console, token_of(role))


def _counts(house: House, token: str) -> bool:
    # Who is known is allowed it or not, without a question to the store.
    request = urllib.request.Request(
        f"{house.runtime['api_url']}/api/v1/exports", headers={"authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 403
