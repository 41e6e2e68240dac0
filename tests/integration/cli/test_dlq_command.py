"""`auditstream dlq` on a store and a broker: what is listed, shown, sent again and told of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditstream.cli import dlq
from auditstream.core.settings import load
from schemas.codec import decode
from schemas.framing import prefix
from schemas.packaged import schema_json
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import NOON, block_of
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

VALUES = [prefix(99) + b"\xff\x00", b"nonsense", b"", b"an event"]
LEAF = "events/0/0a1b2c3d"


@pytest.fixture
def run(
    deployed: None, topic: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Three dead letters and an event, of the test's own topic."""
    monkeypatch.setenv("AUDITSTREAM_ACTOR", "ada")
    runs = command_line(monkeypatch, dlq)
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(
        block_of(
            rows=4,
            log_id=LEAF,
            leaf_kind=[1, 1, 1, 0],
            event_time=[NOON + timedelta(minutes=number) for number in range(4)],
            kafka_timestamp=[NOON + timedelta(minutes=number) for number in range(4)],
            kafka_topic=topic,
            kafka_partition=1,
            reject_reason=["unknown_schema", "bad_framing", "null_value", ""],
            reject_detail=["schema 99 is not registered", "", "", ""],
            schema_id=["99", "", "", "1"],
            raw=VALUES,
            raw_null=[False, False, True, False],
        ),
        insert_by_s=datetime.now(UTC).timestamp() + 60,
        timeout_s=TIMEOUT_S,
    )
    sink.close()
    capsys.readouterr()
    return runs


def test_dead_letters_are_listed_narrowed_and_shown_with_their_bytes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("dlq", "list") == 0
    every = rows_of(capsys.readouterr().out)
    assert run("dlq", "list", "--reason", "bad_framing", "--from", "2026-01-02T12:01:00Z") == 0
    some = rows_of(capsys.readouterr().out)
    assert run("dlq", "show", f"{LEAF}/0", "--out", tmp_path / "letter") == 0
    (shown,) = rows_of(capsys.readouterr().out)

    assert [row["leaf"] for row in every] == [f"{LEAF}/2", f"{LEAF}/1", f"{LEAF}/0"]
    assert every[2]["reject_detail"] == "schema 99 is not registered"
    assert [row["leaf"] for row in some] == [f"{LEAF}/1"]
    assert (shown["reject_reason"], shown["bytes"], shown["value"]) == ("unknown_schema", 7, VALUES[0].hex())
    assert (tmp_path / "letter").read_bytes() == VALUES[0]
    assert run("dlq", "show", f"{LEAF}/3") == 4  # an event
    assert run("dlq", "show", "nowhere") == 2


def test_a_replay_is_told_of_and_sends_the_same_bytes_to_the_same_partition(
    run: Run, broker: Broker, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("dlq", "replay") == 2  # which ones?
    assert run("dlq", "replay", "--all", "--dry-run") == 0
    (planned,) = rows_of(capsys.readouterr().out)
    assert run("dlq", "replay", "--all") == 0
    (done,) = rows_of(capsys.readouterr().out)
    messages = broker.consume(topic, sum(broker.end_offsets(topic).values()))

    assert (planned["dead_letters"], planned["null_values"], planned["replayed"]) == (3, 1, 0)
    assert (done["replayed"], done["topics"]) == (2, {topic: 2})
    replayed = [each for each in messages if dict(each.headers() or ()).get("replay_of")]
    assert [(each.value(), each.partition()) for each in replayed] == [(VALUES[0], 1), (VALUES[1], 1)]
    assert dict(replayed[0].headers() or ())["replay_reason"] == b"unknown_schema"
    told = [
        decode((each.value() or b"")[5:], schema_json("audit_event"))
        for each in messages
        if each not in replayed
    ]
    (change,) = [each for each in told if each["event_type"] == "ai.config.change"]
    assert (change["actor_id"], change["attributes"]["replayed"]) == ("ada", "2")
    assert {each["attributes"]["command"] for each in told if each is not change} == {"dlq replay"}


def test_what_cannot_be_told_of_is_not_sent(
    run: Run, broker: Broker, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", "http://127.0.0.1:9")

    assert run("dlq", "replay", "--all") == 6
    assert sum(broker.end_offsets(topic).values()) == 0
