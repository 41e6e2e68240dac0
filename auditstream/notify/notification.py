"""What a notification says, in the forms that receivers know."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from auditstream.detection.severities import Severity
from auditstream.notify.channels import Channel, Shape
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

_SLACK_ICONS = {2: ":information_source:", 3: ":warning:", 4: ":rotating_light:", 5: ":fire:", 6: ":fire:"}
_SLACK_MOST = 3_000  # characters of a section's text: Slack refuses more
_WORDS = ("info", "warning", "critical")  # of Alertmanager's users: low, medium, high and graver
# Alertmanager takes an alert for over that nobody repeats; ours are repeated after a day.
_STANDS_FOR = timedelta(hours=25)


@dataclass(frozen=True, slots=True)
class Notification:
    """A message as it is sent.

    Attributes:
        message_id: The same at every attempt, other for every version of a finding: receivers tell repeats
            by it.
        body: JSON.
    """

    message_id: str
    body: bytes


def notification_of(finding: Finding, channel: Channel) -> Notification:
    """Return what a channel is told of a finding: the same bytes whenever it is asked."""
    told = replace(
        finding,
        observed=_finite(finding.observed),
        expected=_finite(finding.expected),
        score=_finite(finding.score),
    )
    body = _FORMS[channel.shape](told, channel)
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return Notification(f"{finding.finding_id[:32]}-{finding.version}", text.encode())


def _own(finding: Finding, _channel: Channel) -> Mapping[str, Any]:
    """Ours, as Standard Webhooks has it: type, time and data, which is the finding as its schema has it."""
    return {
        "type": f"finding.{_act(finding)}",
        "timestamp": finding.window_end,
        "data": finding.to_datum() | {"severity_name": Severity(finding.severity).word},
    }


def _slack(finding: Finding, _channel: Channel) -> Mapping[str, Any]:
    """A message of Slack's incoming webhooks, with blocks: https://api.slack.com/messaging/webhooks."""
    is_over = finding.status is FindingStatus.RESOLVED
    icon = ":white_check_mark:" if is_over else _SLACK_ICONS.get(finding.severity, ":grey_question:")
    word = "Over" if is_over else Severity(finding.severity).word
    line = f"{word}: {finding.title}"
    facts = {
        "Rule": finding.rule_id,
        "Tenant": finding.tenant_id,
        "Scope": finding.scope,
        "Since": _plain(finding.window_start),
        "More than usual": f"{finding.excess_cost:.2f} {finding.currency}" if finding.excess_cost else "",
        "Mostly": ", ".join(f"{name} {share:.0%}" for name, share in _largest(finding)),
    }
    fields = [
        {"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"} for name, value in facts.items() if value
    ]
    return {
        "text": _escaped(line),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": f"{icon} {_escaped(line)}"[:_SLACK_MOST]}},
            {"type": "section", "fields": fields},
            {
                "type": "context",
                "elements": [
                    {"type": "mrkdwn", "text": f"`auditstream findings show {finding.finding_id[:16]}`"}
                ],
            },
        ],
    }


def _alertmanager(finding: Finding, channel: Channel) -> Mapping[str, Any]:
    """What Alertmanager sends to webhooks, version 4: `webhook_config` in its documentation."""
    alert = _alert(finding, _word(finding))
    status = "resolved" if finding.status is FindingStatus.RESOLVED else "firing"
    return {
        "version": "4",
        "groupKey": f'{{}}:{{finding_id="{finding.finding_id}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": channel.channel_id,
        "groupLabels": {"alertname": finding.rule_id},
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": "",
        "alerts": [{"status": status, **alert, "fingerprint": finding.finding_id[:16]}],
    }


def _alertmanager_api(finding: Finding, _channel: Channel) -> list[Mapping[str, Any]]:
    """What `POST /api/v2/alerts` of Alertmanager takes.

    The severity is a label, by which its users route; so a finding that got graver is another alert to it,
    and the lesser one is told to be over.
    """
    alert = _alert(finding, _word(finding))
    if finding.status is not FindingStatus.RESOLVED:
        alert = {**alert, "endsAt": finding.window_end + _STANDS_FOR}
    lesser = _WORDS[: _WORDS.index(_word(finding))]
    return [alert, *({**_alert(finding, word), "endsAt": finding.window_end} for word in lesser)]


def _alert(finding: Finding, severity: str) -> Mapping[str, Any]:
    """Return a finding as an alert; its labels are the same in every version of one severity."""
    is_over = finding.status is FindingStatus.RESOLVED
    usual = f"{finding.metric} {finding.observed} where {finding.expected} is usual"
    return {
        "labels": {
            "alertname": finding.rule_id,
            "severity": severity,
            "tenant": finding.tenant_id,
            "scope": finding.scope,
            "finding_id": finding.finding_id,
        },
        "annotations": {
            "summary": finding.title,
            "description": finding.title if finding.expected is None else usual,
            "attacks": " ".join(finding.attacks),
        },
        "startsAt": finding.window_start,
        **({"endsAt": finding.window_end} if is_over else {}),
        "generatorURL": "",
    }


def _word(finding: Finding) -> str:
    return _WORDS[max(0, min(finding.severity - 2, len(_WORDS) - 1))]


_FORMS: Mapping[Shape, Callable[[Finding, Channel], Any]] = {
    "auditstream": _own,
    "slack": _slack,
    "alertmanager": _alertmanager,
    "alertmanager-api": _alertmanager_api,
}


def _act(finding: Finding) -> str:
    if finding.status is FindingStatus.RESOLVED:
        return "resolved"
    return "updated" if finding.version else "opened"


def _largest(finding: Finding) -> list[tuple[str, float]]:
    return sorted(finding.contributors.items(), key=lambda each: (-each[1], each[0]))[:3]


def _finite(value: float | None) -> float | None:
    """Return a number that JSON has: neither infinity nor NaN."""
    return value if value is not None and math.isfinite(value) else None


def _escaped(text: str) -> str:
    """Return text that Slack shows as it is: what came with events must mention nobody and link nowhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError(f"{type(value).__name__} is not JSON")
