"""What handles the values of a packaged schema, put together once for each type in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def compiled(
    avro: Any,
    *,
    scalars: Mapping[str, T],
    structured: Mapping[str, Callable[[Any], T]],
    optional: Callable[[T], T],
) -> T:
    """Return what handles values of a type.

    Args:
        avro: The type, as in a packaged schema: a union is always of null and one other type.
        scalars: By Avro's or its logical type's name.
        structured: Makes it of a type with parts, or with arguments, by the same names.
        optional: Makes it of what handles values that are there.
    """
    if isinstance(avro, list):
        return optional(compiled(avro[1], scalars=scalars, structured=structured, optional=optional))
    if isinstance(avro, str):
        return scalars[avro]
    kind = avro.get("logicalType", avro["type"])
    return scalars[kind] if kind in scalars else structured[kind](avro)
