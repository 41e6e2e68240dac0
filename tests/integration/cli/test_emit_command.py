"""`auditstream emit` against a broker and a registry in this process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from auditstream.cli import emit
from auditstream.core.errors import RetryableError
from auditstream.core.ports import Outbound
from auditstream.embedded.loopback_ports import free_port
from auditstream.embedded.registry import RunningRegistry
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.reading import BadLineError
from schemas.framing import framing_of
from schemas.registry_client import RegistryClient
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of

TOPIC = "audit.events.v1"
EVENT = {
    "event_id": "0197f3a0-1c2b-7d4e-8f00-123456789abc",
    "event_type": "ai.inference",
    "event_time": "2026-03-01T12:30:15.123456Z",
    "source": "svc://checkout",
    "tenant_id": "acme",
    "conversation_id": "c-1",
    "usage": {"input_tokens": 7, "output_tokens": 5},
}


@pytest.fixture
def run(broker: Broker, registry: RunningRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("AUDITSTREAM_TEST_SHARED_DATA", raising=False)
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", broker.bootstrap)
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", registry.url)
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__TIMEOUT_S", "1")
    monkeypatch.setenv("AUDITSTREAM_DATA_DIR", str(tmp_path))
    return command_line(monkeypatch, emit)


def written(folder: Path, *lines: object) -> Path:
    path = folder / "events.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_events_arrive_with_key_and_the_registrys_id_and_bad_lines_are_named(
    run: Run, broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, EVENT, "{", EVENT | {"severity": 99}, EVENT)

    code = run("emit", "--file", file, "--topic", "mixed")

    out, err = capsys.readouterr()
    (summary,) = rows_of(out)
    first, second = broker.consume("mixed", 2)
    assert code == 7
    assert (summary["read"], summary["produced"], summary["refused"]) == (4, 2, 2)
    assert (summary["input_tokens"], summary["output_tokens"]) == (14, 10)
    assert summary["first_event_id"] == EVENT["event_id"]
    assert "refused: line 2: line: is not JSON" in err
    assert "refused: line 3: severity: is not 0 to 6" in err
    assert first.key() == second.key() == b"acme|c-1"
    assert (first.partition(), first.value()) == (second.partition(), second.value())
    assert framing_of(first.value()).schema == 1
    assert dict(first.headers() or [])["ce_id"] == EVENT["event_id"].encode()


async def test_a_topic_that_is_new_to_the_registry_gets_its_subject(
    registry: RunningRegistry, run: Run, tmp_path: Path
) -> None:

    code = await asyncio.to_thread(
        run, "emit", "--file", written(tmp_path, EVENT), "--topic", "audit.direct.a.v1"
    )

    async with RegistryClient(registry.url) as client:
        latest = await client.latest("audit.direct.a.v1-value")
    assert (code, latest.id, latest.version) == (0, 1, 1)


def test_nothing_to_send_is_no_failure(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("emit", "--file", written(tmp_path)) == 0
    assert rows_of(capsys.readouterr().out)[0]["read"] == 0


def test_a_missing_file_and_a_bad_start_end_with_their_codes(run: Run, tmp_path: Path) -> None:
    assert run("emit", "--file", tmp_path / "none.jsonl") == 4
    assert run("emit", "--file", written(tmp_path), "--start", "tomorrow") == 2


def test_without_a_registry_nothing_is_sent_and_the_code_is_6(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITSTREAM_REGISTRY__URL", f"http://127.0.0.1:{free_port()}")

    assert run("emit", "--file", written(tmp_path, EVENT)) == 6
    assert "error[registry_down]" in capsys.readouterr().err


def test_without_a_broker_the_code_is_6_and_the_summary_says_what_arrived(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITSTREAM_KAFKA__BROKERS", f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(emit, "ACKNOWLEDGED_WITHIN_S", 1.0)

    code = run("emit", "--file", written(tmp_path, EVENT))

    out, err = capsys.readouterr()
    assert code == 6
    assert (rows_of(out)[0]["read"], rows_of(out)[0]["produced"]) == (1, 0)
    assert "was not acknowledged" in err


def test_a_queue_that_is_full_is_waited_for_no_longer_than_the_bound() -> None:
    way = KafkaWay(
        {"bootstrap.servers": f"127.0.0.1:{free_port()}", "queue.buffering.max.messages": 2}, timeout_s=1.0
    )
    message = Outbound(TOPIC, b"key", b"value")
    way.send(message)
    way.send(message)

    with pytest.raises(RetryableError, match="0 were"):
        way.send(message)
    way.abandon()


def test_a_message_that_kafka_does_not_take_is_refused_and_the_next_is_sent(broker: Broker) -> None:
    way = KafkaWay({"bootstrap.servers": broker.bootstrap})

    with pytest.raises(BadLineError, match="larger than"):
        way.send(Outbound("sizes", b"key", b"x" * 1_100_000))
    way.send(Outbound("sizes", b"key", b"value"))
    way.finish()

    assert way.acknowledged == 1
