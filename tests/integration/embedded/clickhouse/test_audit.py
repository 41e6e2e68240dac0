"""At the store's door every sign-in, query and change is an event before it is done, or is not done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditstream.embedded.clickhouse_claims import Claims
from auditstream.embedded.clickhouse_credentials import Credential
from auditstream.embedded.clickhouse_process import RunningClickHouse, start_clickhouse
from auditstream.embedded.clickhouse_settings import AuditSettings
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.mock_kafka import start_mock_kafka
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from tests.support.brokers import Broker
from tests.support.clickhouse_fronts import TOKENS, Asker, authorization, connected

TOPIC = "audit.events.v1"
SCHEMA_ID = 7
REFUSED = 210

USERS = [
    Credential("default", TOKENS["default"]),
    Credential("writer", TOKENS["writer"], "writer", is_service=True),
    Credential("analyst", TOKENS["analyst"], "reader"),
]


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with start_mock_kafka() as running:
        yield Broker("embedded", running.bootstrap)


def audit(bootstrap: str, folder: Path, *, spool: bool = False, within_s: float = 10.0) -> AuditSettings:
    return AuditSettings(
        connection={"bootstrap.servers": bootstrap},
        topic=TOPIC,
        schema_id=SCHEMA_ID,
        schema_uri="http://registry/schemas/ids/7",
        within_s=within_s,
        key_file=str(folder / "key"),
        spool_file=str(folder / "spool") if spool else "",
        spool_bytes=100_000,
    )


def front(folder: Path, settings: AuditSettings) -> RunningClickHouse:
    return start_clickhouse(folder / "store", credentials=USERS, audit=settings)


@pytest.fixture(scope="module")
def running(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningClickHouse]:
    folder = tmp_path_factory.mktemp("audited")
    with front(folder, audit(broker.bootstrap, folder)) as made:
        ask = Asker(made)
        ask("CREATE TABLE events (n UInt8) ENGINE = MergeTree ORDER BY n")
        ask("CREATE TABLE logs (n UInt8) ENGINE = MergeTree ORDER BY n")
        yield made


@pytest.fixture
def ask(running: RunningClickHouse) -> Asker:
    return Asker(running)


class Topic:
    """The events of a topic from some moment on."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._seen: set[Any] = set()
        self.new()

    def new(self) -> list[dict[str, Any]]:
        """Return the events since the last look, oldest first."""
        count = sum(self._broker.end_offsets(TOPIC).values())
        values = [message.value() or b"" for message in self._broker.consume(TOPIC, count)]
        events = [
            decode(value.removeprefix(prefix(SCHEMA_ID)), schema_json("audit_event")) for value in values
        ]
        new = [event for event in events if event["event_id"] not in self._seen]
        self._seen |= {event["event_id"] for event in events}
        return sorted(new, key=lambda event: event["event_time"])


@pytest.fixture
def topic(broker: Broker, running: RunningClickHouse) -> Topic:
    return Topic(broker)


def test_a_query_of_history_is_an_event_that_is_there_when_its_answer_is(ask: Asker, topic: Topic) -> None:
    ask("SELECT 'warm' FROM events", user="analyst")
    topic.new()

    answer = ask("SELECT count() FROM events", user="analyst", query_id="q-1")

    (event,) = topic.new()
    assert answer.text == "0"
    assert event["event_type"] == "ai.data_access"
    assert event["actor_id"] == event["credential_id"] == "analyst"
    assert event["data_access"]["tables"] == ["events"]
    assert event["attributes"]["query_id"] == "q-1"
    assert len(event["data_access"]["query_hmac"]) == 64
    assert event["outcome"] == "SUCCESS"


def test_the_first_query_of_a_client_is_a_sign_in_too(ask: Asker, topic: Topic) -> None:
    headers = authorization("analyst") | {"User-Agent": "a client that was never here"}

    for _ in range(2):
        ask("SELECT count() FROM events", headers=headers)

    assert [event["event_type"] for event in topic.new()] == ["ai.auth", "ai.data_access", "ai.data_access"]


def test_a_command_says_who_asks_and_what_for(ask: Asker, topic: Topic) -> None:
    claims = Claims(actor="ada", command="evidence export", purpose="audit 2026", tenant="acme")

    ask("SELECT count() FROM events", headers=authorization("default") | claims.headers)

    event = topic.new()[-1]
    assert event["actor_id"] == "ada"
    assert event["credential_id"] == "default"
    assert event["data_access"]["purpose"] == "audit 2026"
    assert event["attributes"]["command"] == "evidence export"
    assert event["attributes"]["actor_is"] == "claimed"
    assert event["attributes"]["tenant"] == "acme"


@pytest.mark.parametrize("sql", ["SELECT version()", "SELECT count() FROM logs", "SHOW TABLES"])
def test_what_reads_no_event_is_none(ask: Asker, topic: Topic, sql: str) -> None:
    assert ask(sql, user="analyst").status == 200
    assert topic.new() == []


def test_what_the_deployment_itself_does_is_none(ask: Asker, topic: Topic) -> None:
    assert ask("INSERT INTO events VALUES (1)", user="writer").status == 200
    assert ask("SELECT count() FROM events", user="writer").text == "1"
    assert topic.new() == []
    ask("TRUNCATE TABLE events")


def test_a_change_of_the_store_is_a_change_event(ask: Asker, topic: Topic) -> None:
    ask("ALTER TABLE events UPDATE n = 2 WHERE 1")

    event = topic.new()[-1]
    assert event["event_type"] == "ai.config.change"
    assert event["change"]["object_id"].startswith("ALTER TABLE events")
    assert event["outcome"] == "SUCCESS"


@pytest.mark.parametrize("sql", ["DROP TABLE events", "SELECT * FROM file('/etc/passwd')"])
def test_what_is_refused_is_an_event_too(ask: Asker, topic: Topic, sql: str) -> None:
    assert ask(sql, user="analyst").status == 403
    ask("SELECT count() FROM events", user="analyst")  # goes out with it, or after it

    assert topic.new()[0]["outcome"] == "BLOCKED"


def test_a_wrong_password_is_an_event(ask: Asker, topic: Topic) -> None:
    headers = {"X-ClickHouse-User": "analyst", "X-ClickHouse-Key": "wrong"}
    assert ask("SELECT 1", headers=headers).status == 403
    ask("SELECT count() FROM events", user="analyst")

    event = topic.new()[0]
    assert (event["event_type"], event["outcome"]) == ("ai.auth", "BLOCKED")
    assert event["access"]["subject_id"] == "analyst"


def test_an_unmodified_client_is_told_of(running: RunningClickHouse, topic: Topic) -> None:
    with connected(running, "analyst") as client:
        client.query("SELECT count() FROM events")

    assert [event["event_type"] for event in topic.new()][-1] == "ai.data_access"


def test_an_act_that_reads_whole_tables_is_one_event_for_all_its_statements(ask: Asker, topic: Topic) -> None:
    headers = authorization("default") | Claims(actor="ada", command="verify", act="a1").headers
    ask("SELECT count() FROM events", headers=headers)
    topic.new()

    ask("SELECT max(n) FROM events", headers=headers)
    assert topic.new() == []

    for others, sql in (
        (headers, "SELECT count() FROM merge('default', 'events')"),  # reads what no event names
        (headers, "ALTER TABLE events UPDATE n = 2 WHERE 0"),
        (authorization("default") | Claims(actor="ada", act="a2").headers, "SELECT count() FROM events"),
        (authorization("analyst") | Claims(actor="ada", act="a1").headers, "SELECT count() FROM events"),
    ):
        ask(sql, headers=others)
        assert topic.new(), sql


def test_an_acts_event_says_that_all_rows_are_read(ask: Asker, topic: Topic) -> None:
    ask("SELECT 1 FROM events", headers=authorization("default") | Claims(act="b1").headers)

    event = topic.new()[-1]
    assert event["attributes"]["act"] == "b1"
    assert event["attributes"]["extent"].startswith("all rows")


def test_another_value_of_a_parameter_is_another_query(ask: Asker, topic: Topic) -> None:
    for value in (1, 2, 1):
        ask("SELECT count() FROM events WHERE n = {x:UInt8}", user="analyst", param_x=value)

    named = [e["data_access"]["query_hmac"] for e in topic.new() if e["event_type"] == "ai.data_access"]
    assert named[0] == named[2] != named[1]


def test_many_queries_at_once_are_one_event_each(ask: Asker, topic: Topic) -> None:
    asking = [threading.Thread(target=ask, args=("SELECT count() FROM events",)) for _ in range(20)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()

    assert [event["event_type"] for event in topic.new()].count("ai.data_access") == 20


def test_without_kafka_nothing_is_answered_but_what_reads_no_event(tmp_path: Path) -> None:
    with front(tmp_path, audit(f"127.0.0.1:{free_port()}", tmp_path, within_s=1.0)) as made:
        ask = Asker(made)
        ask("CREATE TABLE events (n UInt8) ENGINE = MergeTree ORDER BY n", user="default")

        refused = ask("SELECT count() FROM events", user="analyst")

        assert refused.error == REFUSED
        assert "no event tells of it" in refused.text
        assert ask("SELECT 1", user="analyst").text == "1"
        assert ask("EXISTS TABLE events").text == "0", "the change was refused, too"
        assert ask("SELECT count() FROM system.one", user="writer").text == "1"


def test_with_a_spool_queries_are_answered_and_their_events_are_sent_later(
    broker: Broker, tmp_path: Path
) -> None:
    away = audit(f"127.0.0.1:{free_port()}", tmp_path, spool=True, within_s=1.0)
    with front(tmp_path, away) as made:
        Asker(made)("CREATE TABLE events (n UInt8) ENGINE = MergeTree ORDER BY n")
        assert Asker(made)("SELECT count() FROM events", user="analyst").text == "0"
    assert (tmp_path / "spool").stat().st_size > 0

    seen = Topic(broker)
    with front(tmp_path, audit(broker.bootstrap, tmp_path, spool=True)) as made:
        assert Asker(made)("SELECT count() FROM events", user="analyst").text == "0"

    events = {event["event_type"]: event for event in seen.new()}
    assert events["ai.source.heartbeat"]["attributes"]["spooled"] == "4"  # two sign-ins, a change, a query
    assert (tmp_path / "spool").stat().st_size == 0
