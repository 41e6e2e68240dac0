"""Values inside a response, whether it is a JSON object or an object of a provider's package.

Only what is asked for is read: a whole response is never dumped, as its content can be large and is none of
our business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST_COUNT = 10**12
"""No call uses a trillion tokens; a larger number is no count, and the record takes no event with one."""

_SCALARS = (str, bytes, int, float, list, tuple)
_TEXT_LENGTH = 512
"""Characters of an id or a name: longer ones are content by mistake."""


def member(holder: Any, name: str) -> Any:
    """Return a member by its name, None where there is none."""
    if isinstance(holder, Mapping):
        return holder.get(name)
    return None if isinstance(holder, _SCALARS) else getattr(holder, name, None)


def value_at(holder: Any, path: str) -> Any:
    """Return the value at a dotted path, None where there is none."""
    for name in path.split("."):
        if holder is None:
            return None
        holder = member(holder, name)
    return holder


def items_at(holder: Any, path: str) -> Iterator[Any]:
    """Yield the items of a list at a dotted path; nothing where there is none."""
    items = value_at(holder, path)
    if isinstance(items, (list, tuple)):
        yield from items


def text_at(holder: Any, *paths: str) -> str | None:
    """Return the first text among some paths, None where there is none."""
    for path in paths:
        text = word(value_at(holder, path))
        if text:
            return text
    return None


def word(value: Any) -> str | None:
    """Return a text or the text that an enumeration's member stands for; None for anything else."""
    text = value if isinstance(value, str) else getattr(value, "value", None)
    return text[:_TEXT_LENGTH] if isinstance(text, str) else None


def count_of(value: Any) -> int | None:
    """Return a count.

    Raises:
        ValueError: It is no whole number from 0 to `LARGEST_COUNT`; the message is the reason.
    """
    if value is None:
        return None
    if isinstance(value, str) and re.fullmatch("[0-9]{1,16}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a whole number")  # noqa: TRY004 - about a body, not about an argument
    if not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"is not between 0 and {LARGEST_COUNT}")
    return value
