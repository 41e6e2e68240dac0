"""The watch over rights: ours are exactly those of the migrations, others' are those of the first look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditstream.query.reader import Reader
from auditstream.query.watches.rights import watch_rights
from auditstream.query.watches.store_watch import StoreWatch
from auditstream.query.watches.table_memory import TableMemory
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from sinks.clients import ClientPool
from sinks.grants import grants, rights_of_role, tenant_grants
from sinks.migrate import apply
from tests.support.roles import OWNER, engine_with_roles

DATABASE = "audit"
AS_GRANTED = [*grants(DATABASE), *tenant_grants(DATABASE, "acme"), "GRANT SELECT ON *.* TO an_administrator"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the store is; each test starts it with roles of its own."""
    return tmp_path_factory.mktemp("store")


@contextmanager
def watching(
    folder: Path, memory: Path, statements: Sequence[str], role: str = OWNER
) -> Iterator[StoreWatch]:
    """Yield a watch over the store in a folder, whose roles are as the statements say.

    Args:
        folder: Holds the store; is migrated when it is not.
        memory: Holds what the watch remembers.
        statements: GRANT and REVOKE statements.
        role: Whose rights the watch has.
    """
    with engine_with_roles(folder, DATABASE, statements) as open_as:
        with open_as(OWNER) as migrator:
            apply(migrator, "MergeTree")
        reader = Reader(ClientPool(lambda: open_as(role)))
        yield StoreWatch(reader, TableMemory(memory / "tables.json"))
        reader.close()


def looked(watch: StoreWatch) -> list[Finding]:
    found = watch.look()
    watch.told()
    return found


def test_the_rights_of_the_migrations_are_no_finding(folder: Path, tmp_path: Path) -> None:
    with watching(folder, tmp_path, AS_GRANTED) as watch:
        assert looked(watch) == []


CHANGES = [
    ("GRANT INSERT ON `audit`.events TO audit_analyst", "role audit_analyst may INSERT ON audit.events", 4),
    ("GRANT ALTER DELETE ON `audit`.* TO audit_writer", "role audit_writer may ALTER DELETE ON audit.*", 4),
    ("GRANT SELECT ON `audit`.* TO audit_reader_acme", "role audit_reader_acme may SELECT ON audit.*", 3),
    ("GRANT SELECT ON `audit`.events TO intruder", "role intruder may SELECT ON audit.events", 3),
    ("GRANT TRUNCATE ON *.* TO an_administrator", "role an_administrator may TRUNCATE ON *.*", 4),
    ("GRANT SYSTEM SHUTDOWN ON *.* TO intruder", "role intruder may SYSTEM SHUTDOWN ON *.*", 4),
]


@dataclass(frozen=True, slots=True)
class Looks:
    """What is told while there are rights too many, at the look after it, and when they were taken back."""

    found: Sequence[Finding]
    again: Sequence[Finding]
    after: Sequence[Finding]


@pytest.fixture(scope="module")
def looks(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Looks:
    """What is told of all the rights too much at once."""
    memory = tmp_path_factory.mktemp("memory")
    with watching(folder, memory, AS_GRANTED) as watch:
        looked(watch)
    with watching(folder, memory, [*AS_GRANTED, *(each[0] for each in CHANGES)]) as watch:
        found = [each for each in looked(watch) if " may " in each.title]
        again = looked(watch)
    with watching(folder, memory, AS_GRANTED) as watch:
        return Looks(found, again, looked(watch))


def test_each_right_too_much_is_told_of_once(looks: Looks) -> None:
    assert len(looks.found) == len(CHANGES)
    assert looks.again == []


@pytest.mark.parametrize(("statement", "line", "severity"), CHANGES, ids=[each[0] for each in CHANGES])
def test_a_right_too_much_is_a_finding_that_names_it_until_it_is_taken_back(
    looks: Looks, statement: str, line: str, severity: int
) -> None:
    (finding,) = [each for each in looks.found if line in each.title]
    assert finding.rule_id == "store.rights"
    assert finding.severity == severity

    over = [each for each in looks.after if each.finding_id == finding.finding_id]
    assert [each.status for each in over] == [FindingStatus.RESOLVED]


def test_a_right_that_is_missing_is_a_finding(folder: Path, tmp_path: Path) -> None:
    missing = "GRANT INSERT ON `audit`.findings TO audit_writer"
    assert missing in AS_GRANTED
    with watching(folder, tmp_path, [each for each in AS_GRANTED if each != missing]) as watch:
        (finding,) = looked(watch)

    assert "missing: role audit_writer may INSERT ON audit.findings" in finding.title


def test_a_revoked_column_that_is_granted_again_is_a_finding(folder: Path, tmp_path: Path) -> None:
    kept = "REVOKE SELECT(secret_hash) ON `audit`.credentials FROM audit_analyst"
    assert kept in AS_GRANTED
    with watching(folder, tmp_path, [each for each in AS_GRANTED if each != kept]) as watch:
        (finding,) = looked(watch)

    assert "may not SELECT ON audit.credentials(secret_hash)" in finding.title


def test_a_watch_that_may_not_see_rights_says_so(folder: Path, tmp_path: Path) -> None:
    with watching(folder, tmp_path, AS_GRANTED, role="audit_security") as watch:
        assert [each.rule_id for each in looked(watch)] == ["store.watch"]


def test_the_role_for_the_watch_sees_all_that_it_compares(folder: Path, tmp_path: Path) -> None:
    with watching(folder, tmp_path, AS_GRANTED, role="audit_watcher") as watch:
        assert looked(watch) == []
    with watching(folder, tmp_path, AS_GRANTED, role=OWNER) as watch:
        assert looked(watch) == [], "what the watcher remembers is what the owner sees"


def test_every_role_has_rights_of_its_own() -> None:
    writer = rights_of_role(DATABASE, "audit_writer")

    assert "role audit_writer may INSERT ON audit.events" in writer
    assert "role audit_writer may SELECT ON audit.events(duplicate_of.null)" in writer
    assert all(line.startswith("role audit_writer may") for line in writer)
    assert not any("ALTER" in line or "DROP" in line for line in writer)


def policy(table: str, *roles: str, rows: str = "1", name: str = "audit_all") -> str:
    return f"policy {name} on {table}: {rows} for {sorted(roles)}"


AS_MADE = policy("usage_1m", "audit_writer", "audit_operator", "audit_analyst", "audit_api", "audit_security")
OF_ACME = policy("usage_1m", "audit_reader_acme", rows="tenant_id = 'acme'", name="audit_reader_acme")


@pytest.mark.parametrize("line", [AS_MADE, OF_ACME])
def test_a_policy_as_the_migrations_make_it_is_no_finding(line: str) -> None:
    assert list(watch_rights([line], [line], DATABASE)) == []


def test_a_policy_of_an_earlier_version_is_named_with_what_mends_it_until_it_is_mended() -> None:
    old = policy("usage_1m", "audit_operator", "audit_analyst", "audit_api", "audit_security")

    (found,) = watch_rights([old], [old], DATABASE)

    assert found.title == f"right missing: {AS_MADE}; the migrations had it"
    assert "auditstream migrate apply --grants" in found.remedy
    assert list(watch_rights([old], [AS_MADE], DATABASE)) == []


@pytest.mark.parametrize(
    "line",
    [
        policy(
            "usage_1m",
            "audit_writer",
            "audit_operator",
            "audit_analyst",
            "audit_api",
            "audit_security",
            "intruder",
        ),
        "policy audit_all on usage_1m: 1 for all but ['audit_reader_acme']",
        policy("usage_1m", "audit_reader_acme", rows="1", name="audit_reader_acme"),
    ],
)
def test_a_policy_that_shows_more_is_a_finding(line: str) -> None:
    found = [each for each in watch_rights([AS_MADE, OF_ACME], [line], DATABASE) if "too much" in each.title]

    assert [each.title.partition(";")[0] for each in found] == [f"right too much: {line}"]


@pytest.mark.parametrize(
    ("remembered", "present", "said"),
    [
        ([AS_MADE], [], "missing: policy audit_all on usage_1m"),
        ([], [policy("events", "intruder", name="made")], "too much: policy made on events"),
        ([], [policy("tenants", "audit_writer")], "too much: policy audit_all on tenants"),
        ([], [OF_ACME.replace("acme", "a'b")], "too much: policy audit_reader_a'b on usage_1m"),
        ([AS_MADE], [f"restrictive {AS_MADE}"], "missing: policy audit_all on usage_1m"),
    ],
)
def test_policies_that_come_and_go_are_findings(remembered: list[str], present: list[str], said: str) -> None:
    titles = [each.title for each in watch_rights(remembered, present, DATABASE)]

    assert any(title.startswith(f"right {said}") for title in titles)


def test_a_strangers_role_that_is_named_like_a_readers_is_a_strangers() -> None:
    (found,) = watch_rights([], ["role audit_reader_a'b may SELECT ON audit.events"], DATABASE)

    assert found.title.startswith("right too much: role audit_reader_a'b may SELECT")
