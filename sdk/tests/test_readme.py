"""The README's examples run, and record what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auditstream_sdk.recorders import KINDS
from auditstream_sdk.settings import Settings

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), names)
    return names


def test_every_example_records_what_it_says(gateway, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDITSTREAM_SDK_URL", gateway.url)
    monkeypatch.setenv("AUDITSTREAM_SDK_KEY", "ask_1_secret")
    monkeypatch.setenv("AUDITSTREAM_SDK_SOURCE", "svc://checkout")
    monkeypatch.setenv("AUDITSTREAM_SDK_SPOOL", str(tmp_path / "spool"))
    for block in BLOCKS:
        run(block)

    events = {event["event_type"]: event for event in gateway.events}

    assert events.keys() - {"ai.source.heartbeat"} == {
        "ai.inference",
        "ai.tool_call",
        "ai.policy.decision",
        "ai.retrieval",
        "ai.access.grant",
    }
    assert events["ai.inference"]["conversation_id"] == "conv-42"
    assert events["ai.inference"]["usage"]["cache_read_tokens"] == 1000
    assert events["ai.tool_call"]["environment"] == "production"
    assert events["ai.retrieval"]["retrieval"]["hits"] == 3


def test_the_example_of_a_test_is_one(audit_recorder):
    run(BLOCKS[-1])["test_the_answer_is_recorded"](audit_recorder)


def test_every_recorder_and_every_setting_that_the_page_names_is_there():
    listed = re.search(r"one for each kind of event: (.*?)\. Each takes", README, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"`(\w+)`", listed[1])) == KINDS.keys()
    named = re.search(r"The ones you may need: (.*?)\. Any other", README, re.DOTALL)
    assert named is not None
    settings = set(re.findall(r"`([a-z_]+)`", named[1]))
    assert settings <= set(Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("(256 MiB)", "spool_bytes", 256 << 20),
        ("(10,000)", "queue_events", 10_000),
        ("`batch_age_s` (1 s)", "batch_age_s", 1.0),
        ("`exit_deadline_s` (5 s)", "exit_deadline_s", 5.0),
        ("`queue_wait_s` (50 ms)", "queue_wait_s", 0.05),
        ("(`linger_s`, 50 ms", "linger_s", 0.05),
    ],
)
def test_defaults_that_the_page_names_are_those_of_the_code(text, name, value):
    assert text in README
    assert getattr(Settings(), name) == value
