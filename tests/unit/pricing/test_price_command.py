from __future__ import annotations

import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer

from auditstream.cli import main, price
from auditstream.pricing.catalogue import bundled_catalogue

O3 = ["--provider", "openai", "--model", "o3"]
USAGE = ["--usage", '{"input_tokens": 1000000, "cache_read_tokens": 200000, "output_tokens": 1000000}']


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `auditstream price`: exit code, stdout, stderr."""
    if "price" not in main.COMMANDS:
        app = typer.Typer()
        app.callback()(main._options)
        price.register(app)
        monkeypatch.setattr(main, "app", app)

    def _run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["price", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _run


@pytest.mark.parametrize(("at", "total"), [("2025-05-01", "48.1"), ("2025-07-01", "9.7")])
def test_a_call_is_priced_at_its_time(run: Any, at: str, total: str) -> None:
    code, out, _ = run(*O3, *USAGE, "--at", at, "--output", "json")

    answer = json.loads(out)
    assert (code, answer["status"], answer["total"], answer["currency"]) == (0, "priced", total, "USD")
    assert (answer["basis"], answer["revision"]) == ("dated", bundled_catalogue().revision)
    assert [line["price_id"].split("@")[0] for line in answer["lines"]] == [
        "openai/o3/input", "openai/o3/output", "openai/o3/cache_read",
    ]  # fmt: skip
    assert sum(Decimal(line["billed"]) for line in answer["lines"]) == Decimal(total)


def test_amounts_are_plain_decimal_strings(run: Any) -> None:
    _, out, _ = run(*O3, "--usage", '{"input_tokens": 1}', "--at", "2025-07-01", "--output", "json")

    (line,) = json.loads(out)["lines"]
    assert (line["quantity"], line["list_unit_price"], line["list"]) == ("1", "0.000002", "0.000002")


def test_a_call_without_a_price_says_unpriced_and_no_amount(run: Any) -> None:
    code, out, _ = run("--provider", "openai", "--model", "nope", *USAGE, "--output", "json")

    answer = json.loads(out)
    assert (code, answer["status"], answer["reason"]) == (0, "unpriced", "unknown_model")
    assert not {"total", "lines", "cost_billed"} & answer.keys()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ([*O3, "--usage", '{"input_tokns": 3}'], "usage.input_tokns"),
        ([*O3, "--usage", "{"], "usage"),
        ([*O3, *USAGE, "--tier", "bach"], "tier"),
        ([*O3], "usage"),
        (["--model", "o3", *USAGE], "provider"),
        ([*O3, "--response", "no-such-file"], "response"),
    ],
)
def test_a_wrong_option_ends_with_2_and_is_named(run: Any, arguments: list[str], field: str) -> None:
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert err.startswith(f"error[request]: {field}: ")


def test_a_recorded_response_is_priced_by_the_model_that_answered(run: Any, tmp_path: Path) -> None:
    body = {"model": "gpt-4o-2024-08-06", "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}
    recorded = tmp_path / "response.json"
    recorded.write_text(json.dumps(body), encoding="utf-8")

    code, out, _ = run("--provider", "openai", "--response", str(recorded), "--output", "json")

    answer = json.loads(out)
    assert (code, answer["total"], answer["model"]) == (0, "0.0035", "gpt-4o-2024-08-06")


def test_a_batch_answers_every_line_in_order_past_the_bad_ones(run: Any, tmp_path: Path) -> None:
    good = {"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": 2}}
    lines = [
        json.dumps(good | {"id": "a"}),
        "{",
        json.dumps(good | {"id": 7, "usage": {"inpt": 1}}),
        "",
        json.dumps(good | {"model": "nope"}),
        json.dumps(good | {"id": "b"}),
    ]
    file = tmp_path / "batch.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")

    code, out, err = run("--batch", str(file))

    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 7
    assert [answer["status"] for answer in answers] == ["priced", "refused", "refused", "unpriced", "priced"]
    assert [answer.get("id") for answer in answers] == ["a", None, 7, None, "b"]
    assert [(answer["line"], answer["field"]) for answer in answers[1:3]] == [(2, "line"), (3, "usage.inpt")]
    assert answers[2]["error"].startswith("usage.inpt: ")
    assert "2 lines were refused" in err


def test_a_batch_of_good_lines_ends_with_0(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price, "_CHUNK", 3)
    lines = [
        json.dumps({"provider": "openai", "model": "gpt-4o", "usage": {"input_tokens": count}, "id": count})
        for count in range(1, 11)
    ]
    stdin = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", stdin)

    code, out, err = run("--batch", "-")

    answers = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [Decimal(each["total"]) / each["id"] for each in answers] == [Decimal("0.0000025")] * 10


def test_a_batch_takes_no_other_option(run: Any) -> None:
    code, _, err = run("--batch", "-", "--tier", "batch")

    assert code == 2
    assert "--tier" in err


def test_a_table_has_the_lines_and_the_total(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    _, out, _ = run(*O3, *USAGE, "--at", "2025-05-01", "--output", "table")

    assert out.splitlines()[0].split() == [
        "meter", "direction", "cache_action", "quantity", "list_unit_price", "billed", "price_id",
    ]  # fmt: skip
    assert "total            48.1" in out
