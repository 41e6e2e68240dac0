"""`auditstream rules`: what is on, what is wrong and what the cases say, by exit code and row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli.main import run
from auditstream.cli.rule_folder import rules_in_use, rules_of
from auditstream.core.errors import ConfigError
from auditstream.core.settings import RuleSettings

RULE = """
title: A shell was called
name: acme.shell
logsource: {product: ai_audit, service: ai.tool_call}
detection: {call: {tool_name: shell}, condition: call}
level: high
"""
CASES = """
- {rule: acme.shell, case: a shell, matches: true, events: [{event_type: ai.tool_call, tool: {name: SHELL}}]}
- {rule: acme.shell, case: none, matches: false, events: [{event_type: ai.tool_call, tool: {name: search}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "shell.yaml").write_text(RULE, encoding="utf-8")
    (tmp_path / "more" / "shell.cases.yaml").write_text(CASES, encoding="utf-8")
    return tmp_path


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_well_prints_nothing_and_ends_with_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "check", str(folder)]) == 0
    assert run(["rules", "test", str(folder)]) == 0
    assert rows(capsys) == []


def test_a_fault_names_file_rule_field_and_reason(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yml").write_text(RULE.replace("tool_name", "toolname").replace("acme.", "bad."))
    assert run(["rules", "check", str(folder)]) == 7
    assert rows(capsys) == [
        {
            "file": "bad.yml", "rule": "bad.shell", "field": "toolname", "reason": "is no column of events",
            "hint": "Did you mean tool_name?",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("was", "instead", "field", "result"),
    [
        ("name: search", "name: shell", "none", "fails"),
        ("matches: false", "matches: 0", "matches", "is needed: true or false"),
        ("rule: acme.shell, case: none", "rule: acme.shel, case: none", "rule", "no such rule"),
        ("- {rule: acme.shell, case: none", "- {rule: acme.shell, kase: none", "kase", "is none of"),
        ("tool: {name: search}", "tool: {nam: search}", "tool.nam", "no such field"),
    ],
)
def test_a_case_that_does_not_come_out_or_is_none_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], was: str, instead: str, field: str, result: str
) -> None:
    (folder / "more" / "shell.cases.yaml").write_text(CASES.replace(was, instead), encoding="utf-8")
    assert run(["rules", "test", str(folder)]) == 7
    found = rows(capsys)
    assert any(row["case"] == field and result in row["result"] for row in found), found


def test_a_rule_without_both_kinds_of_cases_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "more" / "shell.cases.yaml").write_text(CASES.splitlines()[1], encoding="utf-8")
    assert run(["rules", "test", str(folder)]) == 7
    [row] = rows(capsys)
    assert (row["rule"], row["result"]) == ("acme.shell", "has none that must not match")


def test_the_rules_that_are_on_are_listed_with_those_of_the_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITSTREAM_RULES__FOLDER", str(folder))
    monkeypatch.setenv("AUDITSTREAM_RULES__OFF", '["aws.user_made"]')
    assert run(["rules", "list"]) == 0
    found = {row["rule"]: row for row in rows(capsys)}
    assert found["acme.shell"]["severity"] == "high"
    assert found["guardrail.denied_repeatedly"]["kind"] == "event_count"
    assert "aws.user_made" not in found
    assert "guardrail.denied" not in found


def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "check", str(tmp_path / "nowhere")]) == 4
    assert "no such folder" in capsys.readouterr().err


def test_a_worker_does_not_start_with_a_rule_that_cannot_run(folder: Path) -> None:
    (folder / "bad.yaml").write_text(RULE.replace("tool_name", "toolname").replace("acme.", "bad."))
    with pytest.raises(
        ConfigError, match=r"rules: bad.yaml: bad.shell: toolname: is no column of events"
    ) as told:
        rules_of(RuleSettings(folder=folder))
    assert told.value.hint == "Did you mean tool_name?"


def test_a_rule_may_take_the_name_of_a_shipped_one_that_is_off(folder: Path) -> None:
    (folder / "own.yaml").write_text(RULE.replace("acme.shell", "aws.user_made"), encoding="utf-8")
    _, faults = rules_in_use(shipped=True, folder=folder, off=())
    assert [(each.rule, each.reason) for each in faults] == [("aws.user_made", "is a shipped rule's too")]
    rules, faults = rules_in_use(shipped=True, folder=folder, off=("aws.user_made",))
    assert faults == []
    assert rules.rules["aws.user_made"].about.title == "A shell was called"


def test_a_rule_that_is_counted_stays_when_it_is_off_and_unknown_names_are_told() -> None:
    rules, faults = rules_in_use(shipped=True, folder=None, off=("guardrail.denied_repeatedly", "no.such"))
    assert [(each.rule, each.reason) for each in faults] == [("no.such", "no such rule")]
    assert "guardrail.denied" not in rules.rules
    assert rules_in_use(shipped=False, folder=None, off=())[0].abouts() == []
