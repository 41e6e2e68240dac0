"""The console over an embedded store, with people of every role at its door."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from starlette.testclient import TestClient

from auditstream.access.evidence_questions import Evidence
from auditstream.access.export_jobs import ExportJobs
from auditstream.access.jobs import Advance, Job, Outcome
from auditstream.access.principal import Principal
from auditstream.access.reach import Reach
from auditstream.access.roles import Role
from auditstream.console.application import create_console
from auditstream.console.visits import Parts
from auditstream.core.ports import Outbound
from auditstream.core.settings import Settings
from auditstream.query.lag import PartitionLag
from auditstream.query.reader import Reader
from tests.support.api_house import ApiHouse

OWN = {"origin": "http://testserver"}
"""What a browser sends with a form of one of our own pages."""


_WITHIN_S = 60


class KafkaHeard:
    """Hears what is sent, or refuses to be sent to."""

    def __init__(self) -> None:
        self.heard: list[tuple[Outbound, int]] = []
        self.refuses: Exception | None = None

    def send(self, message: Outbound, *, partition: int) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.heard.append((message, partition))

    def finish(self) -> None:
        pass


class ConsoleHouse:
    """A console, and whom it reaches.

    Args:
        store: Reads the store.
        reach: More of what its acts reach, by name.
    """

    def __init__(self, store: Reader, **reach: Any) -> None:
        self.house = ApiHouse(store)
        self.told = self.house.told
        self.kafka = KafkaHeard()
        self.lags: list[PartitionLag] = []
        self.evidence: Evidence = self.house.parts.evidence

        @contextmanager
        def way() -> Iterator[KafkaHeard]:
            yield self.kafka

        known = {"facts": self.house.lent_facts, "lags": lambda: self.lags, "way": way, **reach}
        self.parts = Parts(
            desk=self.house.desk,
            entry=self.house.entry,
            evidence=lambda: self.evidence(),
            publish=self.house.published.extend,
            settings=Settings(),
            reach=Reach(**known),
        )
        self.app = create_console(self.parts)

    @contextmanager
    def visitor(self, role: str = "security", *tenants: str) -> Iterator[TestClient]:
        """Lend a browser of somebody who has signed in; who sees every tenant where none is named."""
        token = self.house.token(role, *(tenants or ("*",)))
        with TestClient(self.app, follow_redirects=False, raise_server_exceptions=False) as browser:
            answer = browser.post("/sign-in", data={"token": token}, headers=OWN)
            assert answer.status_code == 303
            self.told.events.clear()
            yield browser

    def write_exports(self, jobs: ExportJobs) -> None:
        """Have exports written."""
        self.parts = replace(self.parts, reach=replace(self.parts.reach, exports=jobs))
        self.app = create_console(self.parts)

    def finish_exports(self) -> None:
        """Return once every export is over."""
        jobs = self.parts.reach.exports
        assert jobs is not None
        everybody = Principal(id="", name="", role=Role.ADMIN, tenants=None)
        for each in jobs.list(everybody):
            jobs.wait(each.export_id, _WITHIN_S)

    def finish_jobs(self) -> None:
        """Return once every job that was begun is over."""
        over = threading.Event()
        nobody = Principal(id="", name="", role=Role.ADMIN, tenants=None)

        def last(_: Job, __: Advance) -> Outcome:
            over.set()
            return {}

        self.parts.reach.jobs.begin("last", nobody, {}, last)
        assert over.wait(_WITHIN_S)

    @property
    def commands(self) -> list[str]:
        """What was told of, by command."""
        asked = [each for each in self.told.events if each["event_type"] == "ai.data_access"]
        return [each["attributes"]["command"] for each in asked]


def submitted(browser: TestClient, page: str, action: str, **fields: str) -> Any:
    """Send the form of a page, with its hidden fields, as a browser does without script.

    Args:
        browser: Who has the page open.
        page: Path of the page.
        action: Path that the form is sent to.
        fields: What is filled in.
    """
    text = browser.get(page).text
    form = next(
        each for each in re.findall(r"<form.*?</form>", text, re.DOTALL) if f'action="{action}"' in each
    )
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return browser.post(action, data={**dict(hidden), **fields}, headers=OWN)


def form_token(browser: TestClient) -> str:
    """Return what forms of somebody's pages send along."""
    return browser.get("/searches").text.split('name="form_token" value="')[1].split('"')[0]
