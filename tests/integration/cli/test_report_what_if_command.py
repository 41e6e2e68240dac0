"""`auditstream report whatif`: the same calls under another model, contract or share of cached input."""

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

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
WEEK = ("--period", "2026-W45")
# Dollars of a million tokens read, read from the cache, written.
GPT_4O, GPT_4O_MINI = ("2.5", "1.25", "10"), ("0.15", "0.075", "0.6")
# tenant, model, tokens read, of them cached, written, cost; without one it has no price
CALLS: list[tuple[str, str, int, int, int, str | None]] = [
    ("acme", "gpt-4o", 1_000_000, 0, 100_000, "3.50"),
    ("acme", "gpt-4o", 7, 0, 3, "0.0000475"),
    ("globex", "gpt-4o", 200_000, 100_000, 0, "0.375"),
    ("acme", "triage-7b", 500, 0, 50, None),
]


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    return command_line(monkeypatch, apply, report)


@pytest.fixture
def recorded(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tenants, models, read, cached, written, amounts = map(list, zip(*CALLS, strict=True))
    exact = [None if amount is None else Decimal(str(amount)) for amount in amounts]
    columns: dict[str, Any] = {
        f"cost_{name}": exact for name in ("list", "contracted", "effective", "billed")
    }
    block = block_of(
        rows=len(CALLS),
        event_time=NOON,
        tenant_id=tenants,
        outcome="SUCCESS",
        inference_provider="openai",
        inference_request_model=models,
        input_tokens=read,
        cache_read_tokens=cached,
        output_tokens=written,
        cost_status=["unpriced" if amount is None else "priced" for amount in exact],
        cost_currency=["" if amount is None else "USD" for amount in exact],
        **columns,
    )
    sink = ClickHouseSink(ClientPool(lambda: http_client(load().clickhouse)))
    sink.insert(block, insert_by_s=datetime.now(UTC).timestamp() + 60, timeout_s=TIMEOUT_S)
    sink.close()
    capsys.readouterr()


def cost(prices: tuple[str, str, str], read: int, cached: int, written: int) -> Decimal:
    """Return the price of a call, made by hand."""
    of_read, of_cached, of_written = map(Decimal, prices)
    return (of_read * (read - cached) + of_cached * cached + of_written * written) / 1_000_000


def told(run: Run, capsys: pytest.CaptureFixture[str], *options: object) -> tuple[dict[Any, Any], str]:
    assert run("report", "whatif", *WEEK, *options) == 0
    out, err = capsys.readouterr()
    return {(row["line"], row["tenant_id"], row["model"]): row for row in rows_of(out)}, err


@pytest.mark.usefixtures("recorded")
def test_another_model_is_priced_by_the_same_tokens(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, err = told(run, capsys, "--model", "gpt-4o-mini")

    acme = rows["compared", "acme", "gpt-4o"]
    assert Decimal(acme["was"]) == Decimal("3.5000475")
    expected = cost(GPT_4O_MINI, 1_000_000, 0, 100_000) + cost(GPT_4O_MINI, 7, 0, 3)
    assert Decimal(acme["would_be"]) == expected
    assert Decimal(acme["difference"]) == expected - Decimal("3.5000475")
    total = rows["total", "", ""]
    mini = expected + cost(GPT_4O_MINI, 200_000, 100_000, 0)
    assert Decimal(total["difference"]) == mini - Decimal("3.8750475")
    assert (total["calls"], total["currency"]) == (3, "USD")
    left = rows["not compared", "acme", "triage-7b"]
    assert (left["was"], left["would_be"], left["reason"]) == (None, None, "has no price as it is")
    assert "not compared: 1 calls of acme to triage-7b, 550 tokens: has no price as it is" in err


@pytest.mark.usefixtures("recorded")
def test_a_model_that_nobody_has_a_price_for_is_listed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = told(run, capsys, "--model", "openai/no-such-model")

    assert {line for line, _, _ in rows} == {"not compared"}
    assert {row["reason"] for row in rows.values()} == {"unknown_model"}


@pytest.mark.usefixtures("recorded")
def test_a_contract_is_supposed_and_nothing_is_written(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "contract.yaml"
    document.write_text(
        "{kind: contract, contract_id: c, tenant_id: acme, provider: openai, contract_kind: discount,"
        " discount_pct: '20'}"
    )

    rows, _ = told(run, capsys, "--contract", document)

    acme, globex = rows["compared", "acme", "gpt-4o"], rows["compared", "globex", "gpt-4o"]
    assert Decimal(acme["would_be"]) == Decimal("3.5000475") * 4 / 5
    assert acme["difference_pct"] == "-20.00"
    assert Decimal(globex["difference"]) == 0
    assert run("apply", "-f", document, "--dry-run") == 0
    assert {row["change"] for row in rows_of(capsys.readouterr().out)} == {"new"}


@pytest.mark.usefixtures("recorded")
def test_a_share_of_cached_input_is_supposed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = told(run, capsys, "--cache-read-pct", "50", "--tenant", "acme", "--only-model", "gpt-4o")

    (acme,) = [row for (line, _, _), row in rows.items() if line == "compared"]
    assert Decimal(acme["would_be"]) == cost(GPT_4O, 1_000_000, 500_000, 100_000) + cost(GPT_4O, 7, 3, 3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--cache-read-pct"),
        (["--model", "openai/"], "PROVIDER/MODEL"),
        (["--contract", "nowhere.yaml"], "no such file"),
    ],
)
def test_what_cannot_be_supposed_is_refused(
    run: Run, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("report", "whatif", *WEEK, *options) == 2
    assert said in capsys.readouterr().err


def test_a_document_that_is_no_contract_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "tenant.yaml"
    document.write_text("kind: tenant\ntenant_id: acme\nname: Acme\n")

    assert run("report", "whatif", *WEEK, "--contract", document) == 2
    assert "is no contract" in capsys.readouterr().err


def test_a_period_without_calls_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    rows, err = told(run, capsys, "--model", "gpt-4o")

    assert rows == {}
    assert "no calls were recorded" in err
