"""What notifications say, in each of their forms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from auditstream.notify.channels import Channel
from auditstream.notify.notification import notification_of
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
FINDING = Finding(
    finding_id="ab" * 32,
    version=2_000,
    tenant_id="acme",
    rule_id="spend.surge",
    title="spend.surge: spend_15m <80> & more",
    status=FindingStatus.NEW,
    severity=4,
    scope="credential=key-1",
    metric="spend_15m",
    window_start=START,
    window_end=START.replace(minute=5),
    observed=80.0,
    expected=4.0,
    score=float("inf"),
    excess_cost=Decimal("76.000000000000"),
    currency="USD",
    contributors={"model=m": 0.75, "model=n": 0.25},
    attacks=("AML.T0034",),
)
OVER = replace(FINDING, version=3_000, status=FindingStatus.RESOLVED)


def told(finding, shape):
    channel = Channel(channel_id="c", url="https://h/", shape=shape)
    return json.loads(notification_of(finding, channel).body, parse_constant=pytest.fail)


def test_ids_tell_versions_apart_and_hold_no_dot():
    channel = Channel(channel_id="c", url="https://h/")
    first, again, over = (notification_of(each, channel) for each in (FINDING, FINDING, OVER))

    assert first == again
    assert first.message_id == "ab" * 16 + "-2000"
    assert over.message_id != first.message_id


@pytest.mark.parametrize(
    ("finding", "act"),
    [(replace(FINDING, version=0), "opened"), (FINDING, "updated"), (OVER, "resolved")],
)
def test_our_own_form_is_type_time_and_the_finding(finding, act):
    body = told(finding, "auditstream")

    assert (body["type"], body["timestamp"]) == (f"finding.{act}", "2026-11-28T12:05:00Z")
    assert set(body["data"]) == {*Finding.field_names(), "severity_name"}
    assert body["data"]["severity_name"] == "High"
    assert body["data"]["excess_cost"] == "76.000000000000"
    assert body["data"]["score"] is None


def test_a_slack_message_says_what_and_whose_and_lets_nobody_be_mentioned():
    body = told(replace(FINDING, scope="agent=<!channel>"), "slack")

    assert body["text"] == "High: spend.surge: spend_15m &lt;80&gt; &amp; more"
    assert [each["type"] for each in body["blocks"]] == ["section", "section", "context"]
    fields = [each["text"] for each in body["blocks"][1]["fields"]]
    assert "*Scope*\nagent=&lt;!channel&gt;" in fields
    assert "*More than usual*\n76.00 USD" in fields
    assert "*Mostly*\nmodel=m 75%, model=n 25%" in fields
    assert told(OVER, "slack")["text"].startswith("Over: ")


def test_the_webhook_form_of_alertmanager_is_version_4():
    body, over = told(FINDING, "alertmanager"), told(OVER, "alertmanager")

    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "c")
    (alert,) = body["alerts"]
    assert alert["labels"] == body["commonLabels"] == over["alerts"][0]["labels"]
    assert (alert["labels"]["alertname"], alert["labels"]["severity"]) == ("spend.surge", "critical")
    assert alert["startsAt"] == "2026-11-28T12:00:00Z"
    assert "endsAt" not in alert
    assert (over["status"], over["alerts"][0]["endsAt"]) == ("resolved", "2026-11-28T12:05:00Z")


def test_alertmanagers_api_hears_that_it_stands_for_a_day_and_that_lesser_ones_are_over():
    alert, *lesser = told(FINDING, "alertmanager-api")

    assert (alert["labels"]["severity"], alert["endsAt"]) == ("critical", "2026-11-29T13:05:00Z")
    assert [(each["labels"]["severity"], each["endsAt"]) for each in lesser] == [
        ("info", "2026-11-28T12:05:00Z"),
        ("warning", "2026-11-28T12:05:00Z"),
    ]
    assert {each["endsAt"] for each in told(OVER, "alertmanager-api")} == {"2026-11-28T12:05:00Z"}
