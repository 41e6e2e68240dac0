"""Findings as they stand, asked of the engine: newest versions, people's words, and filters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import NotFoundError, RequestError
from auditstream.emit.triage import Act, acted
from auditstream.query.findings import Wanted, current, standing
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.clients import ClientPool
from sinks.finding_rows import add_findings

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
OPENED = Finding(
    finding_id="ab" * 32,
    tenant_id="acme",
    rule_id="spend.surge",
    title="surge",
    status=FindingStatus.NEW,
    severity=4,
    scope="model=m",
    window_start=NOON,
    window_end=NOON + timedelta(minutes=5),
    observed=2.5,
    excess_cost=Decimal("12.5"),
    currency="USD",
    contributors={"credential=k": 1.0},
    attacks=("LLM10",),
    related_events=("e1", "e2"),
)
UPDATED = replace(OPENED, version=1_000, severity=5, title="worse", suppressed_by="told")
OTHER = replace(
    OPENED,
    finding_id="cd" * 32,
    tenant_id="globex",
    rule_id="rate.shape",
    severity=1,
    suppressed_by="gate",
    excess_cost=None,
    currency="",
    window_end=NOON + timedelta(hours=1),
)


def act(name, **fields):
    return Act(name=name, actor="kim", at=NOON, **fields)


@pytest.fixture(scope="module")
def reader(engine, migrated):
    database = str(migrated.value("SELECT currentDatabase()"))
    opened = Reader(ClientPool(lambda: engine(database)))
    yield opened
    opened.close()


@pytest.fixture
def add(migrated):
    migrated.client.command("TRUNCATE TABLE findings")
    return lambda *findings: add_findings(migrated.client, findings)


def listed(reader, limit=10, **wanted):
    return current(reader, Wanted(**wanted), limit=limit).records()


def test_of_each_finding_the_newest_version_is_listed_the_latest_first(reader, add):
    assert listed(reader) == []
    add(UPDATED, OPENED, OTHER)

    first, second = listed(reader)

    assert (first["finding_id"], first["tenant_id"], first["excess_cost"]) == (
        OTHER.finding_id,
        "globex",
        None,
    )
    assert (second["title"], second["severity"], second["suppressed_by"]) == ("worse", 5, "told")
    assert (second["excess_cost"], second["currency"]) == (Decimal("12.5"), "USD")
    assert [each["title"] for each in listed(reader, limit=1)] == ["surge"]


def test_a_finding_is_listed_and_shown_where_people_have_brought_it(reader, add):
    add(OPENED)
    given = acted(standing(reader, "abababab"), act("assign", assignee="lee"))
    add(given)
    said = acted(standing(reader, "abababab"), act("comment", comment="a load test"))
    add(said, UPDATED)

    (row,) = listed(reader)
    found = standing(reader, OPENED.finding_id)

    assert (row["status"], row["assignee"]) == (found.status, found.assignee) == ("IN_PROGRESS", "lee")
    assert [each.finding for each in found.versions] == [OPENED, given, said, UPDATED]
    assert found.newest == UPDATED

    add(replace(UPDATED, version=2_000, status=FindingStatus.RESOLVED))
    assert [each["status"] for each in listed(reader)] == ["RESOLVED"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"tenant": "acme"}, ["ab"]),
        ({"tenant": "nobody"}, []),
        ({"rule": "rate.shape"}, ["cd"]),
        ({"least_severity": 5}, ["ab"]),
        ({"called": True}, ["ab"]),
        ({"statuses": (FindingStatus.NEW,)}, ["cd", "ab"]),
        ({"statuses": (FindingStatus.RESOLVED, FindingStatus.IN_PROGRESS)}, []),
        ({"period": Period(start=NOON + timedelta(minutes=30))}, ["cd"]),
        ({"period": Period(end=NOON)}, []),
        ({"period": Period(NOON + timedelta(minutes=1), NOON + timedelta(minutes=2))}, ["cd", "ab"]),
        ({"tenant": "acme", "rule": "spend.surge", "least_severity": 2, "called": True}, ["ab"]),
    ],
)
def test_a_list_is_of_what_is_wanted(reader, add, wanted, found):
    add(OPENED, UPDATED, OTHER)

    assert [each["finding_id"][:2] for each in listed(reader, **wanted)] == found


@pytest.mark.parametrize("id_", ["abab", "", "ABABABAB", "xyzxyzxyz", "'; DROP", "cdcdcdcd"])
def test_an_id_that_names_no_finding_is_not_found_and_says_where_they_are(reader, add, id_):
    add(OPENED)

    with pytest.raises(NotFoundError) as refusal:
        standing(reader, id_)

    assert "auditstream findings list" in refusal.value.hint


def test_digits_of_two_findings_name_both(reader, add):
    add(OPENED, replace(OPENED, finding_id="abababab" + "0" * 56))

    with pytest.raises(RequestError, match="2 findings begin with abababab"):
        standing(reader, "abababab")

    assert standing(reader, "abababab0").newest.finding_id.endswith("0")


def test_a_finding_of_another_tenant_is_not_found(reader, add):
    add(OPENED)

    with pytest.raises(NotFoundError):
        standing(reader, "abababab", tenant="globex")
