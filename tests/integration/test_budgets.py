"""A budget is watched by the stream: who spends sees gateways told within seconds, and the record says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
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
from tests.support.forked_programs import ForkedPrograms
from tests.support.protected import settings_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "budgets.md").read_text(encoding="utf-8")
# Of a year, whose first twentieth may be long over: forecasts are the subject of the unit tests.
(BUDGET,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
TENANT = "kind: tenant\ntenant_id: acme\nname: Acme\nvalid_from: 2025-01-01\n---\n"


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
        # Asked again and again; of `events_current`, which leaves repeats out, it costs four times as much.
        table = self.reader.table(
            "SELECT budget_threshold_pct, attributes['state'], budget_spent FROM events"
            " WHERE duplicate_of IS NULL AND leaf_kind = 0"
            " AND event_type = 'ai.budget' AND budget_id = 'search-year' AND attributes['about'] = 'spent'"
            " ORDER BY toUInt32(attributes['change'])",
            {},
            doing="told",
        )
        return [(pct, state, spent) for pct, state, spent in table.rows]

    def wait_told(self, *changes: tuple[int, str, Decimal]) -> None:
        self.up.wait_until(lambda: self.told() == list(changes), within_s=90, what=f"{changes} told")

    def states(self, *, until: Decimal) -> list[str]:
        """Return what gateways were asked for, up to the signal of a budget of that amount."""
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
            while not found or found[-1]["limit"] != until:
                message = consumer.poll(30)
                assert message is not None, f"no more signals than {found}"
                assert message.error() is None
                value = message.value()
                assert value is not None
                found.append(decode(value[5:], schema_json("signal")))
        finally:
            consumer.close()
        return [state for state, _ in groupby(str(each["state"]) for each in found)]


@pytest.fixture
def scene(
    programs: ForkedPrograms,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Scene]:
    command = command_line(monkeypatch, apply, emit, budgets)
    with started("up", "--broker", "embedded", data_dir=tmp_path / "data", programs=programs) as up:
        up.wait_ready()
        settings = settings_of(up.data_dir)
        with closing(open_reader(settings.clickhouse)) as reader:
            scene = Scene(up, settings, command, capsys, reader, tmp_path)
            scene.apply(TENANT + BUDGET)
            yield scene


def kill_worker(up: Command) -> None:
    family = family_of(up.wait_ready()["pid"])
    (worker,) = (each for each in family if "worker" in each.cmdline())
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

    scene.apply(BUDGET.replace('"10"', '"1000"'))
    scene.wait_told(half, spent, (0, "ALLOW", Decimal("10.5")))
    assert scene.states(until=Decimal(1000)) == ["ALLOW", "BLOCK", "ALLOW"]
