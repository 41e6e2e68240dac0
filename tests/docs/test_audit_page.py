"""The auditor's page: its commands run, in order, on a sealed record; its SQL gives the published bytes."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditstream.embedded.clickhouse_process import start_clickhouse
from auditstream.embedded.registry import start_registry
from sinks.clients import http_client
from tests.support.engines import settings_of
from tests.support.evidence import LOGS, Sealed, policy_text, sealed_deployment, vkeys
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "audit.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE)
]
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
SOME_HASH = re.compile(r"\b[0-9a-f]{64}\b")

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Auditor:
    """Where the page's commands are typed.

    Attributes:
        sealed: The record.
        folder: The working folder, with keys and policy as the operator has handed them over.
        environment: Environment of the commands.
    """

    sealed: Sealed
    folder: Path
    environment: dict[str, str]

    def run(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the page."""
        return subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=patient(200),
            check=False,
        )


@pytest.fixture(scope="module")
def auditor(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Auditor]:
    """A sealed record behind a store and a registry, and an auditor's folder."""
    base = tmp_path_factory.mktemp("audit")
    folder, commands = base / "folder", base / "bin"
    folder.mkdir()
    commands.mkdir()
    programs.write("auditstream", "auditstream.cli.main", folder=commands)
    programs.write("auditstream-verify", "auditstream_verify.command", folder=commands)
    with start_clickhouse(base / "clickhouse") as running, start_registry(base / "registry") as registry:
        settings = {"AUDITSTREAM_REGISTRY__URL": registry.url}
        # There is no Kafka here to tell of readings.
        settings |= {"AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY": "spool", "AUDITSTREAM_ACCESS__WITHIN_S": "0.5"}

        def open_client(database: str):
            return http_client(settings_of(running, database))

        with sealed_deployment(open_client, folder / ".auditstream") as sealed:
            store = settings_of(running, str(sealed.store.client.database))
            settings |= {
                f"AUDITSTREAM_CLICKHOUSE__{name.upper()}": str(getattr(store, name))
                for name in ("host", "port", "user", "database")
            }
            settings["AUDITSTREAM_CLICKHOUSE__PASSWORD"] = store.password.get_secret_value()
            settings["AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY"] = "spool"
            settings["AUDITSTREAM_ACCESS__WITHIN_S"] = "1"
            settings["AUDITSTREAM_KAFKA__BROKERS"] = "127.0.0.1:1"
            settings["AUDITSTREAM_EVIDENCE__HOST"] = "audit.example"
            settings["AUDITSTREAM_EVIDENCE__DEPLOYMENT"] = "test"
            (folder / "vkeys.txt").write_bytes(vkeys().to_bytes())
            (folder / "policy.txt").write_bytes(policy_text())
            path = f"{commands}{os.pathsep}{os.environ['PATH']}"
            yield Auditor(sealed, folder, os.environ | settings | {"PATH": path})


def test_the_commands_of_the_page_work_one_after_the_other(auditor: Auditor) -> None:
    value_hash = auditor.sealed.store.value(
        "SELECT lower(hex(SHA256(raw))) FROM events "
        "WHERE leaf_kind = 1 AND NOT raw_null ORDER BY leaf_index LIMIT 1"
    )
    assert len(COMMANDS) == 9
    for line in COMMANDS:
        done = auditor.run(SOME_HASH.sub(value_hash, line))
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"

    assert "holds: 900 leaves in 2 logs" in auditor.run("auditstream-verify bundle --vkeys vkeys.txt").stdout
    assert (auditor.folder / "event.tlog-proof").read_bytes().startswith(b"c2sp.org/tlog-proof@v1\n")
    exported = auditor.sealed.store.ask("SELECT kind, rows FROM exports")
    assert exported == [("evidence", 900)]


def test_what_does_not_hold_ends_with_3_and_names_the_leaf_as_the_page_says(auditor: Auditor) -> None:
    change = (
        "ALTER TABLE events UPDATE kafka_offset = {} WHERE leaf_index = 77 AND kafka_partition = 0 "
        "SETTINGS mutations_sync = 2"
    )
    auditor.sealed.store.client.command(change.format(5000))
    try:
        done = auditor.run("auditstream verify")
        refused = auditor.run(f"auditstream prove {LOGS[0]}/77")
    finally:
        auditor.sealed.store.client.command(change.format(77))

    shown = re.search(r"leaf 77: .*", PAGE)
    assert shown
    assert done.returncode == 3
    assert shown[0] in done.stderr
    assert (refused.returncode, "kafka_offset: sealed 77, recorded 5000" in refused.stderr) == (3, True)


def test_the_sql_of_the_page_gives_a_tile_and_a_root(auditor: Auditor) -> None:
    client, root = auditor.sealed.store.client, auditor.sealed.root / str(LOGS[0])
    tile, node = QUERIES

    found = client.query(tile, query_formats={"String": "bytes"}).result_rows[0][0]
    top = client.query(node).result_rows[0][0]

    assert found == (root / "tile/0/000").read_bytes()
    assert top == (root / "tile/1/000.p/2").read_bytes()[:32]
