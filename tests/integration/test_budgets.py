"""A budget is watched by the stream: who spends sees gateways told within seconds, and the record says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from auditstream.cli import apply, budgets, emit
from auditstream.core.ids import uuid7
from auditstream.core.settings import Settings
from auditstream.query.reader import Reader, open_reader
from schemas.codec import decode
from schemas.packaged import schema_json
from tests.support.command_line import Run, command_line
from tests.support.commands import Command, family_of, started
from tests.support.protected import settings_of

pytestmark = pytest.mark.timeout(300)

# Of a year, whose first twentieth may be long over: the forecast is the unit tests' subject.
FACTS = """
kind: tenant
tenant_id: acme
name: Acme
valid_from: 2025-01-01
---
kind: budget
budget_id: search-year
tenant_id: acme
scope: {project_id: search}
period: year
amount: "10"
currency: USD
reaction: block
valid_from: 2025-01-01
"""


@dataclass(frozen=True, slots=True)
class Scene:
    up: Command
    settings: Settings
    command: Run
    output: pytest.CaptureFixture[str]
    reader: Reader
    folder: Path

    def run(self, *arguments: str) -> str:
        code = self.command("--data-dir", self.up.data_dir, "--output", "jsonl", *arguments)
        out, err = self.output.readouterr()
        assert code == 0, err
        return out

    def apply(self, text: str) -> None:
        path = self.folder / "facts.yaml"
        path.write_text(text)
        self.run("apply", "-f", f"{path}")

    def spend(self, dollars: str, project: str = "search") -> None:
        """Report a call whose provider says what it cost."""
        now = datetime.now(UTC)
        event = {
            "event_id": str(uuid7()),
            "event_type": "ai.inference",
            "event_time": now.isoformat(),
            "source": "urn:test",
            "project_id": project,
            "inference": {"provider": "house", "request_model": "in-house"},
            "costs": [
                {
                    "meter": "requests", "quantity": "1", "unit": "requests", "list": dollars,
                    "contracted": dollars, "effective": dollars, "billed": dollars, "currency": "USD",
                    "source": "PROVIDER",
                }
            ],
        }  # fmt: skip
        path = self.folder / "event.jsonl"
        path.write_text(json.dumps(event))
        self.run("emit", "--file", f"{path}", "--tenant", "acme", "--via", "kafka")

    def told(self) -> list[tuple[int, str, Decimal]]:
        table = self.reader.table(
            "SELECT budget_threshold_pct, attributes['state'], budget_spent FROM events_current"
            " WHERE event_type = 'ai.budget' AND budget_id = 'search-year'"
            " ORDER BY toUInt32(attributes['change'])",
            {},
            doing="told",
        )
        return [(pct, state, spent) for pct, state, spent in table.rows]

    def wait_told(self, *changes: tuple[int, str, Decimal]) -> None:
        self.up.wait_until(lambda: self.told() == list(changes), within_s=60, what=f"{changes} told")

    def signals(self, count: int) -> list[dict[str, Any]]:
        """Return the first signals of the topic, as a gateway reads them."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka.brokers,
                "group.id": f"{uuid7()}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([self.settings.kafka.signals_topic])
        found: list[dict[str, Any]] = []
        try:
            while len(found) < count:
                message = consumer.poll(30)
                assert message is not None, f"{len(found)} signals of {count}"
                assert message.error() is None
                value = message.value()
                assert value is not None
                found.append(decode(value[5:], schema_json("signal")))
        finally:
            consumer.close()
        return found


@pytest.fixture
def scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Scene]:
    command = command_line(monkeypatch, apply, emit, budgets)
    with started("up", "--broker", "embedded", data_dir=tmp_path / "data") as up:
        up.wait_ready()
        settings = settings_of(up.data_dir)
        with closing(open_reader(settings.clickhouse)) as reader:
            scene = Scene(up, settings, command, capsys, reader, tmp_path)
            scene.apply(FACTS)
            yield scene


def kill_worker(up: Command) -> None:
    (worker,) = (each for each in family_of(up.process.pid) if "worker" in each.cmdline())
    worker.kill()


def test_who_spends_a_budget_is_told_of_within_seconds_and_once_whatever_dies(scene: Scene) -> None:
    scene.spend("4.99")
    scene.spend("100", project="another")
    scene.spend("0.01")
    half = (50, "ALLOW", Decimal(5))
    scene.wait_told(half)

    kill_worker(scene.up)
    scene.spend("5.5")
    spent = (100, "BLOCK", Decimal("10.5"))
    scene.wait_told(half, spent)

    (standing,) = map(json.loads, scene.run("budgets").splitlines())
    assert (standing["spent"], standing["state"], standing["spent_pct"]) == (
        "10.500000000000",
        "BLOCK",
        "105.0",
    )

    scene.apply(FACTS.replace('"10"', '"1000"'))
    scene.wait_told(half, spent, (0, "ALLOW", Decimal("10.5")))
    states = [str(each["state"]) for each in scene.signals(4)]
    assert states == ["ALLOW", "ALLOW", "BLOCK", "ALLOW"]
