"""`auditstream apply` with a broker, a registry and a store: no change without its event."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import announcing, apply
from auditstream.core.settings import load
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import RunningRegistry
from auditstream.reference.digests import digest
from auditstream.reference.owners import Tenant
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from sinks.clients import http_client
from sinks.reference import ReferenceStore, connect_reference
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line
from tests.support.facts import day

EXAMPLES = Path(__file__).parents[3] / "examples" / "reference"
CHANGES = 21


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a topic and a database of the test's own."""
    return command_line(monkeypatch, apply)


@pytest.fixture
def store(run: Run) -> Iterator[ReferenceStore]:
    opened = connect_reference(load().clickhouse)
    yield opened
    opened.close()


def events_on(broker: Broker, topic: str, count: int) -> list[dict[str, Any]]:
    """Return the datums on a topic, of which there are so many and no more."""
    assert sum(broker.end_offsets(topic).values()) == count
    values = [message.value() for message in broker.consume(topic, count)]
    assert all(value.startswith(prefix(1)) for value in values)
    return [decode(value.removeprefix(prefix(1)), schema_json("audit_event")) for value in values]


def test_every_change_is_an_event_with_its_hashes_and_who_made_it(
    run: Run, store: ReferenceStore, broker: Broker, topic: str
) -> None:
    assert run("apply", "-f", EXAMPLES, "--actor", "mara") == 0
    assert run("apply", "-f", EXAMPLES, "--actor", "mara") == 0  # nothing new, so nothing to tell

    events = events_on(broker, topic, CHANGES)
    assert {event["event_type"] for event in events} == {"ai.config.change"}
    assert {event["actor_id"] for event in events} == {"mara"}
    assert {event["attributes"]["reference_revision"] for event in events} == {"1"}
    (acme,) = [
        e for e in events if (e["change"]["object_type"], e["change"]["object_id"]) == ("tenant", "acme")
    ]
    known = store.load(1).find(Tenant, "acme", at=day(10_000))
    assert acme["tenant_id"] == "acme"
    assert acme["change"]["before_hash"] is None
    assert acme["change"]["after_hash"] == digest(known)
    assert acme["attributes"]["document"].startswith("acme.yaml@sha256:")


def test_a_changed_fact_has_the_hash_that_it_had_before(
    run: Run, broker: Broker, topic: str, tmp_path: Path
) -> None:
    file = tmp_path / "price.yaml"
    text = "kind: tenant\ntenant_id: a\nname: A\n---\nkind: rate\nbase: USD\nquote: EUR\nrate: '{}'\n"
    file.write_text(text.format("0.910"))
    assert run("apply", "-f", file) == 0
    file.write_text(text.format("0.920"))
    assert run("apply", "-f", file) == 0

    rates = [e for e in events_on(broker, topic, 3) if e["change"]["object_type"] == "rate"]
    # From several partitions, in any order.
    first, second = sorted(rates, key=lambda event: event["event_time"])
    assert second["change"]["object_id"] == first["change"]["object_id"]
    assert second["change"]["before_hash"] == first["change"]["after_hash"]
    assert second["change"]["after_hash"] != first["change"]["after_hash"]


@pytest.mark.parametrize("away", ["KAFKA__BROKERS", "REGISTRY__URL"])
def test_when_nobody_can_be_told_nothing_is_changed(
    run: Run,
    store: ReferenceStore,
    away: str,
    broker: Broker,
    registry: RunningRegistry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    usual_s = announcing.ACKNOWLEDGED_WITHIN_S
    monkeypatch.setattr(announcing, "ACKNOWLEDGED_WITHIN_S", 1.0)
    monkeypatch.setenv(f"AUDITSTREAM_{away}", nobody if away.startswith("K") else f"http://{nobody}")

    code = run("apply", "-f", EXAMPLES)

    err = capsys.readouterr().err
    assert (code, store.newest()) == (6, 0)
    assert "nothing was changed" in err
    assert "--without-event" in err

    monkeypatch.setattr(announcing, "ACKNOWLEDGED_WITHIN_S", usual_s)
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", broker.bootstrap)
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", registry.url)
    assert run("apply", "-f", EXAMPLES) == 0  # at once: the broken-off revision is in nobody's way
    assert store.newest() > 0


def test_the_way_around_says_so_and_is_counted_in_the_store(
    run: Run,
    store: ReferenceStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")

    assert run("apply", "-f", EXAMPLES, "--without-event", "--quiet") == 0

    with http_client(load().clickhouse) as client:
        rows = client.query(
            "SELECT revision, counts['without_event'] FROM reference_revisions WHERE step = 'written'"
        )
    assert rows.result_rows == [(1, CHANGES)]
    assert f"no event tells of {CHANGES} changes" in capsys.readouterr().err
    assert store.load(1).revision == 1
