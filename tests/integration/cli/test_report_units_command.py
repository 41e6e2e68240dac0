"""`auditstream report units`, `pilot` and `showback` on a store of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import apply, report
from auditstream.core.settings import load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.blocks import block_of
from tests.support.command_line import Run, command_line, rows_of
from tests.support.stores import TIMEOUT_S

OCTOBER, NOVEMBER = datetime(2026, 10, 5, 10, tzinfo=UTC), datetime(2026, 11, 5, 10, tzinfo=UTC)
# time, team, project, environment, conversation, model, cost; without one it is unpriced
ROWS: list[tuple[datetime, str, str, str, str, str, str | None]] = [
    (OCTOBER, "search", "advice", "pilot", "c1", "small", "0.10"),
    (OCTOBER, "search", "advice", "pilot", "c2", "small", "0.30"),
    (NOVEMBER, "search", "advice", "production", "c3", "small", "0.25"),
    (NOVEMBER, "search", "advice", "production", "c3", "large", "0.50"),
    (NOVEMBER, "search", "orders", "production", "c4", "large", "0.25"),
    (NOVEMBER, "search", "orders|x", "production", "c5", "<b>", None),
    (NOVEMBER, "other", "advice", "production", "c6", "small", "9.00"),
]


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, apply, report)


@pytest.fixture
def recorded(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    times, teams, projects, environments, conversations, models, amounts = map(list, zip(*ROWS, strict=True))
    exact = [None if amount is None else Decimal(str(amount)) for amount in amounts]
    columns: dict[str, Any] = {
        f"cost_{name}": exact for name in ("list", "contracted", "effective", "billed")
    }
    block = block_of(
        rows=len(ROWS),
        event_time=times,
        team_id=teams,
        project_id=projects,
        environment=environments,
        conversation_id=conversations,
        inference_response_model=models,
        input_tokens=10,
        cost_status=["unpriced" if amount is None else "priced" for amount in exact],
        cost_currency=["" if amount is None else "USD" for amount in exact],
        **columns,
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    capsys.readouterr()


@pytest.mark.usefixtures("recorded")
def test_what_a_conversation_costs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "units", "--by", "conversation", "--period", "2026-11") == 0

    out, err = capsys.readouterr()
    (row,) = rows_of(out)
    assert (row["tenant_id"], row["currency"], row["units"], row["costing_units"], row["unpriced_units"]) == (
        "acme", "USD", 4, 3, 1,
    )  # fmt: skip
    figures = {name: Decimal(row[name]) for name in ("cost", "per_unit", "p50", "p95", "largest")}
    assert figures == {
        "cost": Decimal(10),
        "per_unit": Decimal("3.333333333333"),
        "p50": Decimal("0.75"),
        "p95": Decimal(9),
        "largest": Decimal(9),
    }
    assert row["resolved"] is None
    assert "1 units have calls without a price" in err


RATES = """
- {kind: tenant, tenant_id: acme, name: Acme, currency: EUR, valid_from: 2026-01-01}
- {kind: rate, base: USD, quote: EUR, rate: "0.5", valid_from: 2026-11-01}
"""


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("option", [("--currency", "eur"), ("--tenant", "acme")])
def test_what_units_cost_is_told_in_one_currency(
    run: Run, tmp_path: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "facts.yaml"
    facts.write_text(RATES)
    assert run("apply", "-f", facts) == 0
    capsys.readouterr()

    assert run("report", "units", "--period", "2026-11", *option) == 0
    (row,) = rows_of(capsys.readouterr().out)
    assert (row["currency"], row["units"], row["costing_units"]) == ("EUR", 4, 3)
    assert [Decimal(row[name]) for name in ("cost", "p50", "largest")] == [
        Decimal(5), Decimal("0.375"), Decimal("4.5"),
    ]  # fmt: skip

    assert run("report", "units", "--period", "2026-10", *option) == 0
    out, err = capsys.readouterr()
    assert [row["currency"] for row in rows_of(out)] == ["USD"]
    assert "not converted: 0.4 USD stay in USD: no rate USD to EUR on 2026-10-05" in err

    both = ["--pilot-environment", "pilot", "--production-environment", "production"]
    periods = ["--pilot-period", "2026-11-05", "--production-period", "2026-11-05"]
    assert run("report", "pilot", *periods, *both, *option) == 0
    assert "no group has costs in one currency in both" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("units",), ("showback", "--team", "t", "--month", "2026-11")])
@pytest.mark.parametrize(("option", "value"), [("--currency", "euro"), ("--known-on", "yesterday evening")])
def test_a_currency_or_a_moment_that_is_none_is_refused(
    run: Run, command: tuple[str, ...], option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", *command, option, value) == 2
    assert value.split()[0] in capsys.readouterr().err


@pytest.mark.usefixtures("recorded")
def test_a_pilot_is_compared_with_production(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    both = ["--pilot-environment", "pilot", "--production-environment", "production"]
    periods = ["--pilot-period", "2026-10-05", "--production-period", "2026-11-05"]
    assert run("report", "pilot", *periods, *both) == 0

    (row,) = rows_of(capsys.readouterr().out)
    assert (Decimal(row["pilot_per_unit"]), row["production_costing_units"]) == (Decimal("0.2"), 3)
    # 10 / 0.4 = 25 = 3 / 2 times 16.6667
    assert (row["volume"], row["unit_price"], row["multiple"]) == ("1.5000", "16.6667", "25.0000")


def test_a_pilot_that_is_production_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    same = ["--pilot-period", "2026-10", "--production-period", "2026-10"]

    assert run("report", "pilot", *same) == 2
    assert "--pilot-environment" in capsys.readouterr().err


@pytest.mark.usefixtures("recorded")
def test_each_split_of_a_statement_adds_up_to_its_total(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "showback", "--team", "search", "--month", "2026-11") == 0

    out, err = capsys.readouterr()
    rows = rows_of(out)
    (total,) = [row for row in rows if row["split"] == "total"]
    assert (Decimal(total["cost_effective"]), Decimal(total["cost_effective_before"])) == (
        Decimal(1),
        Decimal("0.4"),
    )
    assert total["change_pct"] == "150.00"
    for split in ("project", "feature", "cost_center", "environment", "model"):
        parts = [Decimal(row["cost_effective"] or 0) for row in rows if row["split"] == split]
        assert sum(parts) == 1
    by_project = {row["key"]: row["cost_effective"] for row in rows if row["split"] == "project"}
    assert by_project["orders|x"] is None
    assert "unpriced: 1 events with 10 tokens" in err


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(
    ("form", "shown", "hidden"),
    [
        ("markdown", ["| advice | 0.750000 |", "orders\\|x", "\\<b\\>", "+150.00 %", "| unpriced |"], "<b>"),
        ("html", ["<td>advice</td><td>0.750000</td>", "orders|x", "&lt;b&gt;", "+150.00 %"], "<b>"),
    ],
)
def test_a_statement_is_a_page_to_send(
    run: Run, form: str, shown: list[str], hidden: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "showback", "--team", "search", "--month", "2026-11", "--output", form) == 0

    page = capsys.readouterr().out
    assert [text for text in shown if text not in page] == []
    assert hidden not in page


@pytest.mark.usefixtures("recorded")
def test_a_team_that_spent_nothing_is_told_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "showback", "--team", "nobody", "--month", "2026-11", "--tenant", "acme") == 0

    out, err = capsys.readouterr()
    assert rows_of(out) == []
    assert "nothing is booked to team nobody" in err


def test_a_month_that_is_none_is_refused(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("report", "showback", "--team", "search", "--month", "2026-11-01") == 2
    assert "2026-11" in capsys.readouterr().err
