"""OpenAI's organization costs: pages of `GET /v1/organization/costs`.

Shape: https://platform.openai.com/docs/api-reference/usage/costs: a page has `data`, `has_more`,
`next_page`; a bucket of one day `start_time`, `end_time` (Unix seconds) and `results`; a result
`amount.value` (a number, in the currency's main unit), `amount.currency` (lower case), and, grouped by it,
`line_item`, as `gpt-4o-2024-08-06, input`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from auditstream.billing.bill import Bill, BillLine
from auditstream.billing.json_pages import Place, amount_of, currency_of, dated_buckets, each_object, text_of

PROVIDER = "openai"


def read_openai_costs(files: Sequence[tuple[str, bytes]]) -> Bill:
    """Return the bill.

    A line item is read up to its first comma: what is before it is the model.

    Args:
        files: Name and content of each.

    Raises:
        RequestError: A file is not such pages; names file, place and reason.
    """
    bill = Bill()
    times = "start_time", "end_time"
    for place, bucket, day in dated_buckets(files, bill, PROVIDER, times, _time):
        for at, result in each_object(place, bucket, "results"):
            amount = result.get("amount")
            if not isinstance(amount, dict):
                raise (at / "amount").wrong("is not an object")
            value = amount_of(at / "amount", amount, "value")
            currency = currency_of(at / "amount", amount, "currency")
            model = text_of(at, result, "line_item").partition(",")[0].strip()
            bill.add(BillLine(PROVIDER, model, day, currency, value))
    return bill


def _time(place: Place, bucket: Mapping[str, Any], name: str) -> datetime:
    found = bucket.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise (place / name).wrong("is not a time in Unix seconds")
    try:
        return datetime.fromtimestamp(found, UTC)
    except (OverflowError, ValueError, OSError):
        raise (place / name).wrong("is not of a year from 1 to 9999") from None
