"""Usage as deltas say it and as the rollup says it, in one form to compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.support.bad_messages import framed
from tests.support.events import COST_LINE

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Key = tuple[datetime | str, ...]
Sums = dict[Key, tuple[Decimal, ...]]

_KEY = "tenant_id, toUnixTimestamp(minute), event_type, project_id, environment, inference_provider, model"
_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
_AMOUNTS = ("list", "contracted", "effective", "billed")


def events_of_all_kinds(numbers: Iterable[int]) -> list[bytes]:
    """Return framed events, the same for the same number, and bad bytes among them."""
    return [b"junk" if number % 23 == 5 else framed(number, **_fields(number)) for number in numbers]


def _fields(number: int) -> dict[str, Any]:
    amounts = dict.fromkeys(_AMOUNTS, Decimal(number) - Decimal(f"0.{number:012}"))
    inference = {
        "operation": "chat",
        "provider": ("openai", "anthropic")[number % 2],
        "request_model": ("gpt-4o", "o3", "claude-sonnet-4-0", "unheard-of")[number % 4],
        "response_model": "gpt-4o-2024-08-06" if number % 12 == 0 else None,
    }
    usage = {"input_tokens": number, "output_tokens": 7, "cache_read_tokens": number // 2}
    return {
        "event_time": NOON + timedelta(seconds=number * 41 % 700, microseconds=number),
        "event_type": "ai.agent.action" if number % 13 == 0 else "ai.inference",
        "tenant_id": ("acme", "globex", "")[number % 3],
        "project_id": ("search", None)[number % 2],
        "environment": ("production", "staging", None)[number % 3],
        "credential_id": f"key-{number % 4}",
        "outcome": ("SUCCESS", "FAILURE", "BLOCKED", "UNKNOWN")[number % 5 % 4],
        "duration_us": None if number % 6 == 0 else number * 1000,
        "inference": None if number % 10 == 9 else inference,
        "usage": None if number % 10 == 9 else usage,
        "costs": [{**COST_LINE, **amounts, "currency": "EUR"}] if number % 9 == 0 else [],
    }


def summed_deltas(deltas: Iterable[dict[str, Any]]) -> Sums:
    """Return the sums of deltas by the key of `usage_1m`: events, failures, unpriced, tokens, amounts."""
    sums: dict[Key, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 12)
    for delta in deltas:
        for line in delta["lines"]:
            costs = {name: sum(each[name] for each in line["costs"]) for name in _AMOUNTS}
            currency = "".join(each["currency"] for each in line["costs"])
            key = (
                delta["tenant_id"],
                line["minute"],
                *(line[name] for name in ("event_type", "project_id", "environment", "provider", "model")),
                currency,
            )
            more = [line[name] for name in ("events", "failures", "unpriced", *_COUNTS)]
            more += [costs[name] for name in _AMOUNTS]
            sums[key] = [one + Decimal(other) for one, other in zip(sums[key], more, strict=True)]
    return {key: tuple(values) for key, values in sums.items()}


def usage_1m(ask: Callable[[str], Sequence[Sequence[Any]]]) -> Sums:
    """Return the rollup in the form of `summed_deltas`."""
    summed = ["events", "failures", "unpriced_events", *_COUNTS, *(f"cost_{name}" for name in _AMOUNTS)]
    columns = ", ".join(f"sum({name})" for name in summed)
    rows = ask(f"SELECT {_KEY}, cost_currency, {columns} FROM usage_1m GROUP BY ALL")
    return {
        (tenant, datetime.fromtimestamp(minute, UTC), *rest[:6]): tuple(map(Decimal, rest[6:]))
        for tenant, minute, *rest in rows
    }
