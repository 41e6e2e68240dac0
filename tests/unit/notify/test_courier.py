"""A courier settles each finding once, tries again in time, and loses none when a process ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.core.errors import RetryableError
from auditstream.notify.channels import Channel
from auditstream.notify.courier import FIRST_PAUSE_S, GIVE_UP_S, LONGEST_PAUSE_S, Courier
from auditstream.notify.webhook import Attempt, Fate
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

NOW = datetime(2026, 11, 28, tzinfo=UTC)
START_S = NOW.timestamp()
FINDINGS = [
    Finding(
        finding_id=f"{number:064}",
        tenant_id="acme",
        rule_id="spend.surge",
        title="t",
        severity=3,
        window_start=NOW,
        window_end=NOW,
    )
    for number in range(5)
]
DELIVERED, AGAIN, REFUSED = (Attempt(each, each.value) for each in Fate)


@dataclass
class Topic:
    """Findings with the place of a consumer group, as Kafka keeps them when a process ends."""

    findings: Sequence[Finding]
    settled: int = 0
    read: int = 0
    is_away: bool = False

    def next(self):
        if self.read == len(self.findings):
            return None
        self.read += 1
        return self.findings[self.read - 1]

    def place(self):
        return self.read

    def settle(self, place=None):
        if self.is_away:
            raise RetryableError("Kafka is away")
        self.settled = self.read if place is None else place

    def restart(self):
        self.read = self.settled


@dataclass
class Receiver:
    """Answers as told, then with 200."""

    answers: list[Attempt] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    dead: list[tuple[str, str, int]] = field(default_factory=list)

    def post(self, body, headers, now_s):
        self.ids.append(headers["webhook-id"])
        self.bodies.append(json.loads(body))
        return self.answers.pop(0) if self.answers else DELIVERED

    def mourn(self, channel, finding, reason, attempts):
        self.dead.append((finding.finding_id, reason, attempts))


def courier_of(topic, receiver, *, muted=lambda finding, now_s: "", **fields):
    channel = Channel(channel_id="c", url="https://h/", **fields)
    return Courier(channel, topic, receiver.post, receiver.mourn, muted)


def steps(courier, now_s=START_S, most=50):
    """Return what a courier does until it has nothing to do or has to wait."""
    done = []
    while len(done) < most:
        what, wait_s = courier.step(now_s)
        done.append(what)
        if what == "idle" or wait_s:
            break
    return done


def test_findings_are_delivered_in_order_and_settled():
    topic, receiver = Topic(FINDINGS), Receiver()

    assert steps(courier_of(topic, receiver)) == ["delivered"] * 5 + ["idle"]
    assert receiver.ids == [f"{each.finding_id[:32]}-0" for each in FINDINGS]
    assert topic.settled == 5


def test_findings_that_call_nobody_or_are_not_for_the_channel_are_passed():
    others = [
        replace(FINDINGS[0], suppressed_by="told"),
        replace(FINDINGS[1], tenant_id="other"),
        replace(FINDINGS[2], severity=1),
    ]
    topic, receiver = Topic(others), Receiver()

    assert steps(courier_of(topic, receiver, tenants=frozenset({"acme"}))) == ["passed"] * 3 + ["idle"]
    assert receiver.ids == []
    assert topic.settled == 3


def test_a_mute_that_began_after_the_finding_holds_too():
    topic, receiver = Topic(FINDINGS[:2]), Receiver()
    muted = lambda finding, now_s: "mute:m" if finding is FINDINGS[0] else ""  # noqa: E731

    assert steps(courier_of(topic, receiver, muted=muted)) == ["muted", "delivered", "idle"]


def test_what_was_not_delivered_is_tried_again_later_and_later_under_the_same_id():
    topic, receiver = Topic(FINDINGS[:1]), Receiver(answers=[AGAIN] * 10)
    courier, now_s, waits = courier_of(topic, receiver), START_S, []
    while (outcome := courier.step(now_s))[0] == "again":
        waits.append(outcome[1])
        assert courier.step(now_s + outcome[1] - 1) == ("waiting", 1.0)
        now_s += outcome[1]

    assert outcome[0] == "delivered"
    assert waits == [FIRST_PAUSE_S * 2**each for each in range(8)] + [LONGEST_PAUSE_S] * 2
    assert len(receiver.ids) == 11
    assert len(set(receiver.ids)) == 1


def test_a_receiver_may_ask_to_wait_longer():
    receiver = Receiver(answers=[replace(AGAIN, retry_after_s=120.0)])

    assert courier_of(Topic(FINDINGS[:1]), receiver).step(START_S) == ("again", 120.0)


def test_a_refusal_is_a_dead_letter_at_once_and_holds_up_nobody():
    topic, receiver = Topic(FINDINGS[:2]), Receiver(answers=[REFUSED])

    assert steps(courier_of(topic, receiver)) == ["dead", "delivered", "idle"]
    assert receiver.dead == [(FINDINGS[0].finding_id, "refused", 1)]


def test_a_message_is_given_up_after_a_day():
    topic, receiver = Topic(FINDINGS[:1]), Receiver(answers=[AGAIN] * 1_000)
    courier, now_s = courier_of(topic, receiver), START_S
    while (outcome := courier.step(now_s))[0] == "again":
        now_s += outcome[1]

    assert outcome[0] == "dead"
    assert GIVE_UP_S - LONGEST_PAUSE_S < now_s - START_S <= GIVE_UP_S
    assert receiver.dead == [(FINDINGS[0].finding_id, "again", len(receiver.ids))]
    assert topic.settled == 1


def test_a_process_that_ends_while_it_tries_leaves_the_message_to_the_next():
    topic, receiver = Topic(FINDINGS[:2]), Receiver(answers=[DELIVERED, AGAIN])
    assert steps(courier_of(topic, receiver)) == ["delivered", "again"]

    topic.restart()

    assert steps(courier_of(topic, receiver)) == ["delivered", "idle"]
    assert receiver.ids == [f"{FINDINGS[0].finding_id[:32]}-0", *[f"{FINDINGS[1].finding_id[:32]}-0"] * 2]


def test_a_dead_letter_that_could_not_be_told_of_is_not_settled():
    topic, receiver = Topic(FINDINGS[:1]), Receiver(answers=[REFUSED, REFUSED])

    def away(*_):
        raise RetryableError("Kafka is away")

    courier = Courier(Channel(channel_id="c", url="https://h/"), topic, receiver.post, away, lambda *_: "")
    with pytest.raises(RetryableError):
        courier.step(START_S)
    topic.restart()

    assert topic.settled == 0
    assert steps(courier_of(topic, receiver)) == ["dead", "idle"]


def test_headers_are_signed_with_the_time_of_the_attempt():
    seen = []
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    channel = Channel(channel_id="c", url="https://h/", secrets=[secret])
    courier = Courier(
        channel,
        Topic(FINDINGS[:1]),
        lambda body, headers, now_s: seen.append((body, headers)) or DELIVERED,
        lambda *_: None,
        lambda *_: "",
    )
    courier.step(START_S + 7.9)

    ((body, headers),) = seen
    (signing,) = channel.secrets
    timestamp = int(START_S) + 7
    assert headers["webhook-timestamp"] == str(timestamp)
    assert headers["webhook-signature"] == signing.sign(headers["webhook-id"], timestamp, body)


def many(count, **fields):
    return [replace(FINDINGS[0], finding_id=f"{number:064}", **fields) for number in range(count)]


def test_a_tenant_is_told_of_ten_findings_an_hour_and_then_of_the_rest_together():
    topic, receiver = Topic([*many(13), *many(1, tenant_id="other")]), Receiver()
    courier = courier_of(topic, receiver)

    assert steps(courier) == [*["delivered"] * 10, *["held"] * 3, "delivered", "idle"]
    assert topic.settled == 10
    assert steps(courier, START_S + 3_599) == ["idle"]
    assert steps(courier, START_S + 3_600) == ["delivered", "idle"]
    assert topic.settled == 14

    (digest,) = receiver.bodies[11:]
    assert digest["data"]["rule_id"] == "findings.digest"
    assert digest["data"]["title"].startswith("3 findings of acme")


def test_ends_and_digests_of_detectors_pass_and_critical_findings_count_by_themselves():
    others = [
        *many(1, status=FindingStatus.RESOLVED),
        *many(1, rule_id="findings.digest"),
        *many(1, severity=5),
    ]
    topic, receiver = Topic([*many(10), *others]), Receiver()

    assert steps(courier_of(topic, receiver)) == [*["delivered"] * 13, "idle"]


def test_what_waits_for_a_digest_outlives_the_process():
    topic, receiver = Topic([*many(12), *many(1, status=FindingStatus.RESOLVED)]), Receiver()
    steps(courier_of(topic, receiver))
    topic.restart()

    assert topic.settled == 10
    assert steps(courier_of(topic, receiver)) == ["delivered", "delivered", "delivered", "idle"]
    assert len(receiver.ids) == 11 + 3


def test_a_digest_is_tried_again_like_anything_else():
    topic, receiver = Topic(many(11)), Receiver()
    courier = courier_of(topic, receiver)
    steps(courier)
    receiver.answers = [AGAIN]

    assert steps(courier, START_S + 3_600) == ["again"]
    assert topic.settled == 10
    assert steps(courier, START_S + 3_606) == ["delivered", "idle"]
    assert topic.settled == 11
    assert receiver.ids[-1] == receiver.ids[-2]
