"""`auditstream prices` and `price` against a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from auditstream.cli import apply, price, prices
from auditstream.core.settings import load
from auditstream.pricing.catalogue import bundled_catalogue
from auditstream.reference.price_import import import_of
from sinks.clickhouse import connect
from tests.integration.cli.test_apply_command import events_on
from tests.support.blocks import NOON, block_of
from tests.support.brokers import Broker
from tests.support.command_line import Run, command_line, rows_of

OWN = """
kind: price
price_id: our-gpt-4o
provider: openai
model_pattern: gpt-4o
meter: text
direction: input
unit: tokens
amount: "0.000002"
currency: USD
valid_from: 2020-01-01
---
kind: tenant
tenant_id: acme
name: Acme
---
kind: contract
contract_id: acme-2026
contract_kind: discount
tenant_id: acme
provider: openai
discount_pct: "10"
valid_from: 2020-01-01
"""
CALL = ("price", "--provider", "openai", "--model", "gpt-4o", "--usage", '{"input_tokens": 1000000}')


@pytest.fixture
def run(deployed: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands on a topic and a database of the test's own."""
    monkeypatch.setenv("AUDITSTREAM_ACCESS__WHEN_KAFKA_IS_AWAY", "spool")
    return command_line(monkeypatch, apply, price, prices)


@pytest.fixture
def ask(run: Run, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command and returns its exit code, its rows, and what it said on stderr."""
    capsys.readouterr()

    def asked(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
        code = run(*arguments)
        said = capsys.readouterr()
        return code, rows_of(said.out), said.err

    return asked


def test_the_catalogue_is_imported_once_and_told_of_in_one_event(
    ask: Any, broker: Broker, topic: str
) -> None:
    stated = import_of(bundled_catalogue())

    code, rows, err = ask("prices", "import", "--actor", "mara")
    again = ask("prices", "import", "--actor", "mara")
    different = ask("prices", "diff")

    assert (code, rows) == (0, [])  # the first time everything is new, and not worth a line each
    assert f"revision 1: {stated.release}: {len(stated.prices)} came" in err
    assert again[:2] == (0, [])
    assert different[:2] == (0, [])
    (event,) = events_on(broker, topic, 1)
    assert event["change"]["object_type"] == "price_book"
    assert (event["change"]["before_hash"], event["change"]["after_hash"]) == (None, stated.source_hash)
    assert event["attributes"]["prices_came"] == str(len(stated.prices))
    assert (event["actor_id"], event["attributes"]["reference_revision"]) == ("mara", "1")


def test_a_dry_run_writes_nothing(ask: Any) -> None:
    _, rows, err = ask("prices", "import", "--dry-run")
    code, changes, _ = ask("prices", "diff")

    assert "nothing was written" in err
    assert len(rows) > 8_000
    assert (code, len(changes)) == (0, len(rows))
    assert {row["change"] for row in changes} == {"came"}


def test_prices_of_our_own_and_contracts_are_what_price_says(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    ask("prices", "import", "--without-event")
    _, (imported,), _ = ask(*CALL)
    assert ask("apply", "-f", tmp_path / "own.yaml", "--without-event")[0] == 0

    _, (ours,), _ = ask(*CALL)
    _, (acme,), _ = ask(*CALL, "--tenant", "acme")
    _, (before,), _ = ask(*CALL, "--revision", "1")
    _, (installed,), _ = ask(*CALL, "--catalogue")

    assert [each["total"] for each in (imported, ours, acme, before, installed)] == [
        "2.5",
        "2",
        "1.8",
        "2.5",
        "2.5",
    ]
    assert (acme["cost_list"], acme["cost_contracted"]) == ("2", "1.8")
    assert ours["lines"][0]["price_id"] == "our-gpt-4o"
    assert [each["revision"].rpartition("/")[2] for each in (before, ours)] == ["r1", "r2"]
    code, _, err = ask(*CALL, "--tenant", "acmee")
    assert (code, "did you mean acme?" in err) == (2, True)


def test_history_shows_what_was_known_since_when_and_from_whom(ask: Any, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN)
    ask("prices", "import", "--without-event", "--actor", "mara")
    ask("apply", "-f", tmp_path / "own.yaml", "--without-event", "--actor", "otto")

    _, rows, _ = ask(
        "prices", "history", "--provider", "openai", "--model", "gpt-4o-2024-08-06", "--meter", "input_tokens"
    )
    _, before, _ = ask("prices", "history", "--provider", "openai", "--model", "gpt-4o", "--revision", "1")
    _, added, _ = ask("prices", "diff", "--from", "1")
    code, _, err = ask("prices", "history", "--provider", "openai", "--model", "gpt-none")

    standard = [row for row in rows if not row["tier"]]
    assert [(row["revision"], row["actor"], row["amount"]) for row in standard] == [
        (1, "mara", "0.0000025"), (2, "otto", "0.000002"),
    ]  # fmt: skip
    assert {row["revision"] for row in before} == {1}
    assert [row["price_id"] for row in added] == ["our-gpt-4o"]
    assert (code, "no price of openai/gpt-none" in err) == (4, True)


def test_check_ends_with_7_and_names_each_finding(ask: Any, tmp_path: Path) -> None:
    listed = {
        "gpt-4o": {
            "litellm_provider": "openai",
            "input_cost_per_token": 3e-06,
            "output_cost_per_token": 1e-05,
        }
    }
    (tmp_path / "litellm.json").write_text(json.dumps(listed))
    (tmp_path / "odd.yaml").write_text(OWN.replace("currency: USD", "currency: EUX"))
    ask("prices", "import", "--without-event")

    code, rows, err = ask("prices", "check", "--litellm", tmp_path / "litellm.json")
    fine = ask("prices", "check")
    ask("apply", "-f", tmp_path / "odd.yaml", "--without-event")
    odd, faults, _ = ask("prices", "check")

    assert code == 7
    assert [(row["check"], row["model"], row["meter"]) for row in rows] == [
        ("litellm", "gpt-4o", "input_tokens")
    ]
    assert (rows[0]["ours"], rows[0]["theirs"], rows[0]["difference_pct"]) == (
        "0.0000025",
        "0.000003",
        "16.67",
    )
    assert "2 prices of 1 models compared, 1 differ" in err
    assert fine[:2] == (0, [])
    assert (odd, {row["check"] for row in faults}) == (7, {"unknown_currency", "mixed_currencies"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tolerance", "x"], "--tolerance"),
        (["--litellm", "/no/such/file"], "cannot be read"),
        (["--since", "soon"], "not a duration"),
    ],
)
def test_a_wrong_option_of_check_is_named(ask: Any, arguments: list[str], words: str) -> None:
    code, _, err = ask("prices", "check", *arguments)

    assert (code, words in err) == (2, True)


@pytest.fixture
def recorded(run: Run) -> Iterator[None]:
    """Two calls without a price, one that brought its cost, and one that ours agrees with."""
    sink = connect(load().clickhouse)
    rows: dict[str, list[Any]] = {
        "inference_provider": ["openai", "openai", "openrouter", "openrouter"],
        "inference_request_model": ["gpt-next", "gpt-next", "m", "m"],
        "input_tokens": [10, 20, 5, 5],
        "cost_status": ["unpriced", "unpriced", "priced", "priced"],
        "unpriced_reason": ["unknown_model", "unknown_model", "", ""],
        "cost_currency": ["", "", "USD", "USD"],
        "cost_billed": [None, None, Decimal("1.10"), Decimal(2)],
        "computed_cost": [None, None, Decimal(1), Decimal(2)],
        "computed_currency": ["", "", "USD", "USD"],
        "cost_difference": [None, None, Decimal("0.10"), Decimal(0)],
    }
    sink.insert(block_of(rows=4, **rows), insert_by_s=4_000_000_000, timeout_s=30)
    yield
    sink.close()


def test_calls_without_a_price_are_listed_by_what_is_missing(recorded: None, ask: Any) -> None:
    code, rows, _ = ask("prices", "unpriced")
    _, later, _ = ask("prices", "unpriced", "--from", f"{NOON.replace(year=NOON.year + 1):%Y-%m-%d}")

    assert code == 0
    assert [(row["provider"], row["model"], row["reason"], row["events"], row["tokens"]) for row in rows] == [
        ("openai", "gpt-next", "unknown_model", 2, 30)
    ]
    assert rows[0]["first_at"].startswith(f"{NOON:%Y-%m-%dT%H:%M}")
    assert later == []


def test_differences_to_reported_costs_are_summed_and_large_ones_are_findings(
    recorded: None, ask: Any
) -> None:
    _, (row,), _ = ask("prices", "reported")

    assert [Decimal(row[name]) for name in ("reported", "computed", "difference", "difference_pct")] == [
        Decimal("3.1"), Decimal(3), Decimal("0.1"), Decimal("3.33"),
    ]  # fmt: skip
    assert (row["events"], row["not_compared"]) == (2, 0)
    code, findings, _ = ask("prices", "check", "--since", "5000w")
    assert (code, [each["check"] for each in findings]) == (7, ["unpriced", "reported"])
