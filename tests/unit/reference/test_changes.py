"""What documents change about what is known."""

from auditstream.reference.changes import difference
from auditstream.reference.dangling import dangling
from auditstream.reference.documents import Reading
from auditstream.reference.owners import Credential, Tenant
from tests.support.facts import day, snapshot_of

NOW = day(100)


def stated(*documents: str):
    reading = Reading()
    reading.add("\n---\n".join(documents), "facts.yaml", now=NOW)
    assert not reading.problems
    return reading.stated


def tenant(name: str, start: int | None = None) -> str:
    when = "" if start is None else f"\nvalid_from: {day(start).isoformat()}"
    return f"kind: tenant\ntenant_id: a\nname: {name}{when}"


def fact(name: str, start: int) -> Tenant:
    return Tenant(tenant_id="a", name=name, valid_from=day(start))


def counts(found):
    return found.counts().get("tenant", {})


def test_an_undated_document_that_says_what_holds_now_changes_nothing():
    found = difference(stated(tenant("A")), snapshot_of({1: [fact("A", 0)]}), now=NOW)

    assert found.entries == []
    assert counts(found) == {"new": 0, "changed": 0, "repeated": 0, "unchanged": 1}


def test_an_undated_document_that_says_otherwise_holds_from_now_on():
    (change,) = difference(stated(tenant("B")), snapshot_of({1: [fact("A", 0)]}), now=NOW).changes

    assert change.after.valid_from == NOW
    assert change.differences() == {"name": ("A", "B")}


def test_an_undated_document_leaves_what_is_planned_for_later():
    known = snapshot_of({1: [fact("A", 0), fact("B", 200)]})

    assert difference(stated(tenant("A")), known, now=NOW).entries == []


def test_a_change_says_which_later_facts_it_replaces():
    known = snapshot_of({1: [fact("A", 0), fact("B", 200)]})

    (change,) = difference(stated(tenant("C")), known, now=NOW).changes

    assert (day(200),) == change.hides


def test_a_dated_document_that_is_a_row_already_changes_nothing():
    known = snapshot_of({1: [fact("A", 0)], 2: [fact("B", 50)]})

    assert difference(stated(tenant("A", 0)), known, now=NOW).entries == []


def test_a_corrected_history_keeps_what_came_after_the_correction():
    known = snapshot_of({1: [fact("A", 0), fact("B", 50)]})

    found = difference(stated(tenant("X", 0), tenant("B", 50)), known, now=NOW)
    after = snapshot_of({1: [fact("A", 0), fact("B", 50)], 2: [entry.fact for entry in found.entries]})

    assert counts(found) == {"new": 0, "changed": 1, "repeated": 1, "unchanged": 0}
    assert after.find(Tenant, "a", at=day(49)).name == "X"
    assert after.find(Tenant, "a", at=day(50)).name == "B"


def test_a_row_that_was_painted_over_is_written_again():
    known = snapshot_of({1: [fact("A", 50)], 2: [fact("B", 0)]})

    assert len(difference(stated(tenant("A", 50)), known, now=NOW).entries) == 1


def test_key_hashes_are_not_shown():
    before = Credential(credential_id="k", tenant_id="a", secret_hash="old", valid_from=day(0))
    document = "kind: credential\ncredential_id: k\ntenant_id: a\nsecret_hash: new"

    (change,) = difference(stated(document), snapshot_of({1: [before]}), now=NOW).changes

    assert change.differences() == {"secret_hash": ("***", "***")}


def test_names_of_unknown_tenants_and_projects_are_remarked():
    documents = stated(
        "kind: credential\ncredential_id: k\ntenant_id: nobody",
        tenant("A"),
        "kind: agent\nagent_id: g\ntenant_id: a\nproject_id: none",
    )

    said = list(dangling(documents, snapshot_of({})))

    assert [" ".join(line.split(" ")[4:7]) for line in said] == ["no tenant 'nobody'", "no project 'none'"]
