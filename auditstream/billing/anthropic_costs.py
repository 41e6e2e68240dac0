"""Anthropic's cost report: pages of `GET /v1/organizations/cost_report`.

Shape: https://platform.claude.com/docs/en/api/admin/cost_report: a page has `data`, `has_more`, `next_page`;
a bucket of one day `starting_at`, `ending_at` (RFC 3339) and `results`; a result `amount`, a decimal string
in the lowest unit of the currency (`"123.45"` in `USD` is 1.2345 dollars), `currency`, and, grouped by
description, `model`, `cost_type`, `description`. Costs of the Priority Tier are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from auditstream.billing.bill import Bill, BillLine
from auditstream.billing.json_pages import Place, amount_of, currency_of, dated_buckets, each_object, text_of

PROVIDER = "anthropic"

_CENT = Decimal("0.01")
_CENTS = "USD"  # the report has no other; another's lowest unit may be another part of it


def read_anthropic_costs(files: Sequence[tuple[str, bytes]]) -> Bill:
    """Return the bill; a cost that is of no model, as of web searches, goes by its type.

    Args:
        files: Name and content of each.

    Raises:
        RequestError: A file is not such pages; names file, place and reason.
    """
    bill = Bill()
    times = "starting_at", "ending_at"
    for place, bucket, day in dated_buckets(files, bill, PROVIDER, times, _time):
        for at, result in each_object(place, bucket, "results"):
            currency = currency_of(at, result, "currency")
            if currency != _CENTS:
                raise (at / "currency").wrong(
                    f"{currency} is not {_CENTS}: its lowest unit is not known here"
                )
            value = amount_of(at, result, "amount") * _CENT
            named = (text_of(at, result, name) for name in ("model", "cost_type", "description"))
            bill.add(BillLine(PROVIDER, next(filter(None, named), ""), day, currency, value))
    return bill


def _time(place: Place, bucket: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text_of(place, bucket, name))
    except ValueError:
        raise (place / name).wrong("is not a time as RFC 3339 has it") from None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
