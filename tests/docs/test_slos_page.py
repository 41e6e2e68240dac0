"""The page of objectives: its commands on a deployment give the figures made by hand, and are told of."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from auditstream.core.ids import uuid7
from schemas.codec import decode
from schemas.packaged import schema_json
from tests.support.commands import Command, started
from tests.support.forked_programs import ForkedPrograms
from tests.support.patience import patient
from tests.support.protected import settings_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "slos.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w.-]+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
LINES = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
TABLE = re.search(r"^\| \| search-answers \| search-verified \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Scene:
    """A deployment that watches every second, and a shell that finds it."""

    up: Command
    folder: Path
    environment: dict[str, str]

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=patient(100),
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def sql(self, statement: str) -> list[dict[str, Any]]:
        out = self.run(f"auditstream sql {shlex.quote(statement)}")
        return [json.loads(line) for line in out.splitlines()]

    def signal(self) -> dict[str, Any]:
        """Return the first signal to gateways."""
        settings = settings_of(self.up.data_dir)
        consumer = Consumer(
            {
                "bootstrap.servers": settings.kafka.brokers,
                "group.id": f"{uuid7()}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([settings.kafka.signals_topic])
        try:
            message = consumer.poll(60)
        finally:
            consumer.close()
        assert message is not None
        value = message.value()
        assert value is not None
        return decode(value[5:], schema_json("signal"))


@pytest.fixture(scope="module")
def scene(programs: ForkedPrograms, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("page")
    programs.write("auditstream", "auditstream.cli.main", folder=folder)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    data_dir = tmp_path_factory.mktemp("up") / "data"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "AUDITSTREAM_DATA_DIR": str(data_dir)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDITSTREAM_SLOS__EVERY_S", "1")
        with started("up", "--broker", "embedded", data_dir=data_dir, programs=programs) as up:
            up.wait_ready(within_s=120)
            yield Scene(up, folder, environment)


def figure(cell: str) -> str:
    return cell.partition(" = ")[0].strip()


def test_the_page_is_true(scene: Scene) -> None:
    assert list(FILES) == ["slos.yaml", "calls.sh", "openslo.yaml"]
    assert TABLE is not None
    for line in LINES[:2]:
        scene.run(line)
    count = "SELECT count() AS n FROM events WHERE source = 'urn:example'"
    scene.up.wait_until(lambda: scene.sql(count)[0]["n"] == 450, within_s=100, what="calls recorded")
    scene.run(LINES[2])  # of a part of the calls the share that failed may be another

    def reported() -> dict[str, dict[str, str]]:
        return {row["slo_id"]: row for row in csv.DictReader(scene.run(LINES[3]).splitlines())}

    def is_settled() -> bool:
        return reported()["search-verified"]["valid"] == "285"

    scene.up.wait_until(is_settled, within_s=120, what="outputs that the record has had for a minute")
    rows = reported()
    for line in TABLE[1].splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        for slo_id, cell in zip(("search-answers", "search-verified"), cells, strict=True):
            found, expected = rows[slo_id][name], figure(cell)
            assert found == expected or Decimal(found) == Decimal(expected), (slo_id, name)

    (day,) = csv.DictReader(scene.run(LINES[4]).splitlines())
    assert (day["bad"], Decimal(day["spent_pct"])) == ("15", Decimal(500))
    (covered,) = csv.DictReader(scene.run(LINES[5]).splitlines())
    assert (covered["model"], covered["outputs"], covered["verified"]) == ("gpt-4o", "285", "135")
    scene.run(LINES[6])
    assert "search-verified: verification_coverage" in (scene.folder / "slos.html").read_text()

    # As each was told first: what goes on has further versions.
    columns = "metric, severity, status, tier, scope"
    told = f"SELECT {columns} FROM findings WHERE rule_id = 'slo.burn' AND version = 0 ORDER BY metric"
    scene.up.wait_until(lambda: len(scene.sql(told)) >= 2, within_s=60, what="findings")
    burn, budget = scene.sql(told)
    assert (burn["metric"], burn["severity"], burn["tier"]) == ("availability", 3, "ticket_fast")
    assert (budget["metric"], budget["severity"], budget["status"]) == ("availability_budget", 4, "NEW")
    assert budget["scope"] == "slo=search-answers/feature_id=search"
    signal = scene.signal()
    assert (signal["kind"], signal["state"], signal["fallback_model"]) == ("SLO", "FALLBACK", "gpt-4o-mini")
    assert signal["scope"] == "slo=search-answers/tenant=acme/feature_id=search"
    event = "SELECT count() AS n FROM events WHERE event_type = 'ai.finding' AND finding_rule_id = 'slo.burn'"
    scene.up.wait_until(lambda: scene.sql(event)[0]["n"] >= 2, within_s=60, what="events of both")

    (found,) = [line for line in LINES if line.startswith("auditstream search")]
    assert len(scene.run(found).splitlines()) >= 2
    (last,) = [line for line in LINES if "openslo" in line]
    scene.run(last)
    taken = "SELECT threshold_us, objective, window_days, owner FROM slos WHERE slo_id = 'search-quick'"
    (row,) = scene.sql(taken)
    assert (row["threshold_us"], row["window_days"], row["owner"]) == (1_500_000, 28, "search-team")
    assert Decimal(row["objective"]) == Decimal("0.99")
