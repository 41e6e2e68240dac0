"""Whose events are: the order of evidence, contradictions, time, revisions, and an oracle row by row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.attribution.attributor import DirectoryAttributor
from auditstream.attribution.filling import as_stated
from auditstream.reference.owners import Agent, Credential, Project, Source, Tenant
from auditstream.reference.snapshot import Snapshot
from schemas.flatten import FRAME_SCHEMA
from tests.support.examples import examples
from tests.support.facts import FixedDirectory, day, snapshot_of

EVENTS = "audit.events.v1"
DIRECT = "audit.direct.a.v1"
FILLED = ("project_id", "team_id", "cost_center", "environment")
START = day(0)
FACTS = [
    Tenant(tenant_id="a", name="A", valid_from=START),
    Tenant(tenant_id="b", name="B", valid_from=START),
    Tenant(tenant_id="closed", name="C", valid_from=START),
    Tenant(tenant_id="closed", name="C", active=False, valid_from=day(10)),
    Credential(credential_id="key-a", tenant_id="a", project_id="p", team_id="t-key", valid_from=START),
    Credential(credential_id="key-b", tenant_id="b", valid_from=START),
    Credential(credential_id="revoked", tenant_id="a", project_id="p", valid_from=START),
    Credential(credential_id="revoked", tenant_id="a", project_id="p", active=False, valid_from=day(10)),
    Credential(credential_id="expired", tenant_id="a", valid_from=START, valid_to=day(10)),
    Credential(credential_id="key-closed", tenant_id="closed", valid_from=START),
    Project(tenant_id="a", project_id="p", team_id="t", cost_center="c", environment="e", valid_from=START),
    Project(tenant_id="a", project_id="shared", valid_from=START),
    Project(tenant_id="b", project_id="shared", valid_from=day(5), cost_center="cb"),
    Project(tenant_id="b", project_id="q", cost_center="cq", active=False, valid_from=START),
    Agent(agent_id="agent-a", tenant_id="a", project_id="p", valid_from=START),
    Agent(agent_id="agent-b", tenant_id="b", project_id="shared", valid_from=START),
    Source(event_source="batch", tenant_id="b", project_id="shared", valid_from=START),
]

REGISTERED = FixedDirectory({1: FACTS})


def events(*rows: Mapping[str, Any]) -> pl.DataFrame:
    names = ("event_time", "source", "tenant_id", "credential_id", "agent_id", *FILLED)
    given = [{"event_time": day(20), "source": "svc", "tenant_id": "", **row} for row in rows]
    said = pl.DataFrame(
        [[row.get(name) for name in names] for row in given],
        schema={name: FRAME_SCHEMA[name] for name in names},
        orient="row",
    )
    rest = [pl.lit(None, dtype=kind).alias(name) for name, kind in FRAME_SCHEMA.items() if name not in names]
    return said.with_columns(rest).select(*FRAME_SCHEMA)


def attribute(
    *rows: Mapping[str, Any],
    topic: str = EVENTS,
    stamped: bool = False,
    revision: int = 1,
    history: Any = None,
) -> list[dict[str, Any]]:
    directory = FixedDirectory(history) if history else REGISTERED
    attributor = DirectoryAttributor(directory, claims_are_stamped=stamped)
    return attributor.attribute(events(*rows), topic=topic, revision=revision).rows(named=True)


def owner(row: Mapping[str, Any], **how: Any) -> tuple[str, str]:
    (found,) = attribute(row, **how)
    return found["tenant_id"], found["attribution_method"]


NOBODY = ("unattributed", "none")


@pytest.mark.parametrize(
    ("row", "how", "expected"),
    [
        ({}, {"topic": DIRECT}, ("a", "topic")),
        ({"tenant_id": "a"}, {"topic": DIRECT, "stamped": True}, ("a", "topic")),
        ({"tenant_id": "a"}, {"stamped": True}, ("a", "gateway")),
        ({"tenant_id": "a"}, {"stamped": False}, ("a", "claimed")),
        ({"tenant_id": "a"}, {"stamped": True, "topic": "other"}, ("a", "claimed")),
        ({"tenant_id": "a", "agent_id": "agent-b"}, {"stamped": True}, ("a", "gateway")),
        ({"credential_id": "key-a", "agent_id": "agent-b"}, {}, ("a", "registry")),
        ({"agent_id": "agent-b", "project_id": "p"}, {}, ("b", "registry")),
        ({"project_id": "p", "source": "batch"}, {}, ("a", "registry")),
        ({"source": "batch"}, {}, ("b", "registry")),
        ({}, {}, NOBODY),
        ({"tenant_id": "unattributed"}, {"stamped": True}, NOBODY),
        ({"tenant_id": "never-registered"}, {"stamped": True}, ("never-registered", "gateway")),
    ],
)
def test_the_first_that_speaks_establishes_the_owner(row, how, expected):
    assert expected == owner(row, **how)


@pytest.mark.parametrize(
    ("row", "how"),
    [
        ({"tenant_id": "b"}, {"topic": DIRECT}),
        ({"tenant_id": "b", "credential_id": "key-a"}, {"stamped": True}),
        ({"tenant_id": "b", "credential_id": "key-a"}, {}),
        ({"credential_id": "key-b"}, {"topic": DIRECT}),
        ({"tenant_id": "b", "credential_id": "revoked"}, {}),
        ({"tenant_id": "b", "credential_id": "key-a", "agent_id": "agent-b", "source": "batch"}, {}),
    ],
)
def test_a_contradiction_leaves_the_event_to_nobody_and_keeps_the_claim(row, how):
    (found,) = attribute(row, **how)

    assert (found["tenant_id"], found["attribution_method"]) == NOBODY
    assert row.get("tenant_id", "") == found["tenant_claim"]
    assert found["attribution_confidence"] == 0.0
    assert found["project_id"] is None


@pytest.mark.parametrize("key", ["revoked", "expired"])
def test_a_credential_attributes_until_it_is_revoked_or_expires(key):
    before, after = day(9), day(10)

    assert owner({"credential_id": key, "event_time": before}) == ("a", "registry")
    assert owner({"credential_id": key, "event_time": after}) == NOBODY


def test_a_revoked_credential_fills_nothing_in():
    (found,) = attribute({"tenant_id": "a", "credential_id": "revoked"})

    assert (found["tenant_id"], found["project_id"]) == ("a", None)


def test_nothing_is_attributed_to_a_tenant_while_it_is_closed():
    key = {"credential_id": "key-closed"}

    assert owner({**key, "event_time": day(9)}) == ("closed", "registry")
    assert owner({**key, "event_time": day(10)}) == NOBODY
    assert owner({"tenant_id": "closed"}, stamped=True) == NOBODY


@pytest.mark.parametrize(
    ("row", "topic", "dispute"),
    [
        ({"tenant_id": "b"}, DIRECT, "topic_and_claim"),
        ({"tenant_id": "b", "credential_id": "key-b"}, DIRECT, "topic_and_claim"),
        ({"tenant_id": "a", "credential_id": "key-b"}, DIRECT, "topic_and_credential"),
        ({"tenant_id": "b", "credential_id": "revoked"}, EVENTS, "claim_and_credential"),
        ({"tenant_id": "closed"}, EVENTS, "tenant_closed"),
        ({"tenant_id": "a", "credential_id": "key-a"}, DIRECT, None),
        ({"credential_id": "expired"}, EVENTS, None),
        ({}, EVENTS, None),
    ],
)
def test_who_is_not_believed_is_told_why_and_who_named_nobody_is_not(row, topic, dispute):
    (found,) = attribute(row, topic=topic)

    assert dispute == found["dispute"]


def test_a_project_id_that_two_tenants_have_says_nothing():
    assert owner({"project_id": "shared", "event_time": day(4)}) == ("a", "registry")
    assert owner({"project_id": "shared", "event_time": day(5)}) == NOBODY


def test_missing_columns_are_filled_from_credential_then_project():
    (found,) = attribute({"credential_id": "key-a"})

    assert tuple(found[name] for name in FILLED) == ("p", "t-key", "c", "e")


def test_what_the_event_says_is_kept():
    said = {"project_id": "own", "team_id": "own", "cost_center": "own", "environment": "own"}

    (found,) = attribute({"credential_id": "key-a", **said})

    assert said == {name: found[name] for name in FILLED}


def test_facts_of_another_tenant_fill_nothing_in():
    (found,) = attribute({"tenant_id": "a", "agent_id": "agent-b", "source": "batch"}, stamped=True)

    assert (found["tenant_id"], found["project_id"]) == ("a", None)


def test_a_late_correction_counts_from_its_revision_on_and_a_replay_with_the_old_one_does_not_see_it():
    moved = Credential(credential_id="key-a", tenant_id="b", valid_from=day(2))
    history = {1: FACTS, 7: [moved]}
    row = {"credential_id": "key-a", "event_time": day(3)}

    assert owner(row, history=history, revision=1) == ("a", "registry")
    assert owner(row, history=history, revision=6) == ("a", "registry")
    assert owner(row, history=history, revision=7) == ("b", "registry")
    assert owner({**row, "event_time": day(1)}, history=history, revision=7) == ("a", "registry")


def test_one_attributor_answers_old_revisions_after_new_ones():
    moved = Credential(credential_id="key-a", tenant_id="b", valid_from=day(2))
    attributor = DirectoryAttributor(FixedDirectory({1: FACTS, 7: [moved]}), claims_are_stamped=False)
    frame = events({"credential_id": "key-a"}, {"credential_id": "key-b"})

    first = attributor.attribute(frame, topic=EVENTS, revision=1)
    later = [attributor.attribute(frame, topic=EVENTS, revision=revision) for revision in (7, 2, 3, 4, 5, 1)]

    assert later[0]["tenant_id"].to_list() == ["b", "b"]
    assert first.equals(later[-1])


def test_without_reference_data_only_topic_and_claim_speak():
    assert [
        (row["tenant_id"], row["attribution_method"])
        for row in attribute(
            {"tenant_id": "a", "credential_id": "key-b"}, {"credential_id": "key-b"}, revision=0
        )
    ] == [("a", "claimed"), NOBODY]


def test_a_frame_without_rows_has_the_same_columns():
    one, none = events({}), events({}).clear()
    attributor = DirectoryAttributor(FixedDirectory({1: FACTS}), claims_are_stamped=True)

    assert (
        attributor.attribute(one, topic=EVENTS, revision=1).schema
        == attributor.attribute(none, topic=EVENTS, revision=1).schema
    )


some = {
    "event_time": st.sampled_from([day(1), day(4), day(9), day(10), day(30)]),
    "source": st.sampled_from(["svc", "batch"]),
    "tenant_id": st.sampled_from(["", "a", "b", "closed", "unknown"]),
    "credential_id": st.sampled_from(
        [None, "", "key-a", "key-b", "revoked", "expired", "key-closed", "other"]
    ),
    "agent_id": st.sampled_from([None, "agent-a", "agent-b", "other"]),
    "project_id": st.sampled_from([None, "", "p", "q", "shared"]),
    "team_id": st.sampled_from([None, "own"]),
}
CORRECTIONS = [
    Credential(credential_id="key-a", tenant_id="b", valid_from=day(2), valid_to=day(8)),
    Agent(agent_id="agent-b", tenant_id="a", active=False, valid_from=day(3)),
]
CORRECTED = FixedDirectory({1: FACTS, 2: CORRECTIONS})
KNOWN = snapshot_of({1: FACTS, 2: CORRECTIONS})


@settings(max_examples=examples(80), deadline=None)
@given(
    st.lists(st.fixed_dictionaries(some), min_size=1, max_size=12),
    st.sampled_from([EVENTS, DIRECT]),
    st.booleans(),
    st.integers(0, 2),
)
def test_columns_agree_with_one_row_at_a_time(rows, topic, stamped, revision):
    known = KNOWN.upto(revision)

    attributor = DirectoryAttributor(CORRECTED, claims_are_stamped=stamped)
    found = attributor.attribute(events(*rows), topic=topic, revision=revision).rows(named=True)

    for row, columns in zip(rows, found, strict=True):
        expected = by_hand(known, row, topic, stamped=stamped)
        assert expected == {name: columns[name] for name in expected}


def by_hand(known: Snapshot, row: dict[str, Any], topic: str, *, stamped: bool) -> dict[str, Any]:
    at: datetime = row["event_time"]
    said = {name: row.get(name) or None for name in row}
    credential = said["credential_id"] and known.find(Credential, said["credential_id"], at=at)
    agent = said["agent_id"] and active(known.find(Agent, said["agent_id"], at=at))
    source = active(known.find(Source, said["source"], at=at))
    witnesses = ["a" if topic == DIRECT else None, said["tenant_id"], credential and credential.tenant_id]
    credential = active(credential)
    tenant, method = None, "none"
    dispute = by_hand_dispute(*witnesses)
    if dispute is None:
        projects = [
            each
            for each in ("a", "b")
            if said["project_id"] and active(known.find(Project, each, said["project_id"], at=at))
        ]
        claimed = "gateway" if stamped and topic == EVENTS else "claimed"
        for speaker, name in (
            (witnesses[0], "topic"),
            (witnesses[1], claimed),
            (credential and credential.tenant_id, "registry"),
            (agent and agent.tenant_id, "registry"),
            (projects[0] if len(projects) == 1 else None, "registry"),
            (source and source.tenant_id, "registry"),
        ):
            if speaker:
                tenant, method = speaker, name
                break
    closed = tenant and known.find(Tenant, tenant, at=at)
    if closed and not closed.active:
        tenant, method, dispute = None, "none", "tenant_closed"
    filled = {name: said.get(name) for name in FILLED}
    if tenant:
        if credential:
            filled = {name: filled[name] or getattr(credential, name) or None for name in FILLED}
        for holder in (agent, source):
            if holder and holder.tenant_id == tenant:
                filled["project_id"] = filled["project_id"] or holder.project_id or None
        project = filled["project_id"] and active(known.find(Project, tenant, filled["project_id"], at=at))
        if project:
            for name in FILLED[1:]:
                filled[name] = filled[name] or getattr(project, name) or None
    return {
        "tenant_id": tenant or "unattributed",
        "attribution_method": method,
        "tenant_claim": row["tenant_id"],
        "dispute": dispute,
        **filled,
    }


def by_hand_dispute(topic: str | None, claim: str | None, credential: str | None) -> str | None:
    if topic and claim and topic != claim:
        return "topic_and_claim"
    if topic and credential and topic != credential:
        return "topic_and_credential"
    return "claim_and_credential" if claim and credential and claim != credential else None


def active(fact: Any) -> Any:
    return fact if fact and fact.active else None


def test_what_was_filled_in_is_told_from_what_the_event_said() -> None:
    said = {"tenant_id": "a", "credential_id": "key-a"}
    given = events(said, said | {"project_id": "p"}, said | {"team_id": "t-own"}, {"tenant_id": "b"})
    attributor = DirectoryAttributor(REGISTERED, claims_are_stamped=False)
    rows = attributor.attribute(given, topic=EVENTS, revision=1)

    assert rows["attribution_filled"].to_list() == [0b1111, 0b1110, 0b1101, 0]
    stated = as_stated(rows)
    assert stated.select(FILLED).rows() == [
        ("", "", "", ""), ("p", "", "", ""), ("", "t-own", "", ""), (None,) * 4
    ]  # fmt: skip
    unchanged = [name for name in rows.columns if name not in FILLED]
    assert stated.select(unchanged).equals(rows.select(unchanged))
