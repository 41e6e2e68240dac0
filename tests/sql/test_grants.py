"""What each role of the server may do: all that its commands do, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from auditstream.cli.apply import apply_to
from auditstream.cli.context import Context, Output
from auditstream.core.ports import Placed, PublishedCheckpoint
from auditstream.core.settings import KafkaSettings
from auditstream.gateway.credentials import KINDS as KEY_KINDS
from auditstream.gateway.credentials import CredentialBook
from auditstream.notify.burn_findings import RULE
from auditstream.query import events
from auditstream.query.grammar import parse
from auditstream.query.reader import Reader
from auditstream.query.receipts import RecordedValue, recorded_value
from auditstream.query.recorded import recorded
from auditstream.query.slo_counts import SloCounts
from auditstream.reference.closed_months import ClosedMonths
from auditstream.reference.kinds import ENRICHING, KINDS
from auditstream.reference.limits import BUDGET_SCOPE, Budget
from auditstream.reference.objectives import INDICATORS, SCOPES, Objective
from auditstream.reference.register import KINDS as REGISTER
from auditstream.rerating.booking_run import BookingRun, Books, Order
from auditstream.rerating.call_settling import CallSettler
from auditstream.rerating.rating import Rater
from sinks.adjustments import AdjustmentTable
from sinks.budget_spend import BudgetSpend
from sinks.checkpoint_rows import ClickHouseCheckpoints
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool
from sinks.grants import grants, statements
from sinks.leaf_source import ClickHouseLeaves
from sinks.migrate import apply
from sinks.rated_leaves import RatedLeaves, Wanted
from sinks.recorded_logs import ClickHouseLogs
from sinks.reference import ReferenceStore
from sinks.slo_told import SloEvents
from sinks.snapshot_cache import SnapshotCache
from streams.recording.assembly import new_attributor, new_pricer
from tests.support.blocks import LOG, OTHER_LOG, block_of, event_id_at
from tests.support.roles import OWNER, OpenAs, engine_with_roles
from tests.support.tampering import READS_OUTSIDE, STATEMENTS

DATABASE = "audit"
EXAMPLES = Path(__file__).parents[2] / "examples" / "reference"
ROLES = (
    *("audit_writer", "audit_sealer", "audit_operator", "audit_analyst", "audit_security"),
    *("audit_watcher", "audit_gateway", "audit_api"),
)
ACCESS_DENIED = 497


@pytest.fixture(scope="module")
def open_as(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAs]:
    folder = tmp_path_factory.mktemp("engine")
    with engine_with_roles(folder, DATABASE, grants(DATABASE)) as opener:
        with opener(OWNER) as migrator:
            apply(migrator, "MergeTree")
            for statement in grants(DATABASE):
                if statement.startswith("ALTER"):  # the engine has no place for roles and row policies
                    migrator.command(statement)
        yield opener


@pytest.fixture(scope="module")
def migrator(open_as: OpenAs) -> Iterator[Client]:
    with open_as(OWNER) as client:
        yield client


@pytest.fixture(scope="module")
def kept_open(open_as: OpenAs) -> Iterator[OpenAs]:
    """A client of each role, opened once: that takes longer than most statements."""
    with ExitStack() as stack:
        yield cache(lambda role: stack.enter_context(open_as(role)))


@pytest.fixture
def recorded_events(open_as: OpenAs) -> Iterator[None]:
    """Three events, inserted by a worker."""
    sink = ClickHouseSink(ClientPool(lambda: open_as("audit_writer")))
    sink.insert(block_of(), insert_by_s=4e9, timeout_s=20)
    yield
    sink.close()


def test_the_engine_understands_every_statement(migrator: Client) -> None:
    """It keeps no roles and no policies, but its parser is the server's."""
    for statement in statements(DATABASE, ["acme"]):
        ((written,),) = migrator.query("SELECT formatQuery({sql:String})", {"sql": statement}).result_rows
        assert written.split()[:2] == statement.split()[:2]


def refused(kept_open: OpenAs, role: str, statement: str) -> bool:
    """Return whether the role has no right to a statement, be it else right or wrong."""
    try:
        kept_open(role).command(statement)
    except Error as error:
        return error.code == ACCESS_DENIED
    return False


def test_a_worker_records_recovers_and_reads_what_it_attributes_by(open_as: OpenAs) -> None:
    clients = ClientPool(lambda: open_as("audit_writer"))
    sink, reference = ClickHouseSink(clients), ReferenceStore(clients)
    with_facts(open_as)

    sink.insert(block_of(lo=100), insert_by_s=4e9, timeout_s=20)

    assert sink.stored(LOG, 100).rows == 3
    plan = sink.last_plan(LOG)
    assert plan is not None
    assert plan.lo == 100
    assert sink.token_window() > 0
    assert sink.history().first_ids(LOG, 100, 103).height == 3
    assert sink.history().first_calls(LOG, 100, 103).height == 0
    assert set(sink.history().calls_at(LOG, [101])) == {101}
    assert set(sink.history().ids_at(LOG, [101])) == {101}
    assert reference.load(reference.newest(), kinds=ENRICHING).revision > 0
    clients.close()


@pytest.mark.parametrize("indicator", INDICATORS)
def test_a_worker_counts_what_objectives_are_about(open_as: OpenAs, indicator: str) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    stated = {"slo_id": "o", "indicator": indicator, "objective": "0.99", "valid_from": at}
    scopes: list[dict[str, str]] = [{}, dict.fromkeys(SCOPES[indicator], "x")]
    clients = ClientPool(lambda: open_as("audit_writer"))
    counts = SloCounts(Reader(clients))

    for scope in scopes:
        counts.counts(Objective.model_validate(stated | {"scope": scope}), at, at + timedelta(days=1), 60)
    SloEvents(clients, RULE).told(at)
    clients.close()


@pytest.mark.parametrize("scope", [{}, dict.fromkeys(BUDGET_SCOPE, "x")], ids=["rollup", "events"])
def test_a_worker_reads_how_budgets_burn(open_as: OpenAs, scope: dict[str, str]) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    stated = {"budget_id": "b", "period": "month", "amount": "1", "currency": "USD", "valid_from": at}
    clients = ClientPool(lambda: open_as("audit_writer"))

    budget = Budget.model_validate(stated | {"scope": scope})
    BudgetSpend(clients).spent_by_minute(budget, at, at + timedelta(days=1))
    clients.close()


def test_a_worker_settles_calls_and_an_operator_books_what_is_known_now(
    open_as: OpenAs, kept_open: OpenAs
) -> None:
    at = datetime.now(UTC)
    names = {"event_time": at, "inference_provider": "openai", "inference_response_id": "r-1"}
    clients = {
        role: ClientPool(lambda role=role: open_as(role)) for role in ("audit_writer", "audit_operator")
    }  # type: ignore[misc]
    sink, reference = ClickHouseSink(clients["audit_writer"]), ReferenceStore(clients["audit_writer"])
    for log in (replace(LOG, epoch="5e771ed0"), replace(OTHER_LOG, epoch="5e771ed0")):
        block = block_of(log, 0, 1, input_tokens=5, cost_status="unpriced", **names)
        sink.insert(block, insert_by_s=4e9, timeout_s=20)

    def closed() -> ClosedMonths:
        return ClosedMonths.at(reference.load(reference.newest(), kinds=("closure",)), at)

    leaves, table = (each(clients["audit_writer"]) for each in (RatedLeaves, AdjustmentTable))
    assert CallSettler(leaves, table, closed).settle() == 1
    assert refused(kept_open, "audit_writer", "TRUNCATE TABLE cost_adjustments")

    directory = SnapshotCache(ReferenceStore(clients["audit_operator"]))
    rater = Rater(new_attributor(directory, KafkaSettings()), new_pricer(directory), directory.refresh())
    books = Books(
        RatedLeaves(clients["audit_operator"]), AdjustmentTable(clients["audit_operator"]), rater, closed()
    )
    period = Wanted(at, at + timedelta(seconds=1))
    assert BookingRun(books, Order(period, actor="me")).run().seen == 2
    for each in clients.values():
        each.close()


def with_facts(open_as: OpenAs) -> ReferenceStore:
    """Apply the examples as an operator."""
    store = ReferenceStore(ClientPool(lambda: open_as("audit_operator")))
    apply_to(store, Context(output=Output.JSONL), EXAMPLES, actor="me", dry_run=False)
    return store


def test_a_gateway_reads_whose_keys_count_and_where_a_value_is_recorded_and_nothing_else(
    open_as: OpenAs, kept_open: OpenAs, recorded_events: None
) -> None:
    with_facts(open_as)
    clients = ClientPool(lambda: open_as("audit_gateway"))
    reference = ReferenceStore(clients)

    book = CredentialBook(reference.load(reference.newest(), kinds=KEY_KINDS))
    value_sha256 = sha256(block_of().frame["raw"][0]).hexdigest()
    found = recorded_value(Reader(clients), value_sha256, event_id_at(LOG, 0), "acme")

    assert book.revision > 0
    assert found == RecordedValue(str(LOG), 0, Placed(LOG.topic, LOG.partition, 0))
    assert refused(kept_open, "audit_gateway", "SELECT raw FROM receipts, events")
    assert refused(kept_open, "audit_gateway", "SELECT count() FROM events")
    assert refused(kept_open, "audit_gateway", "INSERT INTO credentials (credential_id) VALUES ('x')")
    clients.close()


def test_an_operator_applies_facts_of_every_kind(
    open_as: OpenAs, migrator: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    store = with_facts(open_as)

    assert {json.loads(line)["revision"] for line in capsys.readouterr().out.splitlines()} == {store.newest()}
    assert store.load(store.newest()).revision == store.newest()
    store.close()


@pytest.mark.parametrize("role", ["audit_operator", "audit_analyst", "audit_security"])
def test_whoever_looks_can_search_and_ask_for_the_status(
    open_as: OpenAs, role: str, recorded_events: None
) -> None:
    reader = Reader(ClientPool(lambda: open_as(role)))

    found = events.search(reader, events.Search(parse("tenant:acme")))

    assert found.rows
    assert recorded(reader).total("recorded") >= 3
    with reader.stream("SELECT sum(events) FROM usage_1m") as answer:
        assert next(answer.rows)[0] >= 3
    reader.close()


def test_the_bytes_of_an_event_are_for_security_and_the_api_alone(
    open_as: OpenAs, kept_open: OpenAs, recorded_events: None
) -> None:
    reads_contents = {
        role for role in ROLES if not refused(kept_open, role, "SELECT raw, sealed FROM events")
    }

    # A sealer hashes the bytes that were received, and reads nothing that was made of them.
    # The API shows them to whom its own roles let see them.
    assert reads_contents == {"audit_security", "audit_api"}
    assert not refused(kept_open, "audit_sealer", "SELECT raw FROM events")
    for column in ("tenant_id", "actor_id", "sealed", "search_text"):
        assert refused(kept_open, "audit_sealer", f"SELECT {column} FROM events")
    reader = Reader(ClientPool(lambda: open_as("audit_security")))
    assert events.show(reader, str(event_id_at(LOG, 0)))[0]["raw"] is not None
    reader.close()


def test_a_sealer_reads_leaves_and_appends_checkpoints(open_as: OpenAs, recorded_events: None) -> None:
    clients = ClientPool(lambda: open_as("audit_sealer"))
    checkpoint = PublishedCheckpoint(
        "audit.example/demo/log", str(LOG), 3, bytes(32), b"note", datetime(2026, 1, 2, tzinfo=UTC), ("w1",)
    )

    leaves = ClickHouseLeaves(clients, str(LOG)).read(0, 3)
    ClickHouseCheckpoints(clients).add([checkpoint])

    assert leaves.run.first_index == 0
    assert ClickHouseLogs(clients).ends()[str(LOG)] >= 3
    assert ClickHouseCheckpoints(clients).sizes()[str(LOG)] == 3
    clients.close()


def test_secrets_of_credentials_are_not_for_analysts(kept_open: OpenAs) -> None:
    assert refused(kept_open, "audit_analyst", "SELECT secret_hash FROM credentials")
    assert not refused(kept_open, "audit_analyst", "SELECT credential_id FROM credentials")
    assert refused(kept_open, "audit_analyst", "SELECT secret_hash FROM access_tokens")
    assert not refused(kept_open, "audit_analyst", "SELECT token_id FROM access_tokens")


def test_the_api_knows_the_hashes_of_its_tokens_and_of_no_gateway_keys(kept_open: OpenAs) -> None:
    assert not refused(kept_open, "audit_api", "SELECT token_id, secret_hash FROM access_tokens")
    assert refused(kept_open, "audit_api", "SELECT secret_hash FROM credentials")


def test_the_api_knows_whose_keys_are_without_their_hashes(open_as: OpenAs) -> None:
    clients = ClientPool(lambda: open_as("audit_api"))
    store = ReferenceStore(clients, hidden={"credential": frozenset({"secret_hash"})})

    known = store.load(store.newest(), kinds=REGISTER)
    store.close()

    assert set(known.holding("credential", datetime(2026, 11, 1, tzinfo=UTC)).columns) > {"team_id"}


INSERTS = {
    "audit_writer": {"events", "findings", "cost_adjustments"},
    "audit_sealer": {"checkpoints", "findings"},
    "audit_operator": {kind.table for kind in KINDS.values()}
    | {"reference_revisions", "cost_adjustments", "exports", "findings"},
    "audit_analyst": set(),
    "audit_security": set(),
    "audit_watcher": {"findings"},
    "audit_gateway": set(),
    "audit_api": {"findings", "exports", "assets", "budgets", "reference_revisions"},
}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_appends_to_its_own_tables_only(kept_open: OpenAs, migrator: Client, role: str) -> None:
    tables = [
        row[0]
        for row in migrator.query(
            "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        ).result_rows
    ]

    appends = {
        t for t in tables if not refused(kept_open, role, f"INSERT INTO {t} SELECT * FROM null('a Int8')")
    }

    assert appends == INSERTS[role]


# Where this engine has no storage of users, no server configuration, or looks at the object before the right;
# and KILL, which finds nothing that the user may kill, without an error.
_OTHERWISE = ("SET DEFAULT ROLE", "MOVE USER", "GRANT", "REVOKE", "SYSTEM RELOAD CONFIG", "RESTORE", "KILL")
_OTHER_KIND = ("DROP VIEW", "DROP DICTIONARY", "ATTACH TABLE")
# To attach a part that lies detached in the table's folder is to insert, and INSERT is the right for it.
_IS_AN_INSERT = "ATTACH PARTITION"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement", [each for each in STATEMENTS if not each.startswith((*_OTHERWISE, *_OTHER_KIND))]
)
def test_nobody_but_the_migrator_changes_what_is_there(kept_open: OpenAs, role: str, statement: str) -> None:
    if _IS_AN_INSERT in statement and "events" in INSERTS[role]:
        return

    on_ours = statement.replace("{table}", "events").replace("DATABASE default", f"DATABASE {DATABASE}")
    assert refused(kept_open, role, on_ours)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("statement", [each for each in READS_OUTSIDE if "file(" not in each])
def test_no_role_reaches_programs_or_the_network(kept_open: OpenAs, role: str, statement: str) -> None:
    assert refused(kept_open, role, statement)
