"""How values look: times, lengths, numbers, money. What is shown short has its exact form beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from markupsafe import Markup, escape

from auditstream.core.values import as_json, as_text

NOTHING = Markup('<span class="dim">–</span>')
"""What a cell without a value shows."""

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
_MONEY_STEP = Decimal("0.000001")  # a token of the cheapest models costs a tenth of this
_CENT = Decimal("0.01")
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1_000


def utc(value: datetime) -> datetime:
    """Return a moment with its zone; the store's are UTC and do not say so."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def moment_tag(value: datetime | None, form: str = "full") -> Markup:
    """Return a moment as <time>: UTC, and the reader's own time on hover.

    Args:
        value: The moment.
        form: `full` is day and milliseconds, `dated` has the year too, `second` no millis, `clock` no day.
    """
    if value is None:
        return NOTHING
    at = utc(value)
    millis = f".{at.microsecond // 1000:03d}"
    if form == "clock":
        text = Markup('{}<span class="dim">{}</span>').format(at.strftime("%H:%M:%S"), millis)
    elif form == "dated":
        text = Markup('{}<span class="dim">{}</span>').format(at.strftime("%d %b %Y %H:%M:%S"), millis)
    elif form == "second":
        text = escape(at.strftime("%d %b %Y %H:%M:%S"))
    else:
        text = Markup('<span class="dim">{}</span> {}<span class="dim">{}</span>').format(
            at.strftime("%d %b"), at.strftime("%H:%M:%S"), millis
        )
    exact = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        exact, at.strftime("%Y-%m-%d %H:%M:%S.%f"), text
    )


def number(value: float | Decimal | None) -> Markup | str:
    """Return a count with its thousands apart."""
    return NOTHING if value is None else f"{value:,}"


def short_number(value: float) -> str:
    """Return a count in three digits, as 12.4k."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"


def money(value: Decimal | None, currency: str = "", status: str = "") -> Markup:
    """Return an amount with as many decimals as tell something; the exact one is its title.

    Six decimals stand under each other in a table; zeros that end them are dim.
    """
    if status == "unpriced":
        return Markup('<span class="badge warn" title="No price was known for it">unpriced</span>')
    if value is None:
        return NOTHING
    sign, code = _SIGNS.get(currency, ""), "" if currency in _SIGNS else currency
    rounded = value.quantize(_MONEY_STEP, ROUND_HALF_EVEN)
    whole, _, decimals = f"{abs(rounded):,f}".partition(".")
    kept = max(len(decimals.rstrip("0")), 2)
    return Markup('<span title="{}">{}{}{}.{}<span class="dim">{}</span>{}</span>').format(
        f"{value:f} {currency}".strip(),
        "−" if rounded < 0 else "",
        sign,
        whole,
        decimals[:kept],
        decimals[kept:],
        f" {code}" if code else "",
    )


def total_money(value: Decimal | None, currency: str = "") -> Markup:
    """Return an amount as a total: two decimals, or three digits that tell something below a cent."""
    if value is None:
        return NOTHING
    small = value != 0 and abs(value) < 1
    places = max(2, 2 - value.adjusted()) if small else 2
    rounded = value.quantize(Decimal(1).scaleb(-min(places, 12)) if small else _CENT, ROUND_HALF_EVEN)
    sign, code = _SIGNS.get(currency, ""), "" if currency in _SIGNS else currency
    text = f"{'−' if rounded < 0 else ''}{sign}{abs(rounded):,f}"
    unit = Markup(" <small>{}</small>").format(code) if code else ""
    return Markup('<span title="{}">{}{}</span>').format(f"{value:f} {currency}".strip(), text, unit)


def length(value: timedelta | int | None) -> Markup | str:
    """Return a length of time; a whole number is of microseconds."""
    if value is None:
        return NOTHING
    micros = value if isinstance(value, int) else value // timedelta(microseconds=1)
    if abs(micros) < _THOUSAND:
        return f"{micros} µs"
    if abs(micros) < _THOUSAND**2:
        return f"{micros / _THOUSAND:.3g} ms" if abs(micros) < 99_950 else f"{micros / _THOUSAND:.0f} ms"
    seconds = micros / _THOUSAND**2
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def span_words(width: timedelta) -> str:
    """Return a round width as words: `5 minutes`."""
    seconds = int(width.total_seconds())
    for size, word in ((604800, "week"), (86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds % size == 0:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def ago(value: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in its largest unit."""
    seconds = max(0, int((now - utc(value)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def size(value: int | None) -> Markup | str:
    """Return a number of bytes."""
    if value is None:
        return NOTHING
    amount, unit = float(value), 0
    while amount >= _THOUSAND and unit < len(_SIZES) - 1:
        amount, unit = amount / _THOUSAND, unit + 1
    return f"{amount:.3g} {_SIZES[unit]}" if unit else f"{value} B"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 9.95 or percent == 0 else f"{percent:.1f} %"


def plain(value: object) -> str:
    """Return any value of a row as one line of text."""
    if isinstance(value, list | tuple):
        return ", ".join(plain(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={plain(each)}" for name, each in value.items())
    return as_text(value)


def pretty(document: Any) -> str:
    """Return data as indented JSON; what JSON does not know is told as text."""
    return json.dumps(as_json(document), indent=2, ensure_ascii=False)


def commands(text: str) -> Markup:
    """Return a sentence with what it has in backticks set as code."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one that is not closed is text
        return escape(text)
    made = (
        Markup("<code>{}</code>").format(each) if at % 2 else escape(each) for at, each in enumerate(pieces)
    )
    return Markup("").join(made)
