"""The pages about prices name all reasons, dimensions and checks, and their examples are valid."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditstream.pricing.book import NoPrice
from auditstream.pricing.meters import METERS
from auditstream.reference.documents import Reading
from auditstream.reference.rates import Price

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/price-dimensions.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/prices.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([\w/.]+)`")


def test_every_reason_for_no_price_is_explained() -> None:
    assert {str(reason) for reason in NoPrice} - set(CODE.findall(REFERENCE)) == set()


def test_every_dimension_of_the_table_is_there() -> None:
    assert set(Price.KEY) - {"catalogue"} - set(CODE.findall(REFERENCE)) == set()


def test_meters_that_are_named_exist_in_their_units() -> None:
    (table,) = re.findall(r"## Meters\n.*?(\|.*?)\n\n", REFERENCE, re.DOTALL)
    named = {key for key in CODE.findall(table) if key in METERS}

    for line in table.splitlines()[2:]:
        what, units = line.split("|")[2:4]
        assert {METERS[key].unit for key in CODE.findall(what)} == set(CODE.findall(units))
    families = {unit for key in named for unit in [METERS[key].unit]}
    assert families == {meter.unit for meter in METERS.values()}


def test_every_check_is_explained() -> None:
    files = ("auditstream/pricing/book_checks.py", "auditstream/cli/price_checks.py")
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in files)
    checks = set(re.findall(r'Fault\(\s*"(\w+)"|"check": "(\w+)"', text))

    assert {one or other for one, other in checks} - set(CODE.findall(HOW_TO)) == set()


@pytest.mark.parametrize("file", sorted((ROOT / "examples/prices").iterdir()), ids=lambda file: file.name)
def test_the_examples_are_valid(file: Path) -> None:
    reading = Reading()

    reading.add(file.read_text(encoding="utf-8"), file.name, now=datetime(2026, 11, 28, tzinfo=UTC))

    assert reading.problems == []
    assert reading.stated
