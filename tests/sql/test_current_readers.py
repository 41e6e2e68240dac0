"""Readers of events as they are known now say what the view says, and ask it where something is booked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from auditstream.core.errors import NotFoundError
from auditstream.core.event_types import OPERATIONAL_COST
from auditstream.query import access_log, events, operational_costs, price_findings
from auditstream.query.arrivals import Arrivals
from auditstream.query.event_rows import EventRows
from auditstream.query.named_periods import Span
from auditstream.query.oversight import oversight
from auditstream.query.priced_calls import Wanted, priced_calls
from auditstream.query.prompts import prompt_uses
from auditstream.query.reader import Reader
from auditstream.query.runs import runs
from auditstream.query.scopes import Scope, ScopedReader
from auditstream.query.traces import trace
from auditstream.query.unit_costs import unit_costs
from tests.support.adjustments import adjust, move
from tests.support.blocks import LOG, NOON, block_of, event_id_at
from tests.support.examples import at_length
from tests.support.stores import ClickHouseStore, OpenClient, reading
from tests.support.watched_readers import Watch, watched

ROWS = 144
TENANTS = ("acme", "globex", "initech")
TYPES = (
    "ai.inference", "ai.routing", "ai.policy.decision", "ai.inference", "ai.evaluation", "ai.human.review",
    "ai.experiment.assignment", "ai.data_access", "ai.agent.lifecycle", OPERATIONAL_COST, "ai.inference",
)  # fmt: skip
HOUR = Span(NOON, NOON + timedelta(hours=1))
LATER = timedelta(days=3)
LAST_ROWS = 12  # of the later day
VIEWS = {"events_current", "events_as_known"}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return watched(monkeypatch)


@pytest.fixture
def recorded(migrated: ClickHouseStore) -> ClickHouseStore:
    """Events of three tenants, a minute apart; the last ones days later; some are repeats, or told twice."""
    migrated.empty()
    migrated.client.command("TRUNCATE TABLE cost_adjustments")
    every = range(ROWS)
    times = [NOON + timedelta(minutes=each) for each in every]
    migrated.insert(
        block_of(
            rows=ROWS,
            duplicate_of=[each - 1 if each % 29 == 28 else None for each in every],
            same_call_as=[each - 1 if each % 13 == 10 else None for each in every],
            event_type=[TYPES[each % len(TYPES)] for each in every],
            event_time=[at + LATER if each >= ROWS - LAST_ROWS else at for each, at in enumerate(times)],
            tenant_id=[TENANTS[each % 3] for each in every],
            project_id="bot",
            agent_id=["planner", "helper"] * (ROWS // 2),
            agent_instance_id=[f"instance-{each // 20}" for each in every],
            agent_step_a2a_state=["completed", "working"] * (ROWS // 2),
            trace_id=[f"trace-{each // 12}" for each in every],
            span_id=[f"{each:04x}" for each in every],
            conversation_id=[f"conversation-{each // 24}" for each in every],
            outcome=["SUCCESS", "FAILURE", "SUCCESS", "BLOCKED"] * (ROWS // 4),
            duration_us=[1_000 * each for each in every],
            inference_provider="openai",
            inference_request_model=["gpt-4o", "claude", ""] * (ROWS // 3),
            inference_prompt_name="greet",
            inference_prompt_version=["1", "2"] * (ROWS // 2),
            input_tokens=[each % 7 or None for each in every],
            output_tokens=[each % 5 or None for each in every],
            cost_status=["priced", "priced", "priced", "unpriced", "priced"] * 28 + ["priced"] * 4,
            cost_currency="USD",
            cost_effective=[Decimal(each) / 100 for each in every],
            cost_billed=[Decimal(each) / 100 for each in every],
            computed_currency="USD",
            computed_cost=[Decimal(each) / 50 for each in every],
            costs=[[_line(Decimal(each) / 100)] for each in every],
            routing_from_model="a",
            routing_to_model=["b", "c"] * (ROWS // 2),
            policy_id="guard",
            policy_verdict=["allow", "deny"] * (ROWS // 2),
            evaluation_name="good",
            evaluation_score=[each % 3 / 4 for each in every],
            evaluation_subject_event_id=[str(event_id_at(LOG, max(each - 4, 0))) for each in every],
            experiment_variant=["control", "treatment"] * (ROWS // 2),
            review_subject_event_id=[str(event_id_at(LOG, each)) for each in every],
            review_decision=["APPROVE", "REQUESTED"] * (ROWS // 2),
            review_latency_us=[1_000_000 * each for each in every],
            actor_id=["ann", "ben"] * (ROWS // 2),
            attributes=[{"command": "search", "service": "search"}] * ROWS,
        )
    )
    return migrated


def _line(amount: Decimal) -> dict[str, Any]:
    return {
        "category": "tool", "resource_id": None, "period_start": None, "period_end": None, "meter": "call",
        "direction": None, "cache_action": None, "quantity": Decimal(1), "unit": "call", "price_id": None,
        "price_book_rev": None, "list_unit_price": None, "list": amount, "contracted": amount,
        "effective": amount, "billed": amount, "currency": "USD", "source": "REPORTED",
    }  # fmt: skip


@pytest.fixture
def reader(engine: OpenClient, recorded: ClickHouseStore, watch: Watch) -> Iterator[Reader]:
    with reading(engine, recorded) as opened:
        yield opened


def calls(reader: Reader, tenant: str | None) -> list[str]:
    found = [frame.drop("costs") for frame in priced_calls(reader, Wanted(HOUR, tenant))]
    return sorted(map(str, pl.concat(found).rows())) if found else []


def exported(reader: Reader, tenant: str | None) -> list[Any]:
    rows = EventRows(reader, period=HOUR.period, tenant=tenant)
    plan = rows.plan(30)
    return [
        [(each, batch.to_pylist()) for batch in rows.batches(plan, each, limit=100)]
        for each in plan.stretches
    ]


def of_tenant(reader: Reader, tenant: str | None) -> Reader:
    return ScopedReader(reader, Scope(tenants=None if tenant is None else frozenset({tenant})))


OF_A_PERIOD: Mapping[str, Callable[[Reader, str | None], Any]] = {
    "trace": lambda reader, tenant: trace(reader, "trace-1", tenant=tenant),
    "trace of a scope": lambda reader, tenant: trace(of_tenant(reader, tenant), "trace-1"),
    "runs": lambda reader, tenant: runs(of_tenant(reader, tenant), (), HOUR.period, limit=50),
    "prompts": lambda reader, tenant: prompt_uses(reader, HOUR, tenant=tenant),
    "oversight": lambda reader, tenant: oversight(reader, HOUR, HOUR.end, tenant=tenant),
    "calls": calls,
    "unpriced": lambda reader, tenant: price_findings.unpriced(reader, HOUR.period, tenant=tenant),
    "reported": lambda reader, tenant: price_findings.reported_differences(
        reader, HOUR.period, tenant=tenant
    ),
    "accesses": lambda reader, tenant: access_log.accesses(
        of_tenant(reader, tenant), access_log.Wanted(period=HOUR.period)
    ),
    "readers": lambda reader, tenant: access_log.by_reader(
        of_tenant(reader, tenant), access_log.Wanted(period=HOUR.period)
    ),
    "charges": lambda reader, tenant: operational_costs.charges_of(of_tenant(reader, tenant), HOUR),
    "weights": lambda reader, tenant: operational_costs.weights_of(of_tenant(reader, tenant), HOUR),
    "units": lambda reader, tenant: unit_costs(reader, "task", HOUR, tenant=tenant),
    "export": exported,
}
OF_ALL_TIME: Mapping[str, Callable[[Reader, str | None], Any]] = {
    "arrivals": lambda reader, tenant: Arrivals(reader, (), tenant=tenant, after={}).look(),
    "arrivals as they are forwarded": lambda reader, tenant: [
        batch.to_pylist() for batch in Arrivals(of_tenant(reader, tenant), (), after={}).take()
    ],
    "leaf of an event": lambda reader, tenant: events.leaves_of(
        of_tenant(reader, tenant), str(event_id_at(LOG, 12))
    ),
}


def nothing(store: ClickHouseStore) -> None:
    del store


def inside(store: ClickHouseStore) -> None:
    """Book each kind of difference to events of acme's first hour, whose second trace begins at leaf 12."""
    adjust(store, 12, "reprice", cost_effective=Decimal("0.5"), event_time=NOON + timedelta(minutes=12))
    adjust(store, 21, "same_call", events=-1, event_time=NOON + timedelta(minutes=21))
    adjust(store, 33, "duplicate", events=-1, event_time=NOON + timedelta(minutes=33))
    for leaf in (0, 3, 15, 18):
        move(store, leaf, "acme", "globex", event_time=NOON + timedelta(minutes=leaf))


def outside(store: ClickHouseStore) -> None:
    """Book to events of the later day, of everybody."""
    for leaf in range(ROWS - LAST_ROWS, ROWS):
        at = NOON + LATER + timedelta(minutes=leaf)
        adjust(store, leaf, "reprice", tenant=TENANTS[leaf % 3], cost_effective=Decimal(1), event_time=at)


BOOKED: Mapping[str, tuple[Callable[[ClickHouseStore], None], str | None, bool]] = {
    "nothing, one tenant": (nothing, "acme", False),
    "nothing, everybody": (nothing, None, False),
    "inside, one tenant": (inside, "acme", True),
    "inside, the new owner": (inside, "globex", True),
    "inside, everybody": (inside, None, True),
    "outside, one tenant": (outside, "acme", False),
    "outside, everybody": (outside, None, False),
    "another tenant's": (inside, "initech", False),
}


ALWAYS = ("nothing, everybody", "inside, one tenant", "another tenant's")


@pytest.mark.parametrize("booked", [*ALWAYS, *at_length(each for each in BOOKED if each not in ALWAYS)])
def test_answers_are_the_views_which_is_read_where_something_is_booked_to_what_is_asked_for(
    reader: Reader, recorded: ClickHouseStore, watch: Watch, booked: str
) -> None:
    book, tenant, is_adjusted = BOOKED[booked]
    book(recorded)
    for name, ask in OF_A_PERIOD.items():
        watch.by_view, watch.read = False, []
        found = ask(reader, tenant)
        assert bool(VIEWS & watch.tables) is is_adjusted, name
        watch.by_view = True
        assert found == ask(reader, tenant), name
        assert found or name in {"charges", "weights"}, name


@pytest.mark.parametrize("tenant", [*TENANTS, None])
@pytest.mark.parametrize("book", [nothing, inside, outside])
def test_what_is_asked_for_by_leaf_and_id_is_the_views(
    reader: Reader,
    recorded: ClickHouseStore,
    watch: Watch,
    book: Callable[[ClickHouseStore], None],
    tenant: str | None,
) -> None:
    book(recorded)
    for name, ask in OF_ALL_TIME.items():
        watch.by_view, watch.read = False, []
        found = ask(reader, tenant)
        if book is nothing:
            assert not VIEWS & watch.tables, name
        watch.by_view = True
        assert found == ask(reader, tenant), name


def test_who_was_given_an_event_of_a_trace_sees_it_however_far_from_the_others_and_when_alone(
    reader: Reader, recorded: ClickHouseStore
) -> None:
    recorded.insert(
        block_of(
            lo=ROWS,
            rows=3,
            trace_id=["far", "far", "alone"],
            event_time=[NOON, NOON + timedelta(days=30), NOON],
            tenant_id=["globex", "acme", "acme"],
        )
    )
    globex = of_tenant(reader, "globex")
    assert trace(globex, "far").events == 1
    with pytest.raises(NotFoundError):
        trace(globex, "alone")

    move(recorded, ROWS + 1, "acme", "globex", event_time=NOON + timedelta(days=30))
    move(recorded, ROWS + 2, "acme", "globex", event_time=NOON)

    assert trace(globex, "far").events == 2
    assert trace(globex, "alone").events == 1
    assert trace(reader, "far", tenant="globex").events == 2
    with pytest.raises(NotFoundError):
        trace(of_tenant(reader, "acme"), "far")


def test_a_trace_to_which_nothing_came_is_read_from_its_own_days_differences(
    reader: Reader, recorded: ClickHouseStore, watch: Watch
) -> None:
    at = NOON + LATER + timedelta(minutes=ROWS - 1)
    adjust(recorded, ROWS - 1, "attribution", tenant="initech", events=-1, event_time=at)
    adjust(recorded, ROWS - 1, "attribution", tenant="initech", events=1, project_id="other", event_time=at)

    trace(of_tenant(reader, "initech"), "trace-1")

    assert watch.tables == {"cost_adjustments", "events"}


def test_what_is_known_on_a_day_is_read_from_the_events_until_something_was_booked(
    reader: Reader, recorded: ClickHouseStore, watch: Watch
) -> None:
    inside(recorded)
    before = HOUR.end + LATER  # the differences are booked now
    assert operational_costs.weights_of(reader, HOUR, before).requests
    assert not VIEWS & watch.tables
    watch.read.clear()
    assert operational_costs.weights_of(reader, HOUR).requests
    assert watch.read == [{"cost_adjustments"}, {"events_current"}]
