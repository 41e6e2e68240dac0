"""Refusals of a sealer as findings: one each, made known until it is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from auditstream.core.errors import RetryableError
from auditstream.emit.seal_findings import SealFindings, finding_of
from auditstream.sealer.sealing import SealRefusedError, StoreBehindError
from auditstream.sealer.service import Trouble
from schemas.records.detection import Finding

AT = datetime(2026, 1, 2, tzinfo=UTC)
REFUSED = Trouble("topic/0/aa", SealRefusedError("size 7 was signed, found size 8"), is_refusal=True)


class Topic:
    def __init__(self) -> None:
        self.is_away = False
        self.told: list[Finding] = []

    def __call__(self, findings: Sequence[Finding]) -> None:
        if self.is_away:
            raise RetryableError("away")
        self.told += findings


def test_a_refusal_is_one_finding_however_often_a_round_has_it() -> None:
    topic = Topic()
    findings = SealFindings(topic, lambda: AT)
    for _ in range(3):
        findings(REFUSED)
        assert findings.tell()

    (told,) = topic.told
    assert (told.rule_id, told.scope, told.severity) == ("evidence.seal_refused", "log=topic/0/aa", 5)
    assert "size 7 was signed" in told.title


def test_another_log_or_another_contradiction_is_another_finding() -> None:
    other_log = Trouble("topic/1/aa", REFUSED.error, is_refusal=True)
    other_words = Trouble("topic/0/aa", SealRefusedError("size 9"), is_refusal=True)

    ids = {finding_of(each, AT).finding_id for each in (REFUSED, other_log, other_words)}

    assert len(ids) == 3
    assert finding_of(REFUSED, AT.replace(year=2027)).finding_id in ids


def test_what_may_go_through_in_a_later_round_is_no_finding() -> None:
    topic = Topic()
    findings = SealFindings(topic)
    findings(Trouble("topic/0/aa", StoreBehindError("lags"), is_refusal=False))

    assert findings.tell()
    assert topic.told == []


def test_a_finding_waits_until_somebody_can_be_told() -> None:
    topic = Topic()
    topic.is_away = True
    findings = SealFindings(topic)
    findings(REFUSED)
    assert not findings.tell()
    topic.is_away = False

    assert findings.tell()
    assert len(topic.told) == 1
