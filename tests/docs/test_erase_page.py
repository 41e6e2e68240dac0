"""The pages on privacy: the commands run on a deployment with sealed events; the tables are the code's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.identity.attribute_names import known_names
from auditstream.identity.keys import opened_keys
from auditstream.identity.log_attributes import names_of_logs
from auditstream.query.reader import open_reader
from auditstream.reference.documents import Reading
from auditstream.reference.owners import Tenant
from tests.support.commands import started
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient
from tests.support.protected import said, send, settings_of

ROOT = Path(__file__).parents[2]
ERASE = (ROOT / "docs" / "how-to" / "erase.md").read_text(encoding="utf-8")
PRIVACY = (ROOT / "docs" / "explanation" / "privacy.md").read_text(encoding="utf-8")
PAGE_ID = "0197f3a0-1c2b-7d4e-8f00-123456789abc"
PROMPT = "Where is my parcel?"


def lines(page: str) -> list[str]:
    """Return the commands of a page."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line for block in blocks for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the page's commands are typed.

    Attributes:
        event_id: An event with sealed fields, in place of the page's.
        environment: Environment of the commands.
    """

    event_id: str
    environment: dict[str, str]

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the page."""
        return subprocess.run(
            ["sh", "-c", line.replace(PAGE_ID, self.event_id)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=patient(100),
            check=False,
        )


@pytest.fixture
def desk(tmp_path: Path, programs: ForkedPrograms) -> Iterator[Desk]:
    """A deployment that has recorded sealed events of the page's person."""
    programs.write("auditstream", "auditstream.cli.main", folder=tmp_path)
    with ExitStack() as stack:
        up = stack.enter_context(
            started("up", "--broker", "embedded", data_dir=tmp_path / "data", programs=programs)
        )
        up.wait_ready()
        settings = settings_of(up.data_dir)
        reader = stack.enter_context(closing(open_reader(settings.clickhouse)))
        event = said("ada@example.com", PROMPT, datetime.now(UTC))
        with opened_keys(settings, create=True) as keys:
            assert send(settings, keys, [event]) == 1
        sealed = "SELECT count() FROM events WHERE seal_key_id != ''"
        up.wait_until(
            lambda: reader.table(sql=sealed, parameters={}, doing="count").rows[0][0] == 1,
            within_s=60,
            what="a sealed event",
        )
        path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        yield Desk(
            str(event["event_id"]), os.environ | {"PATH": path, "AUDITSTREAM_DATA_DIR": str(up.data_dir)}
        )


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_do_what_it_says(desk: Desk) -> None:
    erase, search, unseal = lines(ERASE)

    opened = desk.run(unseal)
    erased, again = desk.run(erase), desk.run(erase)
    refused, found = desk.run(unseal), desk.run(search)

    assert (opened.returncode, PROMPT in opened.stdout) == (0, True), opened.stderr
    assert (erased.returncode, again.returncode) == (0, 0), erased.stderr
    assert "1 keys destroyed, 0 were before" in erased.stderr
    assert "0 keys destroyed, 1 were before" in again.stderr
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "GDPR art. 17(1)(a), request 31" in refused.stderr
    assert found.returncode == 0, found.stderr


def test_every_attribute_that_is_looked_at_is_on_the_page() -> None:
    table = PRIVACY.partition("| Attribute | Becomes |")[2]

    assert re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE) == [name for name, _ in known_names()]


def test_every_path_of_an_imported_record_that_is_looked_at_is_on_the_page() -> None:
    table = PRIVACY.partition("| Log | Persons | Addresses |")[2].partition("\n\n")[0]
    paths = re.findall(r"`([^`]+)`", table)

    assert paths == [name for _, name, _ in names_of_logs()]


def test_the_tenant_on_the_page_is_one() -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", PRIVACY, re.DOTALL)
    reading = Reading()
    reading.add(document, "page", now=datetime.now(UTC))

    assert reading.problems == []
    (stated,) = reading.stated
    assert isinstance(stated.fact, Tenant)
    assert (stated.fact.contents, stated.fact.readable_ids) == ("sealed", "sealed")
