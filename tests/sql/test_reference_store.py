"""Revisions of reference data on the engine in this process: whole or not at all, whoever writes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from auditstream.core.errors import RetryableError, StoreBusyError
from auditstream.reference.kinds import KINDS, Entry
from auditstream.reference.limits import Budget
from auditstream.reference.owners import Agent, Credential, Source, Tenant
from auditstream.reference.rates import CurrencyRate
from sinks.clients import ClientPool
from sinks.reference import ReferenceStore
from sinks.revision_log import RevisionLog
from tests.support.engines import OpenClient
from tests.support.facts import day
from tests.support.stores import ClickHouseStore


@pytest.fixture
def reference(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[ReferenceStore]:
    database = str(migrated.value("SELECT currentDatabase()"))
    for table in ("reference_revisions", *(kind.table for kind in KINDS.values())):
        migrated.client.command(f"TRUNCATE TABLE {table}")
    store = ReferenceStore(ClientPool(lambda: engine(database)))
    yield store
    store.close()


def entry(fact: Any) -> Entry:
    return Entry(fact, "test")


def tenant(name: str, start: int = 0) -> Entry:
    return entry(Tenant(tenant_id="a", name=name, labels={"x": "1", "a": "2"}, valid_from=day(start)))


def test_every_table_has_the_columns_that_facts_have(migrated):
    for kind in KINDS.values():
        asked = "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
        assert set(kind.schema) == {row[0] for row in migrated.ask(asked, t=kind.table)}


def test_facts_come_back_as_they_were_written(reference):
    facts = [
        Tenant(tenant_id="a", name="Ä 'quoted'", labels={"x": "1"}, valid_from=day(0), valid_to=day(9)),
        Agent(agent_id="g", tenant_id="a", allowed_tools=("one", "two"), valid_from=day(1)),
        Budget(
            budget_id="b", scope={"model": "z"}, period="day", amount="0.000000000001", currency="USD",
            thresholds_pct=(5, 65535), valid_from=day(0),
        ),
        CurrencyRate(base="EUR", quote="USD", rate="1.083400000000000001", valid_from=day(0)),
        Source(event_source="svc", tenant_id="a", valid_from=day(0)),
    ]  # fmt: skip

    revision = reference.append([entry(fact) for fact in facts], base=0, actor="me")
    known = reference.load(revision)

    assert facts == [known.find(type(fact), *fact.key, at=day(1)) for fact in facts]


def test_a_late_correction_is_known_from_its_revision_on(reference):
    first = reference.append([tenant("as known first", 10)], base=0, actor="me")
    second = reference.append([tenant("corrected", 5)], base=first, actor="me")

    before, after = reference.load(first), reference.load(second)

    assert tuple(
        found and found.name for found in (before.find(Tenant, "a", at=day(at)) for at in (7, 12))
    ) == (None, "as known first")
    assert [after.find(Tenant, "a", at=day(at)).name for at in (7, 12)] == ["corrected", "corrected"]


def test_entries_worked_out_against_an_older_revision_are_refused(reference):
    reference.append([tenant("A")], base=0, actor="me")

    with pytest.raises(StoreBusyError, match="not 0 any more"):
        reference.append([tenant("B")], base=0, actor="me")


def test_a_revision_is_told_of_before_anybody_sees_it(reference):
    told: list[tuple[int, int]] = []

    revision = reference.append(
        [tenant("A")], base=0, actor="me", announce=lambda coming: told.append((coming, reference.newest()))
    )

    assert told == [(revision, 0)]
    assert reference.newest() == revision


def test_a_revision_that_cannot_be_told_of_is_never_seen_and_in_nobodys_way(reference):
    def unheard(_: int) -> None:
        raise RetryableError("Kafka is away")

    with pytest.raises(RetryableError, match="Kafka is away"):
        reference.append([tenant("A")], base=0, actor="me", announce=unheard)
    assert reference.newest() == 0

    revision = reference.append([tenant("B")], base=0, actor="me")
    assert reference.load(revision).find(Tenant, "a", at=day(10_000)).name == "B"


def test_a_revision_that_broke_off_is_never_seen(reference, migrated, monkeypatch):
    def broken(*_: Any) -> None:
        raise OSError("the machine went away")

    monkeypatch.setattr(RevisionLog, "settle", broken)
    monkeypatch.setattr(RevisionLog, "abandon_quietly", lambda *_: None)
    with pytest.raises(OSError, match="went away"):
        reference.append(
            [tenant("half"), entry(Credential(credential_id="k", tenant_id="a", valid_from=day(0)))],
            base=0,
            actor="me",
        )
    monkeypatch.undo()

    assert migrated.ask("SELECT count() FROM tenants") == [(1,)]
    assert reference.newest() == 0
    with pytest.raises(StoreBusyError, match="me is writing it"):
        reference.append([tenant("B")], base=0, actor="you")


def test_what_broke_off_is_given_up_in_time_and_stays_unseen(reference, migrated, engine):
    database = str(migrated.value("SELECT currentDatabase()"))
    impatient = ReferenceStore(ClientPool(lambda: engine(database)), patience_s=0)
    log = RevisionLog(replicated=False, patience_s=0)
    slow = log.claim(migrated.client, base=0, actor="slow")

    revision = impatient.append([tenant("B")], base=0, actor="you")

    assert slow.revision + 1 == revision == reference.newest()
    with pytest.raises(StoreBusyError, match="given up"):
        log.settle(migrated.client, slow, {"tenants": 1})
    assert revision == reference.newest()
    impatient.close()


def test_of_two_writers_at_once_one_is_refused_and_nothing_is_mixed(reference):
    together = Barrier(2)

    def write(name: str) -> int | None:
        together.wait(10)
        try:
            return reference.append([tenant(name)], base=0, actor=name)
        except RetryableError:
            return None

    with ThreadPoolExecutor(2) as pool:
        results = {name: pool.submit(write, name) for name in ("one", "two")}
        written = [name for name, future in results.items() if future.result(60)]

    assert len(written) == 1
    assert written == reference.load(reference.newest()).rows("tenant")["name"].to_list()


def test_a_failed_write_leaves_the_next_writer_free(reference, monkeypatch):
    def refused(*_: Any) -> None:
        raise OSError("disk")

    monkeypatch.setattr(ReferenceStore, "_write", refused)
    with pytest.raises(OSError, match="disk"):
        reference.append([tenant("A")], base=0, actor="me")
    monkeypatch.undo()

    assert reference.append([tenant("A")], base=0, actor="me") == 2


def test_a_replica_without_all_rows_is_not_believed(reference, migrated):
    revision = reference.append([tenant("A")], base=0, actor="me")
    migrated.client.command("TRUNCATE TABLE tenants")

    with pytest.raises(StoreBusyError, match="table tenants has 0 of 1 rows"):
        reference.load(revision)


def test_a_revision_that_the_store_does_not_have_is_waited_for(reference):
    with pytest.raises(StoreBusyError, match="not in the store"):
        reference.load(9)


def test_rows_of_a_revision_that_was_given_up_are_never_read(reference, migrated, engine, monkeypatch):
    def broken(*_: Any) -> None:
        raise OSError("the machine went away")

    with monkeypatch.context() as patched:
        patched.setattr(RevisionLog, "settle", broken)
        patched.setattr(RevisionLog, "abandon_quietly", lambda *_: None)
        with pytest.raises(OSError, match="went away"):
            reference.append([tenant("half")], base=0, actor="me")
    database = str(migrated.value("SELECT currentDatabase()"))
    impatient = ReferenceStore(ClientPool(lambda: engine(database)), patience_s=0)

    revision = impatient.append([tenant("whole")], base=0, actor="you")
    impatient.close()

    assert reference.load(revision).rows("tenant")["name"].to_list() == ["whole"]
    assert sorted(migrated.ask("SELECT name FROM tenants")) == [("half",), ("whole",)]
