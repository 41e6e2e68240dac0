"""What people do about findings: an event, another version, and no word of a person's lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from auditstream.core.errors import RequestError, RetryableError
from auditstream.emit.triage import Act, acted, carry_out, triage_event
from auditstream.query.findings import Standing, Version
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

NOW = datetime(2026, 11, 28, tzinfo=UTC)
OPENED = Finding(
    finding_id="ab" * 32,
    version=2_000,
    tenant_id="acme",
    rule_id="spend.surge",
    title="t",
    status=FindingStatus.NEW,
    severity=4,
    confidence=75,
    scope="model=m",
    attacks=("LLM10",),
    window_start=NOW,
    window_end=NOW,
)


def standing(*findings):
    return Standing(tuple(Version(each, NOW) for each in findings))


def act(name, **fields):
    return Act(name=name, actor="kim", at=NOW, **fields)


@pytest.mark.parametrize(
    ("doing", "status", "why"),
    [
        (act("acknowledge"), FindingStatus.IN_PROGRESS, "triage"),
        (act("assign", assignee="lee"), FindingStatus.IN_PROGRESS, "triage"),
        (act("comment", comment="a load test"), FindingStatus.NEW, "triage"),
        (act("close", comment="done"), FindingStatus.RESOLVED, None),
    ],
)
def test_an_act_is_another_version_with_who_and_what(doing, status, why):
    made = acted(standing(OPENED), doing)

    assert (made.version, made.status, made.suppressed_by) == (2_001, status, why)
    assert (made.act, made.actor, made.assignee) == (doing.name, "kim", doing.assignee)
    assert made.comment == doing.comment
    assert (
        replace(
            made,
            version=2_000,
            status=OPENED.status,
            suppressed_by=None,
            act="",
            actor="",
            assignee="",
            comment="",
        )
        == OPENED
    )


def test_a_close_that_nobody_was_called_for_is_told_to_nobody():
    quiet = replace(OPENED, suppressed_by="gate")

    assert acted(standing(quiet), act("close")).suppressed_by == "triage"


def test_a_persons_word_holds_over_updates_until_the_detector_says_that_it_is_over():
    acknowledged = acted(standing(OPENED), act("assign", assignee="lee"))
    update = replace(OPENED, version=3_000)
    over = replace(OPENED, version=4_000, status=FindingStatus.RESOLVED)

    assert standing(OPENED, acknowledged, update).status is FindingStatus.IN_PROGRESS
    assert standing(OPENED, acknowledged, update).assignee == "lee"
    assert standing(OPENED, acknowledged, update, over).status is FindingStatus.RESOLVED
    assert acted(standing(OPENED, acknowledged, update), act("comment", comment="x")).version == 3_001


@pytest.mark.parametrize("name", ["acknowledge", "close"])
def test_what_is_over_is_not_closed_again_but_can_be_commented(name):
    over = standing(replace(OPENED, status=FindingStatus.RESOLVED))

    with pytest.raises(RequestError, match="over already"):
        acted(over, act(name))

    assert acted(over, act("comment", comment="x")).status is FindingStatus.RESOLVED


@pytest.mark.parametrize(
    ("doing", "field"),
    [
        (act("assign"), "assignee"),
        (act("comment"), "comment"),
        (act("close", comment="x" * 2_001), "comment"),
        (act("assign", assignee="x" * 257), "assignee"),
    ],
)
def test_an_act_that_lacks_something_is_refused_with_the_field(doing, field):
    with pytest.raises(RequestError, match=f"{field}: "):
        acted(standing(OPENED), doing)


def test_acts_never_take_the_detectors_next_number():
    last = replace(OPENED, version=2_999)

    with pytest.raises(RequestError, match="999 acts"):
        acted(standing(last), act("comment", comment="x"))


def test_the_event_says_who_did_what_about_which_finding():
    doing = act("assign", assignee="lee", comment="please")
    event = triage_event(acted(standing(OPENED), doing), doing)

    assert (event["event_type"], event["source"]) == ("ai.finding", "urn:auditstream:triage")
    assert (event["tenant_id"], event["actor_id"], event["severity"]) == ("acme", "kim", 4)
    assert event["finding"]["rule_id"] == "spend.surge"
    assert event["finding"]["status"] == "IN_PROGRESS"
    assert event["attributes"] == {
        "act": "assign",
        "finding_id": "ab" * 32,
        "version": "2001",
        "scope": "model=m",
        "assignee": "lee",
        "comment": "please",
    }


def test_without_its_event_nothing_is_done():
    published = []

    def away(_events):
        raise RetryableError("Kafka is away")

    with pytest.raises(RetryableError):
        carry_out(standing(OPENED), act("close"), announce=away, publish=published.append)

    assert published == []


def test_the_event_comes_before_the_version():
    order = []

    made = carry_out(
        standing(OPENED),
        act("close"),
        announce=lambda events: order.append(("event", events[0]["attributes"]["version"])),
        publish=lambda findings: order.append(("version", findings[0].version)),
    )

    assert order == [("event", "2001"), ("version", 2_001)]
    assert made.status is FindingStatus.RESOLVED
