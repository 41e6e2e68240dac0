"""A person is erased from a running deployment: no door opens what was sealed, and every leaf still
verifies."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import erase, prove, unseal, verify
from auditstream.core.clock import ManualClock
from auditstream.core.settings import Settings
from auditstream.identity.keyring import KeyDestroyedError
from auditstream.identity.keys import Keys, opened_keys
from auditstream.identity.opening import Sealed
from auditstream.identity.provisioning import Asking, provisioned
from auditstream.query.datums import decode_rows
from auditstream.query.events import show
from auditstream.query.reader import Reader, open_reader
from auditstream_sdk.sealing import Sealer
from tests.support.command_line import Run, command_line
from tests.support.commands import Command, started
from tests.support.forked_programs import ForkedPrograms
from tests.support.protected import SEALED, said, send, settings_of

PROMPT = "My diagnosis is on page 7"
AT = datetime.now(UTC)

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A running deployment with sealed events.

    Attributes:
        up: Its process.
        settings: What reaches it.
        command: Runs a command in this process.
        output: What it prints.
        reader: Reads the deployment's store.
        keys: Its keys, as a gateway holds them.
        clock: The clock of the gateway's memory.
        ada: Event ids of the person who will be erased.
        grace: Event ids of another.
    """

    up: Command
    settings: Settings
    command: Run
    output: pytest.CaptureFixture[str]
    reader: Reader
    keys: Keys
    clock: ManualClock
    ada: list[str]
    grace: list[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = self.command("--data-dir", self.up.data_dir, *arguments)
        return code, *self.output.readouterr()

    def count(self, where: str) -> int:
        found = self.reader.table(f"SELECT count() FROM events WHERE {where}", {}, doing="count")
        return int(found.rows[0][0])

    def wait(self, where: str, count: int) -> None:
        self.up.wait_until(lambda: self.count(where) >= count, within_s=60, what=f"{count} of {where}")

    def rows(self, event_id: str) -> list[dict[str, Any]]:
        """Return the rows of an event, as whoever reads the store has them."""
        return show(self.reader, event_id)


@pytest.fixture
def scene(
    programs: ForkedPrograms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Scene]:
    command = command_line(monkeypatch, erase, unseal, verify, prove)
    with ExitStack() as stack:
        up = stack.enter_context(
            started("up", "--broker", "embedded", data_dir=tmp_path / "data", programs=programs)
        )
        up.wait_ready()
        settings = settings_of(up.data_dir)
        reader = stack.enter_context(closing(open_reader(settings.clickhouse)))
        clock = ManualClock(0.0)
        keys = stack.enter_context(opened_keys(settings, create=True, now_s=clock.now_s))
        events = {person: [said(person, PROMPT, AT) for _ in range(3)] for person in ("ada", "grace")}
        assert send(settings, keys, [*events["ada"], *events["grace"]]) == 6
        ids = {person: [str(each["event_id"]) for each in of] for person, of in events.items()}
        found = Scene(up, settings, command, capsys, reader, keys, clock, ids["ada"], ids["grace"])
        found.wait("seal_key_id != ''", 6)
        yield found


def test_after_an_erasure_no_door_opens_and_every_leaf_verifies(scene: Scene, tmp_path: Path) -> None:
    """One test, because a start takes seconds."""
    code, out, err = scene.run("unseal", scene.ada[0], "--tenant", "acme", "--purpose", "incident 12")
    assert code == 0, err
    opened = json.loads(out)
    assert (opened["content.input"], opened["actor_id"], opened["src_ip"]) == (PROMPT, "ada", "203.0.113.77")
    scene.wait("event_type = 'ai.data_access' AND data_access_purpose = 'incident 12'", 1)

    edge_clock = ManualClock(0.0)
    asking = Asking("acme", edge_keys=True, policy=SEALED)
    edge = Sealer(
        lambda request: provisioned(scene.keys, asking, request, now=datetime.now(UTC), lifetime_s=60.0),
        now_s=edge_clock.now_s,
    )
    at_the_edge = {"event_id": scene.ada[0], "event_time": AT, "actor_type": "USER", "actor_id": "ada"}
    assert edge.protect(at_the_edge)["seal_key_id"] == opened["seal_key_id"]
    backup = tmp_path / "backup"
    shutil.copytree(scene.up.data_dir / "keys", backup)

    # Nobody can keep others from reading by a made-up certificate.
    forged = {"subject_id": "user-x", "activity": "destroy", "scopes": [opened["seal_key_id"]]}
    source = {"source": "urn:auditstream:erase", "credential_id": "key-of-a-producer"}
    key_event = {"event_type": "ai.key.lifecycle", "access": forged, "attributes": {}, **source}
    assert send(scene.settings, scene.keys, [said("mallory", "", AT, **key_event)]) == 1
    scene.wait("credential_id = 'key-of-a-producer'", 1)
    assert scene.run("unseal", scene.ada[0])[0] == 0

    code, out, err = scene.run(
        "erase", "--tenant", "acme", "--subject", "ada", "--ground", "GDPR art. 17(1)(a), request 31"
    )

    assert code == 0, err
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (row["key_id"], row["month"], row["sealed_events"]) == (opened["seal_key_id"], f"{AT:%Y-%m}", 3)
    assert row["destroyed_at"]
    assert "1 keys destroyed, 0 were before" in err
    # The certificate is an event like any other.
    scene.wait("event_type = 'ai.key.lifecycle' AND credential_id = ''", 1)

    # The command.
    for event_id in scene.ada:
        code, out, err = scene.run("unseal", event_id)
        assert (code, out) == (4, "")
        assert "GDPR art. 17(1)(a), request 31" in err
    assert scene.run("unseal", scene.grace[0])[0] == 0
    # The gateway, whose memory of the key is over by then.
    (datum,) = asyncio.run(decode_rows(scene.rows(scene.ada[0])[:1], scene.settings.registry))
    assert datum is not None
    sealed = Sealed.of(datum)
    scene.clock.advance(scene.settings.keys.cache_s)
    with pytest.raises(KeyDestroyedError):
        sealed.opened(scene.keys.ring)
    late = said("ada", PROMPT, AT)
    assert send(scene.settings, scene.keys, [late]) == 1
    scene.wait("seal_key_id = '' AND attributes['privacy.dropped'] != ''", 1)
    # The SDK, likewise.
    edge_clock.advance(60.0)
    assert "sealed" not in edge.protect(at_the_edge)
    # The keyring of a backup: the record knows that the key was destroyed, and the command asks it.
    kept = tmp_path / "kept"
    shutil.move(scene.up.data_dir / "keys", kept)
    shutil.copytree(backup, scene.up.data_dir / "keys")
    code, out, err = scene.run("unseal", scene.ada[0])
    assert (code, out) == (5, "")
    assert "was erased at" in err
    assert scene.run("unseal", scene.grace[0])[0] == 0
    # Doing it again is what makes the backup forget, and harmless where it was done.
    again = ("erase", "--tenant", "acme", "--subject", "ada", "--ground", "restored from a backup")
    for expected in ("1 keys destroyed, 0 were before", "0 keys destroyed, 1 were before"):
        code, _, err = scene.run(*again)
        assert (code, expected in err) == (0, True), err
    assert scene.run("unseal", scene.ada[0])[0] == 4

    # What is recorded is as it was: rows, counts, leaves, proofs.
    assert scene.count("event_type = 'ai.inference'") == 7
    assert scene.rows(scene.ada[0])[0]["sealed"] != {}
    scene.wait("event_type = 'ai.key.lifecycle' AND credential_id = ''", 3)
    for command in (("verify",), ("verify", "--deep"), ("prove", scene.ada[0])):
        code, out, err = scene.run(*command)
        assert code == 0, (command, err)
