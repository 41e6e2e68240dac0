"""Notifications over HTTP and from a topic: what an answer asks for, and what outlives a process."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from auditstream.core.settings import KafkaSettings
from auditstream.notify.channels import Channel
from auditstream.notify.courier import Courier
from auditstream.notify.signatures import SigningSecret
from auditstream.notify.webhook import Attempt, Fate, Webhook
from schemas.codec import encode
from schemas.framing import prefix
from schemas.packaged import schema_json
from schemas.records.detection import Finding
from streams.findings_feed import FindingsFeed
from tests.support.webhook_receivers import Receiver, webhook_receiver

NOW = datetime(2026, 11, 28, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SCHEMA_ID = 7


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as running:
        yield running


@pytest.fixture
def webhook(receiver: Receiver) -> Iterator[Webhook]:
    with closing(Webhook(receiver.url, timeout_s=5.0)) as opened:
        yield opened


def posted(webhook: Webhook) -> Attempt:
    return webhook.post(b"{}", {"webhook-id": "m"}, NOW.timestamp())


def test_a_message_arrives_as_it_was_signed(receiver, webhook):
    assert posted(webhook) == Attempt(Fate.DELIVERED, "http 204")

    came = receiver.next()
    assert (came.path, came.body) == ("/hook?key=1", b"{}")
    assert (came.headers["content-type"], came.headers["webhook-id"]) == ("application/json", "m")


@pytest.mark.parametrize(
    ("status", "headers", "attempt"),
    [
        (200, {}, Attempt(Fate.DELIVERED, "http 200")),
        (400, {}, Attempt(Fate.REFUSED, "http 400")),
        (410, {}, Attempt(Fate.REFUSED, "http 410")),
        (408, {}, Attempt(Fate.AGAIN, "http 408")),
        (500, {}, Attempt(Fate.AGAIN, "http 500")),
        (429, {"retry-after": "30"}, Attempt(Fate.AGAIN, "http 429", 30.0)),
        (503, {"retry-after": "999999"}, Attempt(Fate.AGAIN, "http 503", 3_600.0)),
        (503, {"retry-after": "soon"}, Attempt(Fate.AGAIN, "http 503")),
        (
            503,
            {"retry-after": format_datetime(NOW.replace(minute=2), usegmt=True)},
            Attempt(Fate.AGAIN, "http 503", 120.0),
        ),
        (302, {"location": "/elsewhere"}, Attempt(Fate.REFUSED, "http 302")),
    ],
)
def test_an_answer_says_what_to_do(receiver, webhook, status, headers, attempt):
    receiver.answers = [(status, headers)]

    assert posted(webhook) == attempt
    receiver.next()
    assert receiver.received.empty()  # a redirect is not followed
    assert posted(webhook).fate is Fate.DELIVERED


def test_who_does_not_answer_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with closing(Webhook(f"http://127.0.0.1:{port}/", timeout_s=0.2)) as webhook:
            slow = posted(webhook)
    with closing(Webhook(f"http://127.0.0.1:{port}/", timeout_s=0.2)) as webhook:
        gone = posted(webhook)

    assert (slow.fate, gone.fate) == (Fate.AGAIN, Fate.AGAIN)
    assert slow.reason.startswith("no answer: ")


class Schemas:
    """What the registry knows: one schema."""

    def get(self, ref):
        assert ref == SCHEMA_ID
        return schema_json("finding")


def finding(number: int) -> Finding:
    return Finding(
        finding_id=f"{number:064}",
        tenant_id="acme",
        rule_id="spend.surge",
        title=f"finding {number}",
        severity=4,
        window_start=NOW,
        window_end=NOW,
    )


def until(courier: Courier, *wanted: str) -> None:
    """Let a courier go on until it has done these, in order; it may be idle in between."""
    left, deadline = list(wanted), time.monotonic() + 60
    while left:
        assert time.monotonic() < deadline, left
        what, _ = courier.step(time.time())
        if what == left[0]:
            left.pop(0)
        else:
            assert what == "idle", what


def test_a_process_that_ends_leaves_its_place_in_the_topic_to_the_next(
    kafka, topic, group, receiver, webhook
):
    """From a topic to a server and over a restart, with what came while nobody ran."""
    settings = KafkaSettings(brokers=kafka.bootstrap, findings_topic=topic(partitions=1))
    name, mourned = group(), []
    channel = Channel(channel_id="c", url=receiver.url, secrets=[SECRET])

    def publish(*values: bytes) -> None:
        kafka.produce(settings.findings_topic, list(values))

    def framed(number: int) -> bytes:
        return prefix(SCHEMA_ID) + encode(finding(number))

    def feed() -> FindingsFeed:
        return FindingsFeed(settings, name, Schemas(), session_timeout_s=6.0, poll_s=0.1)

    def courier_of(source: FindingsFeed) -> Courier:
        return Courier(channel, source, webhook.post, lambda *dead: mourned.append(dead), lambda *_: "")

    publish(framed(0))  # before the channel was there
    with closing(feed()) as first:
        courier = courier_of(first)
        deadline = time.monotonic() + 60
        while not first.has_place:
            assert time.monotonic() < deadline
            assert courier.step(time.time())[0] == "idle"
        publish(framed(1), b"no finding", framed(2))
        receiver.answers = [(204, {}), (503, {})]
        until(courier, "delivered", "again")
        first.wait(0.05)
    publish(framed(3))
    receiver.answers = [(204, {}), (410, {})]
    with closing(feed()) as second:
        until(courier_of(second), "delivered", "dead")
    with closing(feed()) as third:
        publish(framed(4))
        until(courier_of(third), "delivered")

    came = [receiver.next() for _ in range(5)]
    titles = [json.loads(each.body)["data"]["title"] for each in came]
    assert titles == ["finding 1", "finding 2", "finding 2", "finding 3", "finding 4"]
    assert receiver.received.empty()
    assert came[1].headers["webhook-id"] == came[2].headers["webhook-id"]
    assert [(dead[1].title, dead[2]) for dead in mourned] == [("finding 3", "http 410")]
    for each in came:
        headers = each.headers
        id_, at = headers["webhook-id"], int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == SigningSecret(SECRET).sign(id_, at, each.body)
