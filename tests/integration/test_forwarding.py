"""Events forwarded to real receivers on this machine: syslog over TLS, and webhooks; each at least once."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from auditstream.embedded.loopback_ports import free_port
from auditstream.exports.forms import DOCUMENTS
from auditstream.exports.forwarding import Forwarding, PlaceFile
from auditstream.exports.syslog import NotDeliveredError, SyslogOutlet, tls_context
from auditstream.exports.tls_stream import TlsStream
from auditstream.exports.webhook_outlet import RefusedError, WebhookOutlet
from auditstream.notify.signatures import SigningSecret
from tests.support.certificates import certificate
from tests.support.exported_rows import Arriving, records
from tests.support.syslog_receivers import SyslogReceiver, syslog_receiver
from tests.support.webhook_receivers import webhook_receiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("own"), "receiver")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("other"), "other")


@pytest.fixture
def receiver(own: tuple[Path, Path]) -> Iterator[SyslogReceiver]:
    with syslog_receiver(*own) as running:
        yield running


def outlet(
    port: int,
    ca: Path,
    client: tuple[Path, Path] | None = None,
    host: str = "127.0.0.1",
    *,
    needs_answer: bool = True,
) -> SyslogOutlet:
    return SyslogOutlet(
        (host, port),
        tls_context(ca, *(client or (None, None))),
        DOCUMENTS["ocsf"],
        timeout_s=5.0,
        most_bytes=65_536,
        needs_answer=needs_answer,
    )


def test_messages_arrive_whole_and_in_order(receiver: SyslogReceiver, own: tuple[Path, Path]) -> None:
    sent = outlet(receiver.port, own[0]).deliver(records(300), "batch")
    bodies = [json.loads(each.split(b" ", 7)[7]) for each in receiver.messages]

    assert [each["metadata"]["uid"] for each in bodies] == [each["event_id"] for each in records(300)]
    assert sent == sum(len(each) + len(str(len(each))) + 1 for each in receiver.messages)
    assert receiver.messages[0].startswith(b"<110>1 2026-03-01T00:00:00Z ")


def test_a_receiver_that_ends_without_a_word_is_believed_where_that_is_said_of_it(
    receiver: SyslogReceiver, own: tuple[Path, Path]
) -> None:
    receiver.manners += ["wordless", "wordless"]
    with pytest.raises(NotDeliveredError, match="without close_notify"):
        outlet(receiver.port, own[0]).deliver(records(300), "batch")
    outlet(receiver.port, own[0], needs_answer=False).deliver(records(300), "batch")

    assert len(receiver.messages) == 600


def test_a_receiver_that_resets_has_not_taken_the_batch(
    receiver: SyslogReceiver, own: tuple[Path, Path]
) -> None:
    receiver.manners.append("reset")
    with pytest.raises(NotDeliveredError, match=f"syslog 127.0.0.1:{receiver.port}: "):
        outlet(receiver.port, own[0]).deliver(records(300), "batch")

    assert receiver.messages == []


def test_nothing_goes_to_a_receiver_that_nobody_vouches_for(
    receiver: SyslogReceiver, own: tuple[Path, Path], other: tuple[Path, Path]
) -> None:
    with pytest.raises(NotDeliveredError, match="certificate"):
        outlet(receiver.port, other[0]).deliver(records(1), "batch")
    with pytest.raises(NotDeliveredError, match="localhost"):  # vouched for, but under another name
        outlet(receiver.port, own[0], host="localhost").deliver(records(1), "batch")

    assert receiver.messages == []


def test_a_receiver_may_ask_for_a_certificate(own: tuple[Path, Path], other: tuple[Path, Path]) -> None:
    with syslog_receiver(*own, clients=other[0]) as receiver:
        with pytest.raises(NotDeliveredError):
            outlet(receiver.port, own[0]).deliver(records(1), "batch")
        outlet(receiver.port, own[0], client=other).deliver(records(1), "batch")

    assert len(receiver.messages) == 1


class Counted(socket.socket):
    """A socket that tells when it has sent so many times."""

    def __init__(self, plain: socket.socket, times: int) -> None:
        super().__init__(plain.family, plain.type, fileno=plain.detach())
        self._left = times
        self.has_sent = Event()

    def sendall(self, data: Any, flags: int = 0) -> None:
        super().sendall(data, flags)
        self._left -= 1
        if not self._left:
            self.has_sent.set()


def test_a_refusal_that_comes_after_everything_was_sent_is_no_answer(own: tuple[Path, Path]) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*own)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(own[0])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    receiving = server.wrap_bio(incoming, outgoing, server_side=True)
    near, far = socket.socketpair()
    far.settimeout(30)
    counted = Counted(near, 4)  # two flights of the handshake, the message, and the end
    counted.settimeout(30)

    def refuse() -> None:
        with pytest.raises(ssl.SSLError, match="did not return a certificate"):
            while True:
                try:
                    receiving.do_handshake()
                except ssl.SSLWantReadError:
                    far.sendall(outgoing.read())
                    incoming.write(far.recv(65_536))
        counted.has_sent.wait(30)
        far.sendall(outgoing.read())

    with far, ThreadPoolExecutor(1) as beside:
        refused = beside.submit(refuse)
        stream = TlsStream(counted, tls_context(own[0], None, None), "127.0.0.1")
        stream.send(b"a message")
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
            stream.end()
        stream.close()
        refused.result()


def test_a_receiver_that_is_away_is_no_receiver(own: tuple[Path, Path]) -> None:
    with pytest.raises(NotDeliveredError, match="refused"):
        outlet(free_port(), own[0]).deliver(records(1), "batch")


def test_every_event_arrives_though_receiver_and_process_end_in_between(
    receiver: SyslogReceiver, own: tuple[Path, Path], tmp_path: Path
) -> None:
    arriving = Arriving(1_200)
    place = PlaceFile(tmp_path / "siem.json")
    receiver.manners += ["polite", "reset"]
    first = Forwarding(arriving.follower(), outlet(receiver.port, own[0]), place)
    assert first.step() == 500
    with pytest.raises(NotDeliveredError):
        first.step()
    # Another process goes on, from the place that the first one wrote before its first event.
    second = Forwarding(arriving.follower(place.read()), outlet(receiver.port, own[0]), place)
    while second.step():
        pass
    third = Forwarding(arriving.follower(place.read()), outlet(receiver.port, own[0]), place)

    found = [json.loads(each.split(b" ", 7)[7])["metadata"]["uid"] for each in receiver.messages]
    ids = [each["event_id"] for each in records(1_200)]
    assert found == ids[:500] + ids  # the first batch twice
    assert (third.step(), second.events) == (0, 1_200)


def test_a_webhook_gets_signed_batches_and_the_same_id_again() -> None:
    with webhook_receiver() as receiver:
        receiver.answers += [(503, {"retry-after": "7"}), (204, {})]
        hook = WebhookOutlet(
            receiver.url, [SigningSecret(SECRET)], "cloudevents", DOCUMENTS["cloudevents"], timeout_s=5.0
        )
        with pytest.raises(NotDeliveredError) as away:
            hook.deliver(records(3), "abc")
        size = hook.deliver(records(3), "abc")
        first, second = receiver.next(), receiver.next()
        hook.close()

    assert away.value.retry_after_s == 7
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "abc-0"
    assert second.headers["content-type"] == "application/cloudevents-batch+json"
    timestamp = int(second.headers["webhook-timestamp"])
    assert second.headers["webhook-signature"] == SigningSecret(SECRET).sign("abc-0", timestamp, second.body)
    assert [each["id"] for each in json.loads(second.body)] == [each["event_id"] for each in records(3)]
    assert len(second.body) == size


def test_a_webhook_that_refuses_keeps_the_events_waiting() -> None:
    with webhook_receiver() as receiver:
        receiver.answers.append((400, {}))
        hook = WebhookOutlet(receiver.url, (), "jsonl", DOCUMENTS["jsonl"], timeout_s=5.0)
        with pytest.raises(RefusedError, match="http 400"):
            hook.deliver(records(1), "abc")
        hook.close()


def test_many_events_are_several_bodies() -> None:
    big = [each | {"tool_name": "x" * 200_000} for each in records(5)]
    with webhook_receiver() as receiver:
        hook = WebhookOutlet(receiver.url, (), "jsonl", DOCUMENTS["jsonl"], timeout_s=5.0)
        hook.deliver(big, "abc")
        hook.close()
        got = [receiver.next() for _ in range(3)]

    assert [each.headers["webhook-id"] for each in got] == ["abc-0", "abc-1", "abc-2"]
    assert [len(json.loads(each.body)) for each in got] == [2, 2, 1]
    assert all(re.fullmatch(r"application/json", each.headers["content-type"]) for each in got)
