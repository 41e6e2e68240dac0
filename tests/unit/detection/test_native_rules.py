"""Rules that are written in Python: ids that exist, and a page each."""

from __future__ import annotations

import re

import pytest

from tests.support.native_rules import NATIVE
from tests.unit.detection.test_shipped_rules import RUNBOOKS, published


@pytest.mark.parametrize("rule", NATIVE)
def test_its_ids_of_atlas_and_owasp_are_published_ones(rule: str) -> None:
    known = published("atlas-ids.tsv") | published("owasp-ids.tsv")

    assert set(NATIVE[rule]) - known == set()


@pytest.mark.parametrize("rule", NATIVE)
def test_it_has_a_page(rule: str) -> None:
    page = (RUNBOOKS / f"{rule}.md").read_text(encoding="utf-8")

    assert re.match(rf"# {re.escape(rule)}\n\n.+\. Severity: \w+", page)
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["What it means", "How to check", "What to do"]
