"""Bills of providers, in the shapes that their documentation shows."""

import io
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from auditstream.billing.anthropic_costs import read_anthropic_costs
from auditstream.billing.bill import Bill, BillLine
from auditstream.billing.focus_bill import read_focus_bill
from auditstream.billing.model_names import model_key
from auditstream.billing.openai_costs import read_openai_costs
from auditstream.core.errors import RequestError
from auditstream.focus.reading import read_focus

# The example of OpenAI's reference, with line items.
OPENAI = """
{"object": "page", "data": [{"object": "bucket", "start_time": 1730419200, "end_time": 1730505600,
 "results": [
  {"object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"},
   "line_item": "gpt-4o-2024-08-06, cached input", "project_id": null},
  {"object": "organization.costs.result", "amount": {"value": 1.1e-7, "currency": "usd"},
   "line_item": null, "project_id": null}]}],
 "has_more": false, "next_page": null}"""
# The example of Anthropic's reference: an amount in cents.
ANTHROPIC: dict[str, Any] = {
    "data": [
        {
            "starting_at": "2025-08-01T00:00:00Z",
            "ending_at": "2025-08-02T00:00:00Z",
            "results": [
                {
                    "currency": "USD",
                    "amount": "123.78912",
                    "workspace_id": "wrkspc_1",
                    "description": "Claude Sonnet 4 Usage - Input Tokens",
                    "cost_type": "tokens",
                    "context_window": "0-200k",
                    "model": "claude-sonnet-4-20250514",
                    "service_tier": "standard",
                    "token_type": "uncached_input_tokens",
                },
                {"currency": "USD", "amount": "50", "cost_type": "web_search", "model": None},
            ],
        }
    ],
    "has_more": False,
    "next_page": None,
}


def openai(text: str = OPENAI) -> Bill:
    return read_openai_costs([("page.json", text.encode())])


def anthropic(**changes: Any) -> Bill:
    result = ANTHROPIC["data"][0]["results"][0] | changes
    page = ANTHROPIC | {"data": [ANTHROPIC["data"][0] | {"results": [result]}]}
    return read_anthropic_costs([("page.json", json.dumps(page).encode())])


def test_openais_line_items_are_models_up_to_the_comma_and_amounts_stay_exact() -> None:
    day = date(2024, 11, 1)

    assert openai().lines == [
        BillLine("openai", "gpt-4o-2024-08-06", day, "USD", Decimal("0.06")),
        BillLine("openai", "", day, "USD", Decimal("1.1e-7")),
    ]
    assert openai().days == {"openai": {day}}


def test_anthropics_amounts_are_cents() -> None:
    bill = read_anthropic_costs([("page.json", json.dumps(ANTHROPIC).encode())])

    assert [(line.model, line.amount) for line in bill.lines] == [
        ("claude-sonnet-4-20250514", Decimal("1.2378912")),
        ("web_search", Decimal("0.5")),
    ]
    assert bill.lines[0].day == date(2025, 8, 1)


def test_a_day_without_costs_is_on_the_bill() -> None:
    empty = OPENAI[: OPENAI.index('"results"')] + '"results": []}], "has_more": false}'

    assert openai(empty).days == {"openai": {date(2024, 11, 1)}}


def test_pages_may_be_files_or_a_list_and_the_last_must_be_there() -> None:
    first = OPENAI.replace("false", "true")

    both = read_openai_costs([("1.json", first.encode()), ("2.json", f"[{OPENAI}]".encode())])

    assert len(both.lines) == 4
    with pytest.raises(RequestError, match=r"1.json: has_more: every page says that there are more"):
        read_openai_costs([("1.json", first.encode())])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"page", "data"', '"page", "datum"', "page.json.data: is not a list"),
        ("1730419200", '"soon"', "page.json.data[0].start_time: is not a time in Unix seconds"),
        ("1730505600", "1730419200", "page.json.data[0].end_time: is not after start_time"),
        ("1730505600", "1" * 30, "page.json.data[0].end_time: is not of a year from 1 to 9999"),
        ("0.06", '"six"', "page.json.data[0].results[0].amount.value: 'six' is not a number"),
        ("0.06", "true", "page.json.data[0].results[0].amount.value: is not a number"),
        ("0.06", "1e99", "page.json.data[0].results[0].amount.value: Decimal('1E+99') is out of range"),
        ('"usd"', '"dollar"', "page.json.data[0].results[0].amount.currency: is not a currency"),
        (
            '{"value": 0.06, "currency": "usd"}',
            "null",
            "page.json.data[0].results[0].amount: is not an object",
        ),
        ('"gpt-4o-2024-08-06, cached input"', "4", "page.json.data[0].results[0].line_item: is not text"),
        ("{", "", "page.json: is not JSON: "),
    ],
)
def test_what_is_no_bill_is_refused_with_place_and_reason(old: str, new: str, said: str) -> None:
    with pytest.raises(RequestError) as refused:
        openai(OPENAI.replace(old, new))

    assert refused.value.message.startswith(said)


def test_another_currency_of_anthropics_is_refused_since_its_lowest_unit_is_not_known() -> None:
    with pytest.raises(RequestError, match=r"results\[0\].currency: JPY is not USD"):
        anthropic(currency="JPY")


@pytest.mark.parametrize(
    ("names", "key"),
    [
        (("gpt-4o", "gpt-4o-2024-08-06", "GPT-4o"), "gpt-4o"),
        (("GPT-4 Turbo", "gpt-4-turbo"), "gpt-4-turbo"),
        (
            (
                "claude-3-5-sonnet-20241022",
                "us.anthropic.claude-3-5-sonnet-20241022-v2:0",
                "claude-3-5-sonnet@20241022",
                "claude-3-5-sonnet-latest",
                "anthropic/claude-3-5-sonnet",
            ),
            "claude-3-5-sonnet",
        ),
        (("models/gemini-2.0-flash",), "gemini-2.0-flash"),
        (("",), ""),
    ],
)
def test_names_of_one_model_are_one(names: tuple[str, ...], key: str) -> None:
    assert {model_key(name) for name in names} == {key}


FOCUS = """\
ProviderName,ServiceName,ServiceCategory,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,BillingCurrency,\
BilledCost,EffectiveCost,SkuPriceDetails
AWS,Amazon Bedrock,AI and Machine Learning,Usage,2026-11-01T05:00:00Z,2026-11-01T06:00:00Z,usd,2.5,2.5,\
"{""ModelId"": ""anthropic.claude-v2""}"
AWS,Amazon Bedrock,AI and Machine Learning,Usage,2026-11-03T05:00:00Z,2026-11-03T06:00:00Z,USD,1,1,
AWS,Amazon S3,Storage,Usage,2026-11-01T05:00:00Z,2026-11-01T06:00:00Z,USD,9,9,
AWS,Amazon Bedrock,AI and Machine Learning,Tax,2026-11-01T05:00:00Z,2026-11-01T06:00:00Z,USD,0.2,0.2,
AWS,Amazon Bedrock,AI and Machine Learning,Usage,2026-11-01T00:00:00Z,2026-12-01T00:00:00Z,USD,7,7,
"""


def test_a_focus_bill_is_its_ai_rows_and_says_what_it_passed_over() -> None:
    bill = Bill()
    read_focus_bill(read_focus(io.BytesIO(FOCUS.encode()), "bill.csv"), "bill.csv", bill)

    assert [(line.provider, line.model, line.currency, line.amount) for line in bill.lines] == [
        ("aws.bedrock", "anthropic.claude-v2", "USD", Decimal("2.5")),
        ("aws.bedrock", "", "USD", Decimal(1)),
    ]
    assert bill.days == {"aws.bedrock": {date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)}}
    assert bill.passed_over == {
        ("service category Storage", "USD"): Decimal(9),
        ("charge category Tax", "USD"): Decimal("0.2"),
        ("charges of more than a day", "USD"): Decimal(7),
    }


def test_a_bad_row_of_a_focus_bill_ends_the_comparison() -> None:
    broken = FOCUS.replace(",2.5,2.5", ",much,2.5")

    with pytest.raises(RequestError, match=r"bill.csv: line 2: BilledCost: 'much' is not a number"):
        read_focus_bill(read_focus(io.BytesIO(broken.encode()), "bill.csv"), "bill.csv", Bill())
