"""The demonstration end to end, as a person types it."""

from __future__ import annotations

import json
import signal
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.demo.day import LEAST_WITH_INCIDENTS
from auditstream.demo.incident import FOUND_BY
from tests.support import brokers
from tests.support.commands import family_of, started, survivors
from tests.support.forked_programs import ForkedPrograms
from tests.support.parts import skip_part

EVENTS = 2_000
BOUND_S = 110.0  # 20 to 35 s on a machine that does nothing else
FINDING_S = 150.0  # on top: a minute is judged a minute after it, and assets are looked at once a minute

pytestmark = pytest.mark.timeout(400)


def demo(
    tmp_path: Path,
    *arguments: str,
    events: int = EVENTS,
    bound_s: float = BOUND_S,
    programs: ForkedPrograms | None = None,
) -> dict[str, Any]:
    arguments = ("demo", "--exit", "--events", str(events), *arguments)
    with started(*arguments, data_dir=tmp_path / "data", programs=programs) as command:
        output = command.end(within_s=bound_s)
        assert command.process.returncode == 0, command.errors
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    return summary


def check_day(summary: dict[str, Any], broker: str, events: int = EVENTS) -> None:
    """Every message is recorded once, and only what was planted is odd."""
    assert summary["ok"] is True
    assert summary["differences"] == []
    assert summary["dense"] is True
    assert summary["broker"] == broker
    assert summary["duplicates"] == summary["planted_duplicates"] > 0
    assert summary["dead_letters"] == summary["planted_dead_letters"] > 0
    planted = summary["planted_duplicates"] + summary["planted_dead_letters"]
    added = summary["events_of_incidents"]
    assert summary["produced"] == summary["recorded"] == events + added + planted
    assert summary["sealed"] == summary["witnessed"] == summary["recorded"]
    assert summary["verified"] >= summary["recorded"], "the gateway's events about its callers are there too"
    assert isinstance(summary["cost_total"], str)
    assert Decimal(summary["cost_total"]) > 0
    assert summary["tenants"] == 3
    assert summary["unpriced"] > 0


def test_every_message_is_recorded_once_and_only_what_was_planted_is_odd(
    programs: ForkedPrograms, tmp_path: Path
) -> None:
    summary = demo(tmp_path, "--broker", "embedded", programs=programs)
    check_day(summary, "embedded")
    assert (summary["events_of_incidents"], summary["incidents"]) == (0, []), "too few events to stand out of"


@pytest.mark.long
@pytest.mark.kafka
def test_on_a_real_kafka_each_incident_is_found_and_another_day_on_the_same_folder_adds_up(
    programs: ForkedPrograms, tmp_path: Path
) -> None:
    if (missing := brokers.missing_jvm()) is not None:
        skip_part("Apache Kafka on the local JVM", missing, can_be_installed=True)

    events, bound_s = LEAST_WITH_INCIDENTS, BOUND_S + FINDING_S
    first = demo(
        tmp_path, "--broker", "jvm", "--seed", "1", events=events, bound_s=bound_s, programs=programs
    )
    second = demo(tmp_path, "--broker", "jvm", "--seed", "2", events=500, programs=programs)

    check_day(first, "jvm", events)
    assert first["events_of_incidents"] > 0
    assert {each["kind"] for each in first["incidents"] if each["found"]} == set(FOUND_BY)
    assert all(each["rule"] in FOUND_BY[each["kind"]] for each in first["incidents"])
    assert all(each["finding_id"] and each["delay_s"] >= 0 for each in first["incidents"])
    assert first["most_unexplained_an_hour"] <= 1
    assert second["ok"]
    assert first["cost_total"] != second["cost_total"]


@pytest.mark.long
def test_ctrl_c_in_the_middle_leaves_no_process_behind(tmp_path: Path) -> None:
    arguments = ("demo", "--exit", "--events", "200000", "--broker", "embedded")
    with started(*arguments, data_dir=tmp_path / "data") as command:
        runtime = command.wait_ready()
        command.wait_until(lambda: rows(runtime) > 0, within_s=60, what="the first rows")
        family = family_of(command.process.pid)
        assert len(family) > 2
        command.process.send_signal(signal.SIGINT)
        command.end()
        assert command.process.returncode == 130
        assert not survivors(family, within_s=1)
        assert not (tmp_path / "data" / "runtime.json").exists()
        assert "Traceback" not in command.errors


def rows(runtime: dict[str, Any]) -> int:
    """Return how many rows the running deployment has."""
    store = runtime["clickhouse"]
    request = urllib.request.Request(
        f"http://{store['host']}:{store['port']}/",
        data=b"SELECT count() FROM events WHERE source NOT LIKE 'urn:auditstream:%'",
        headers={"X-ClickHouse-User": store["user"], "X-ClickHouse-Key": store["password"]},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.read())
