"""Who tells of burning budgets asks the registry once and keeps one way to Kafka."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from auditstream.cli import schema
from auditstream.core.clock import ManualClock
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings, load
from auditstream.embedded.registry import RunningRegistry, start_registry
from auditstream.emit.burn_teller import BurnTeller
from auditstream.notify.slo_episodes import SloTold
from auditstream.notify.slo_news import SloNews, news_of
from schemas.codec import decode
from schemas.packaged import schema_json
from schemas.schema_thread import start_schema_store
from sinks.clients import ClientPool, http_client
from tests.support.brokers import Broker
from tests.support.command_line import command_line
from tests.unit.notify.slos import NOON, standing

PREFIX_BYTES = 5


@pytest.fixture
def own_registry(
    deployed: None, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningRegistry]:
    """A registry of the test's own, which it may stop."""
    with start_registry(tmp_path / "registry") as running:
        monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", running.url)
        monkeypatch.setenv("AUDITSTREAM_REGISTRY__TIMEOUT_S", "1")
        monkeypatch.setenv("AUDITSTREAM_KAFKA__FINDINGS_TOPIC", f"{topic}-findings")
        run = command_line(monkeypatch, schema)
        assert run("schema", "register") == 0
        yield running


@contextmanager
def telling(settings: Settings, clients: ClientPool) -> Iterator[BurnTeller]:
    schemas = start_schema_store(settings.registry)
    metrics, clock = Metrics(CollectorRegistry()), ManualClock(NOON.timestamp())
    with closing(schemas), closing(BurnTeller(settings, clients, schemas, metrics, clock)) as teller:
        yield teller


def words() -> list[SloNews]:
    """Return that an objective burns, and an hour later that it does no more."""
    burns, told = news_of(standing((60, 0, 20, 1_000)), SloTold())
    news, found = [each for each in burns if each.about == "burn"], told
    for minutes in (60, 120, 180):
        after, found = news_of(standing(at=NOON + timedelta(minutes=minutes)), found)
        news += [each for each in after if each.about == "burn"]
    return news


def test_the_registry_may_be_away_once_something_was_told(
    own_registry: RunningRegistry, broker: Broker, topic: str
) -> None:
    settings = load()
    begins, ends = words()
    with (
        closing(ClientPool(lambda: http_client(settings.clickhouse))) as clients,
        telling(settings, clients) as teller,
    ):
        teller.tell(begins)
        own_registry.stop()
        teller.tell(ends)
        teller.tell(ends)  # as after an event that Kafka did not acknowledge

        with clients.borrow() as client:
            rows = client.query("SELECT version, status FROM findings ORDER BY version").result_rows

    assert rows == [(0, "NEW"), (1_000, "RESOLVED")]
    findings = broker.consume(f"{topic}-findings", 2)
    datums = [decode((each.value() or b"")[PREFIX_BYTES:], schema_json("finding")) for each in findings]
    assert [each["version"] for each in datums] == [0, 1_000]
    events = broker.consume(topic, 3)
    datums = [decode((each.value() or b"")[PREFIX_BYTES:], schema_json("audit_event")) for each in events]
    # In no order: they are in several partitions.
    assert sorted(each["attributes"]["open"] for each in datums) == ["no", "no", "yes"]
    assert len({each["event_id"] for each in datums}) == 2
