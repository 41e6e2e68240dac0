"""The page about rules: what it shows can run, and its cases come out as it says."""

from __future__ import annotations

import re
from pathlib import Path

from auditstream.detection.rules.cases import read_cases, run_cases
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import SEVERITIES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "rules.md").read_text(encoding="utf-8")
RUNBOOKS = (ROOT / "docs" / "runbooks" / "README.md").read_text(encoding="utf-8")


def test_its_rules_can_run_and_its_cases_come_out_as_they_say() -> None:
    rule, correlation, cases = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    rules, faults = read_rules({"correlation.yaml": correlation, "rule.yaml": rule})
    read, broken = read_cases({"rule.cases.yaml": cases})
    assert (faults, broken) == ([], [])
    assert [each.name for each in rules.abouts()] == [
        "acme.many_payments_without_ticket",
        "acme.payment_without_ticket",
    ]
    assert [each.passes for each in run_cases(rules, read)] == [True, True]


def test_the_list_of_runbooks_is_that_of_the_rules() -> None:
    rules, _ = read_rules(shipped_rules())
    words = {number: word for word, number in SEVERITIES.items()}
    listed = re.findall(r"^\| \[(\S+)\]\(\1\.md\) \| (\w+) \| (.*) \|$", RUNBOOKS, re.MULTILINE)
    assert listed == [(each.name, words[each.severity], each.title) for each in rules.abouts()]
