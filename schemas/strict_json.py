"""JSON from outside, read strictly: what two readers could understand in two ways is refused.

A name given twice, NaN and Infinity, bytes that are not UTF-8, and nesting without end are no JSON here.
Halves of surrogate pairs are left to `schemas.intake`, which names the field.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from auditstream.core.errors import DecodeError

NOT_JSON = "not_json"
"""Reason of the errors here."""


def parse(data: bytes, *, depth: int = 64) -> Any:
    """Return the value that the bytes are.

    Args:
        data: One JSON text in UTF-8.
        depth: How deep lists and objects may be nested.

    Raises:
        DecodeError: They are none; the message says where. `context["field"]` is the name that is given
            twice, empty for any other fault.
    """
    try:
        value = _DECODER.decode(data.decode())
    except UnicodeDecodeError as error:
        raise _refused(f"is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise _refused(f"is not JSON: nested deeper than {depth}") from None
    except _TwiceError as twice:
        raise DecodeError("is given twice", reason=NOT_JSON, field=twice.name) from None
    except ValueError as error:
        raise _refused(f"is not JSON: {error}") from None
    # Counting brackets is quick, and what has too few of them cannot be nested too deep.
    if data.count(b"{") + data.count(b"[") > depth and _is_deeper(value, depth):
        raise _refused(f"is not JSON: nested deeper than {depth}")
    return value


def _refused(why: str) -> DecodeError:
    return DecodeError(why, reason=NOT_JSON, field="")


class _TwiceError(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise _TwiceError(next(name for name, count in counts.items() if count > 1))
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _is_deeper(value: Any, depth: int) -> bool:
    """Look level by level, not by recursion: the value may be as deep as the interpreter's stack."""
    level = [value]
    for _ in range(depth + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += [item for item in each.values() if isinstance(item, dict | list)]
            elif isinstance(each, list):
                inner += [item for item in each if isinstance(item, dict | list)]
        if not inner:
            return False
        level = inner
    return True


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
