"""The rules that ship: their cases, ids that exist, and a page each."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from auditstream.detection.rules.cases import read_cases, run_cases
from auditstream.detection.rules.packaged import shipped_cases, shipped_rules
from auditstream.detection.rules.reading import read_rules
from auditstream.detection.rules.rule import About
from auditstream.query import grammar
from tests.support.arguments import command_of
from tests.support.native_rules import NATIVE

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
RULES, FAULTS = read_rules(shipped_rules())
CASES, BROKEN = read_cases(shipped_cases())
ABOUTS = RULES.abouts()


def published(name: str) -> set[str]:
    lines = (ROOT / "tests" / "data" / name).read_text(encoding="utf-8").splitlines()
    return {line.split("\t")[0] for line in lines if not line.startswith("#")}


def test_all_can_run() -> None:
    assert (FAULTS, BROKEN) == ([], [])
    assert len(ABOUTS) > 30


def test_every_case_comes_out_as_it_says() -> None:
    wrong = [(each.case.rule, each.case.name) for each in run_cases(RULES, CASES) if not each.passes]
    assert wrong == []


@pytest.mark.parametrize("about", ABOUTS, ids=lambda each: each.name)
def test_a_rule_has_cases_that_match_and_such_that_do_not(about: About) -> None:
    assert {case.matches for case in CASES if case.rule == about.name} == {True, False}


@pytest.mark.parametrize("about", ABOUTS, ids=lambda each: each.name)
def test_its_ids_of_atlas_and_owasp_are_published_ones(about: About) -> None:
    known = published("atlas-ids.tsv") | published("owasp-ids.tsv")
    ids = [each for each in about.attacks if not re.fullmatch(r"T\d{4}(\.\d{3})?", each)]
    assert set(ids) <= known
    assert any(each.startswith("AML.T") for each in ids)
    assert any(re.match("LLM|ASI|MCP", each) for each in ids)


@pytest.mark.parametrize("about", ABOUTS, ids=lambda each: each.name)
def test_it_has_a_page(about: About) -> None:
    page = (RUNBOOKS / f"{about.name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {about.name}\n\n{about.title}.")
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["What it means", "How to check", "What to do"]


def test_the_commands_of_the_pages_can_be_typed() -> None:
    pages = (page.read_text(encoding="utf-8") for page in RUNBOOKS.glob("*.*.md"))
    lines = {line for page in pages for line in re.findall(r"^auditstream .*$", page, re.MULTILINE)}
    by_command = {words[1]: words[1:] for line in lines if (words := shlex.split(line))}
    assert {"search", "show", "sql"} <= {command_of(each) for each in by_command.values()}
    for line in lines:
        words = shlex.split(line)
        assert words[1] != "search" or grammar.parse(words[2])


def test_there_is_no_page_of_a_rule_that_is_not() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.*.md")}
    assert pages - {each.name for each in ABOUTS} - set(NATIVE) == set()
