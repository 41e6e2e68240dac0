"""The event contract: what an AuditEvent must keep beyond the types of its fields.

`violation` judges one datum, `violations_in` a frame of flat columns; both name the first broken clause of an
event in the order of `schemas.clauses.CLAUSES`, and they agree. Nothing here looks at a clock: an event is
judged the same at every replay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from auditstream.core.errors import ContractError
from schemas.clauses import CLAUSES, Clause
from schemas.columns import BY_NAME


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken clause.

    Attributes:
        field: Path of the field, as `inference.provider`.
        reason: What is wrong with it.
    """

    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


def violation(datum: Mapping[str, Any]) -> Violation | None:
    """Return the first broken clause of a decoded or converted event, None when it keeps the contract."""
    if _keeps(_ENVELOPE, datum) and all(
        _keeps(clauses, family)
        for name, clauses in _FAMILIES.items()
        if name in datum and (family := datum[name]) is not None
    ):
        return None
    return next(
        Violation(clause.field, clause.reason)
        for family, names, clause in _SINGLE
        if (holder := datum if family is None else datum.get(family)) is not None
        and not clause.holds(*[holder.get(name) for name in names])
    )


def _keeps(clauses: _Clauses, holder: Mapping[str, Any]) -> bool:
    """Return whether a record keeps the clauses about its fields; null fields keep all of theirs."""
    for name, value in holder.items():
        if value is None or name not in clauses.of_field:
            continue
        for holds in clauses.of_field[name]:
            if not holds(value):
                return False
    return _agrees(clauses, holder)


def _agrees(clauses: _Clauses, holder: Mapping[str, Any]) -> bool:
    """Return whether a record keeps the clauses about several of its fields."""
    for first, names, holds in clauses.of_several:
        if first in holder and not holds(*map(holder.get, names)):
            return False
    return True


def agree(datums: Sequence[Mapping[str, Any]], names: AbstractSet[str]) -> bool:
    """Return whether events keep the clauses about several fields, where those about one are kept.

    Args:
        datums: The events.
        names: All names of fields of the envelope that one of them has, or more.
    """
    if not _ENVELOPE.firsts.isdisjoint(names) and not all(_agrees(_ENVELOPE, datum) for datum in datums):
        return False
    for name, clauses in _JOINED:
        if name not in names:
            continue
        firsts = clauses.firsts
        for datum in datums:
            family = datum.get(name)
            if family is not None and not firsts.isdisjoint(family) and not _agrees(clauses, family):
                return False
    return True


def check(datum: Mapping[str, Any]) -> None:
    """Return when the event keeps the contract.

    Raises:
        ContractError: It does not; the message is `field: reason`.
    """
    broken = violation(datum)
    if broken is not None:
        raise ContractError(str(broken), field=broken.field)


def violations_in(frame: pl.DataFrame) -> dict[int, Violation]:
    """Return the first broken clause of each event that breaks one, by row number.

    Args:
        frame: Flat columns with the types of `schemas.flatten.FRAME_SCHEMA`, any of them left out.
    """
    clauses = _clauses_for(frame)
    if not clauses:
        return {}
    broken = {str(number): ~clause.expression.fill_null(value=True) for number, clause in enumerate(clauses)}
    counts = frame.lazy().select(**{name: mask.sum() for name, mask in broken.items()}).collect().row(0)
    found: dict[int, Violation] = {}
    for clause, mask, count in zip(clauses, broken.values(), counts, strict=True):
        if count:
            for row in frame.select(mask.arg_true()).to_series():
                found.setdefault(row, Violation(clause.field, clause.reason))
    return found


def _clauses_for(frame: pl.DataFrame) -> list[Clause]:
    """Return the clauses that the frame can break: most columns of most blocks are wholly null."""
    present = set(frame.columns)
    in_use = {name for name in present if frame.get_column(name).null_count() < frame.height}
    return [
        clause
        for clause in CLAUSES
        if present.issuperset(clause.columns) and not in_use.isdisjoint(clause.columns)
    ]


def _placed(clause: Clause) -> tuple[str | None, tuple[str, ...], Clause]:
    """Return a clause with where a datum has its values: family (None for the envelope) and field names."""
    columns = [BY_NAME[name] for name in clause.columns]
    (family,) = {column.family for column in columns}
    return family, tuple(column.path[-1] for column in columns), clause


@dataclass(frozen=True, slots=True)
class _Clauses:
    """The clauses about the fields of one record.

    Attributes:
        of_field: Those about one field, by its name: most events have few of the fields.
        of_several: Those about several: the first name, all of them in order, the clause.
        firsts: The first names: a record without any of these keeps them all.
    """

    of_field: dict[str, list[Callable[..., bool]]] = field(default_factory=dict)
    of_several: list[tuple[str, tuple[str, ...], Callable[..., bool]]] = field(default_factory=list)
    firsts: set[str] = field(default_factory=set)


_SINGLE = tuple(map(_placed, CLAUSES))
_ENVELOPE = _Clauses()
_FAMILIES: dict[str, _Clauses] = {}
for _family, _names, _clause in _SINGLE:
    _about = _ENVELOPE if _family is None else _FAMILIES.setdefault(_family, _Clauses())
    if len(_names) == 1:
        _about.of_field.setdefault(_names[0], []).append(_clause.holds)
    else:
        _about.of_several.append((_names[0], _names, _clause.holds))
        _about.firsts.add(_names[0])
_JOINED = tuple((name, clauses) for name, clauses in _FAMILIES.items() if clauses.of_several)
