"""Units as FOCUS writes them, and the unit that a price is for.

Format: FOCUS 1.2, "Unit Format": counts are capitalised plurals, `GB-Hours` is storage over time, a price's
unit may begin with a number, as `1000000 Tokens`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_NAMES: Mapping[str, str] = {
    "gb": "GB",
    "gib": "GiB",
    "tb": "TB",
    "tib": "TiB",
    "gb-hours": "GB-Hours",
    "gib-hours": "GiB-Hours",
    "gb-months": "GB-Months",
    "gpu-hours": "GPU-Hours",
}
_WORD = re.compile(r"[A-Za-z0-9]+")
_TIME = re.compile(r"(?i)(?P<what>.+)[-_ ](?P<time>years|months|days|hours|minutes|seconds)")
_PRICED_BY_THE_MILLION = ("Tokens", "Characters")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of consumption and of price.

    Attributes:
        consumed: `ConsumedUnit`.
        pricing: `PricingUnit`.
        per: How many consumed units a pricing unit is.
    """

    consumed: str
    pricing: str
    per: Decimal


@lru_cache(maxsize=1024)
def unit_of(written: str) -> Unit:
    """Return the unit that a cost line's word means."""
    name = _name(written)
    if name in _PRICED_BY_THE_MILLION:
        return Unit(name, f"1000000 {name}", Decimal(1_000_000))
    return Unit(name, name, Decimal(1))


def _name(written: str) -> str:
    known = _NAMES.get(written.strip().lower())
    if known is not None:
        return known
    if match := _TIME.fullmatch(written.strip()):
        return f"{_counted(match['what'])}-{match['time'].capitalize()}"
    return _counted(written)


def _counted(written: str) -> str:
    words = _WORD.findall(written)
    named = [each if each[0].isupper() else each.capitalize() for each in words if not each.isdigit()]
    return " ".join(word for word in named if word[0].isalpha()) or "Units"
