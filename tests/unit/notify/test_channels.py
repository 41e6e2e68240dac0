"""A file of channels is read, or refused with channel, field and reason, without a word of its secrets."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.core.errors import ConfigError
from auditstream.detection.severities import Severity
from auditstream.notify.channels import read_channels
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
FINDING = Finding(
    finding_id="f",
    tenant_id="acme",
    rule_id="spend.surge",
    title="t",
    severity=3,
    window_start=NOW,
    window_end=NOW,
)


PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "findings.md"


@pytest.fixture
def read(tmp_path):
    def reading(text, mode=0o600):
        path = tmp_path / "channels.yaml"
        path.write_text(text)
        path.chmod(mode)
        return read_channels(path)

    return reading


def test_a_channel_is_read_with_all_of_its_fields(read):
    (channel,) = read(f"""
channels:
- channel_id: security
  url: https://hooks.example/x?y=z
  shape: slack
  secrets: [{SECRET}]
  tenants: [acme]
  rules: [spend.surge]
  least_severity: High
  tells_ends: false
""")

    assert (channel.channel_id, channel.url, channel.shape) == (
        "security",
        "https://hooks.example/x?y=z",
        "slack",
    )
    assert len(channel.secrets) == 1
    assert channel.least_severity is Severity.HIGH
    assert SECRET[6:] not in repr(channel)


def test_the_channels_of_the_page_are_read(read):
    text = next(
        each for each in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "url" in each
    )

    channels = read(text)

    assert [each.shape for each in channels] == ["auditstream", "slack", "alertmanager-api"]


def test_a_channel_is_told_of_what_it_names(read):
    (all_, some) = read("""
channels:
- {channel_id: all, url: "http://127.0.0.1:1/"}
- {channel_id: some, url: "https://h/", tenants: [acme], rules: [spend.surge], least_severity: high,
   tells_ends: false}
""")
    high = replace(FINDING, severity=4)

    assert [all_.wants(each) for each in (FINDING, high, replace(FINDING, severity=2))] == [True, True, False]
    assert [some.wants(each) for each in (FINDING, high)] == [False, True]
    assert not some.wants(replace(high, tenant_id="other"))
    assert not some.wants(replace(high, rule_id="rate.shape"))
    assert not some.wants(replace(high, status=FindingStatus.RESOLVED))
    assert all_.wants(replace(high, status=FindingStatus.RESOLVED))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("channels: [", "is not YAML"),
        ("[]", "must be a mapping with the one field channels"),
        ("channels: []\nmore: 1", "must be a mapping with the one field channels"),
        ("channels: [{url: 'https://h/'}]", "channel 1: channel_id: Field required"),
        ("channels: [{channel_id: a, url: 'ftp://h/'}]", "channel 1: url: must be an http"),
        ("channels: [{channel_id: a, url: 'http://h/'}]", "channel 1: url: must be https"),
        ("channels: [{channel_id: a b, url: 'https://h/'}]", "channel 1: channel_id: "),
        ("channels: [{channel_id: a, url: 'https://h/', shape: irc}]", "channel 1: shape: "),
        ("channels: [{channel_id: a, url: 'https://h/', sekret: x}]", "channel 1: sekret: Extra"),
        (
            "channels: [{channel_id: a, url: 'https://h/', least_severity: 9}]",
            "least_severity: must be one of",
        ),
        ("channels: [{channel_id: a, url: 'https://h/', secrets: [hunter2]}]", "secrets: a webhook's secret"),
        ("channels: [{channel_id: a, url: 'https://h/', secrets: hunter2}]", "secrets: must be a list"),
        ("channels: [hunter2]", "channel 1: "),
        (
            "channels: [{channel_id: a, url: 'https://h/'}, {channel_id: a, url: 'https://i/'}]",
            "channel_id: a comes twice",
        ),
        (
            "channels:\n" + "".join(f"- {{channel_id: c{n}, url: 'https://h/'}}\n" for n in range(33)),
            "33 are more than 32",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_field_and_reason(read, text, reason):
    with pytest.raises(ConfigError) as refusal:
        read(text)

    assert reason in refusal.value.message
    assert "hunter2" not in refusal.value.message


def test_a_file_that_others_may_read_is_refused(read):
    with pytest.raises(ConfigError, match="can be read"):
        read("channels: []", mode=0o644)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"notify\.channels_file"):
        read_channels(tmp_path / "none.yaml")
