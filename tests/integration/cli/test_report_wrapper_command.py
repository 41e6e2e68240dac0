"""`auditstream report wrapper` on a store of its own: parts, shares of shared costs, and what nobody pays."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from auditstream.cli import apply, report
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import LOG, block_of, event_id_at
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

NOVEMBER, DECEMBER = datetime(2026, 11, 3, 10, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)
RULES = """
kind: allocation
rule_id: gpus-by-tokens
category: compute
method: tokens
part: idle_failover_capacity
valid_from: 2026-01-01
---
kind: allocation
rule_id: observability-even
category: observability
method: fixed
shares: {acme: "1", globex: "3"}
valid_from: 2026-01-01
---
kind: allocation
rule_id: pinecone-is-the-vector-store
service: pine*
method: own
part: vector_store
valid_from: 2026-01-01
"""
CALL, COST = "ai.inference", "ai.cost.operational"
# type, time, tenant, category, service, amount, currency, tokens
ROWS: list[tuple[str, datetime, str, str, str, str, str, int | None]] = [
    (CALL, NOVEMBER, "acme", "", "", "1.00", "USD", 300),
    (CALL, NOVEMBER, "globex", "", "", "2.00", "USD", 100),
    (CALL, DECEMBER, "acme", "", "", "5.00", "USD", 10),
    ("ai.tool_call", NOVEMBER, "acme", "", "", "0.25", "USD", None),
    (COST, NOVEMBER, "acme", "Human-Review", "desk", "3.00", "USD", None),
    (COST, NOVEMBER, "acme", "databases", "Pinecone", "0.50", "USD", None),
    (COST, NOVEMBER, "unattributed", "gpu", "EC2", "4.00", "USD", None),
    (COST, NOVEMBER, "unattributed", "monitoring", "Datadog", "0.000000000001", "USD", None),
    (COST, NOVEMBER, "unattributed", "legal", "lawyer", "9.00", "USD", None),
    (COST, NOVEMBER, "unattributed", "gpu", "OVH", "8.00", "EUR", None),
]


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, apply, report)


@pytest.fixture
def recorded(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    assert run("apply", "-f", rules) == 0
    kinds, times, tenants, categories, services, amounts, currencies, tokens = map(
        list, zip(*ROWS, strict=True)
    )
    exact = [Decimal(amount) for amount in amounts]
    columns: dict[str, Any] = {
        f"cost_{name}": exact for name in ("list", "contracted", "effective", "billed")
    }
    block = block_of(
        rows=len(ROWS),
        event_type=kinds,
        event_time=times,
        tenant_id=tenants,
        attributes=[{"service": service} for service in services],
        input_tokens=tokens,
        cost_status="priced",
        cost_currency=currencies,
        costs=[[_line(*each)] for each in zip(categories, exact, currencies, strict=True)],
        **columns,
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    capsys.readouterr()


def _line(category: Any, amount: Decimal, currency: Any) -> dict[str, Any]:
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), amount)
    return {
        "category": category, "meter": "m", "quantity": Decimal(1), "unit": "u", "currency": currency,
        "source": "PROVIDER", **amounts,
    }  # fmt: skip


def report_of(
    run: Run, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[list[dict[str, Any]], str]:
    assert run("report", "wrapper", "--period", "2026-11-01/2027-01-01", *options) == 0
    out, err = capsys.readouterr()
    return rows_of(out), err


def amounts(
    rows: list[dict[str, Any]], month: str, tenant: str, currency: str = "USD"
) -> dict[str, tuple[str, str]]:
    mine = [
        row for row in rows if (row["month"], row["tenant_id"], row["currency"]) == (month, tenant, currency)
    ]
    return {
        row["part"]: (row["own"], row["allocated"]) for row in mine if row["line"] in {"inference", "part"}
    }


@pytest.mark.usefixtures("recorded")
def test_each_part_is_told_by_what_is_own_and_what_is_shared(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, err = report_of(run, capsys)

    zero = "0"
    told = amounts(rows, "2026-11", "acme")
    assert {name: tuple(map(Decimal, figures)) for name, figures in told.items()} == {
        "inference": (Decimal(1), Decimal(0)),
        "idle_failover_capacity": (Decimal(0), Decimal(3)),  # 4 x 300 / 400 tokens
        "provisioned_throughput": (Decimal(zero), Decimal(zero)),
        "review": (Decimal(3), Decimal(0)),
        "vector_store": (Decimal("0.5"), Decimal(0)),
        "tool_call": (Decimal("0.25"), Decimal(0)),
        "observability": (Decimal(0), Decimal(0)),  # a quarter of the smallest amount; globex has more of it
    }
    globex = amounts(rows, "2026-11", "globex")
    assert Decimal(globex["idle_failover_capacity"][1]) == 1
    assert Decimal(globex["observability"][1]) == Decimal("0.000000000001")
    sums = {(row["tenant_id"], row["line"]): row for row in rows if row["month"] == "2026-11"}
    assert Decimal(sums["acme", "wrapper"]["amount"]) == Decimal("6.75")
    assert sums["acme", "wrapper"]["multiple"] == "6.75"
    assert Decimal(sums["acme", "total"]["amount"]) == Decimal("7.75")
    assert sums["globex", "wrapper"]["multiple"] == "0.50"
    assert "2026-11: 1 costs are not spread" in err
    assert "own cost is not in it: set AUDITSTREAM_OWN_COST__GB_MONTH" in err


@pytest.mark.usefixtures("recorded")
def test_parts_and_residuals_add_up_to_all_that_was_booked(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = report_of(run, capsys)

    told: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row["line"] in {"inference", "part", "residual"}:
            told[row["currency"]] += Decimal(row["amount"])
    booked: dict[str, Decimal] = defaultdict(Decimal)
    for _, _, _, _, _, amount, currency, _ in ROWS:
        booked[currency] += Decimal(amount)
    assert told == booked


@pytest.mark.usefixtures("recorded")
def test_what_nobody_pays_has_a_name_and_a_reason(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = report_of(run, capsys)

    (left,) = [row for row in rows if row["line"] == "residual"]
    assert (left["tenant_id"], left["part"], Decimal(left["amount"])) == ("unattributed", "legal", Decimal(9))
    assert left["reason"] == "lawyer no rule covers it"


@pytest.mark.usefixtures("recorded")
def test_months_are_told_apart_and_a_part_of_one_by_its_ends(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, _ = report_of(run, capsys)
    assert [row["amount"][:1] for row in rows if (row["month"], row["line"]) == ("2026-12", "total")] == ["5"]

    assert run("report", "wrapper", "--period", "2026-11-03", "--tenant", "globex") == 0
    rows = rows_of(capsys.readouterr().out)
    assert {row["month"] for row in rows} == {"2026-11-03T00:00Z/2026-11-04T00:00Z"}
    assert {row["tenant_id"] for row in rows} == {"globex"}


@pytest.mark.usefixtures("recorded")
def test_all_is_in_the_currency_asked_for_or_listed(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = report_of(run, capsys, "--currency", "USD")
    assert "not converted: 8 EUR stay in EUR: no rate EUR to USD on 2026-11-03" in err

    rate = tmp_path / "rate.yaml"
    rate.write_text("kind: rate\nbase: EUR\nquote: USD\nrate: '1.5'\nvalid_from: 2026-11-01\n")
    assert run("apply", "-f", rate) == 0
    capsys.readouterr()
    rows, err = report_of(run, capsys, "--currency", "USD")
    assert {row["currency"] for row in rows} == {"USD"}
    assert Decimal(amounts(rows, "2026-11", "acme")["idle_failover_capacity"][1]) == 12  # (4 + 12) x 3 / 4


@pytest.mark.usefixtures("recorded")
def test_what_was_learnt_later_is_left_out(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    moves = [
        {
            "adjustment_id": uuid.uuid4(),
            "kind": "attribution",
            "log_id": f"{LOG}",
            "leaf_index": leaf,
            "event_id": event_id_at(LOG, leaf),
            "event_time": NOVEMBER,
            "event_type": kind,
            "tenant_id": tenant,
            "cost_currency": "USD",
            "events": sign,
            "cost_effective": sign * Decimal(amount),
            "input_tokens": sign * tokens,
            "stands": sign > 0,
            "reason": "test",
            "recorded_at": DECEMBER,
            "actor": "test",
        }
        for leaf, kind, amount, tokens in ((0, CALL, "1.00", 300), (4, COST, "3.00", 0))
        for tenant, sign in (("acme", -1), ("globex", 1))
    ]
    with http_client(load().clickhouse) as client:
        rows = [list(each.values()) for each in moves]
        client.insert("cost_adjustments", rows, column_names=list(moves[0]))

    def figures(*options: str) -> tuple[Decimal, ...]:
        assert run("report", "wrapper", "--period", "2026-11", *options) == 0
        told = amounts(rows_of(capsys.readouterr().out), "2026-11", "acme")
        shared = Decimal(told.get("idle_failover_capacity", ("0", "0"))[1])
        own = (Decimal(told.get(name, ("0", "0"))[0]) for name in ("inference", "review"))
        return (*own, shared)

    assert figures() == (Decimal(0), Decimal(0), Decimal(0))
    assert figures("--known-on", "2026-11-30") == (Decimal(1), Decimal(3), Decimal(3))
    assert figures("--known-on", "2026-12-02") == (Decimal(0), Decimal(0), Decimal(0))
    assert run("report", "wrapper", "--known-on", "once") == 2
    assert "once" in capsys.readouterr().err


@pytest.mark.usefixtures("recorded")
def test_what_auditstream_costs_is_lines_of_its_own(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITSTREAM_OWN_COST__GB_MONTH", "1000")
    monkeypatch.setenv("AUDITSTREAM_OWN_COST__CPU_HOUR", "0.72")

    rows, err = report_of(run, capsys, "--cpu-seconds", "50")

    by_tenant = {name: amounts(rows, "2026-11", name) for name in ("acme", "globex", "unattributed")}
    events = {"acme": 4, "globex": 1, "unattributed": 4}  # of 9; the euros' event is another statement's
    cpu = {name: Decimal(parts["auditstream_cpu"][1]) for name, parts in by_tenant.items()}
    assert sum(cpu.values()) == Decimal("0.01")  # 50 s at 0.72 an hour
    assert cpu["globex"] == Decimal("0.001111111111")
    stored = [Decimal(parts["auditstream_storage"][1]) / events[name] for name, parts in by_tenant.items()]
    assert min(stored) > 0
    assert max(stored) / min(stored) > Decimal("0.99")
    assert "own" not in err


@pytest.mark.usefixtures("recorded")
def test_a_page_has_pictures_and_asks_for_nothing_outside(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "wrapper", "--period", "2026-11", "--output", "html") == 0

    page = capsys.readouterr().out
    body = ET.fromstring(page.partition("</head>")[2].replace("</html>", ""))
    assert len(body.findall("svg")) == 4
    titles = [each.text or "" for each in body.iter("title")]
    assert "review: 3.000000 USD" in titles
    assert "Everything else is 6.75 times inference." in page
    assert "legal" in page
    assert "http" not in page


@pytest.mark.usefixtures("recorded")
def test_a_table_has_bars_and_the_multiple(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "wrapper", "--period", "2026-11", "--tenant", "acme", "--output", "table") == 0

    out = capsys.readouterr().out
    assert "██" in out
    assert "6.75 times inference" in out


def test_an_empty_period_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, err = report_of(run, capsys)

    assert rows == []
    assert "nothing that costs was recorded" in err


def test_a_page_is_refused_where_there_is_none(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "cost", "--period", "2026-11", "--output", "html") == 2
    assert "table, json, jsonl, csv" in capsys.readouterr().err


def test_what_is_no_number_of_seconds_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "wrapper", "--cpu-seconds", "many") == 2
    assert "--cpu-seconds" in capsys.readouterr().err
