"""The kinds of facts: what documents call them, the table of each, and its columns as polars types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from auditstream.reference.access_tokens import AccessToken
from auditstream.reference.allocations import AllocationRule
from auditstream.reference.assets import Asset
from auditstream.reference.closures import Closure
from auditstream.reference.fact import Fact
from auditstream.reference.limits import Budget, Hold, Retention
from auditstream.reference.mutes import FindingMute
from auditstream.reference.objectives import Objective
from auditstream.reference.owners import Agent, Credential, Project, Source, Tenant, Tool
from auditstream.reference.rates import Contract, CurrencyRate, Price

RECORDED: dict[str, pl.DataType] = {
    "recorded_at": pl.Datetime("us", "UTC"),
    "revision": pl.UInt64(),
    "source": pl.String(),
    "actor": pl.String(),
}
"""Columns that say since when and from whom a row is known."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of facts.

    Attributes:
        name: What documents call it.
        table: Table of the store.
        fact: Type of its facts.
        schema: Name and polars type of the table's columns; the fact's own, then `RECORDED`.
    """

    name: str
    table: str
    fact: type[Fact]
    schema: Mapping[str, pl.DataType]

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns that say what a fact is about."""
        return self.fact.KEY


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact and where it was read.

    Attributes:
        fact: What holds.
        source: File name and hash, or the command that says so.
    """

    fact: Fact
    source: str


def frame_of(
    kind: Kind, entries: Iterable[Entry], *, revision: int, recorded_at: datetime, actor: str
) -> pl.DataFrame:
    """Return entries of one kind as rows of its table."""
    recorded = {"recorded_at": recorded_at, "revision": revision, "actor": actor}
    rows = [{**_arrow_values(entry.fact), **recorded, "source": entry.source} for entry in entries]
    # By way of Arrow: polars itself takes no maps from Python values.
    schema = empty_frame(kind).to_arrow(compat_level=pl.CompatLevel.oldest()).schema
    return pl.DataFrame(pl.from_arrow(pa.Table.from_pylist(rows, schema=schema)))


def empty_frame(kind: Kind) -> pl.DataFrame:
    """Return the kind's table without rows."""
    return pl.DataFrame(schema=dict(kind.schema))


def kind_of(fact: type[Fact]) -> Kind:
    """Return the kind of a type of facts."""
    return _BY_FACT[fact]


def _arrow_values(fact: Fact) -> dict[str, Any]:
    return {
        name: sorted(value.items()) if isinstance(value, dict) else value
        for name, value in fact.model_dump().items()
    }


def _schema_of(fact: type[Fact]) -> dict[str, pl.DataType]:
    validity = ("valid_from", "valid_to")
    own = [name for name in fact.model_fields if name not in validity]
    return {name: _dtype_of(fact, name) for name in (*own, *validity)} | RECORDED


def _dtype_of(fact: type[Fact], name: str) -> pl.DataType:
    field = fact.model_fields[name]
    declared = [each for each in field.metadata if isinstance(each, pl.DataType)]
    if declared:
        return declared[0]
    return pl.Boolean() if field.annotation is bool else pl.String()


KINDS: Mapping[str, Kind] = {
    name: Kind(name, table, fact, _schema_of(fact))
    for name, table, fact in (
        ("tenant", "tenants", Tenant),
        ("credential", "credentials", Credential),
        ("project", "projects", Project),
        ("agent", "agents", Agent),
        ("tool", "tools", Tool),
        ("source", "sources", Source),
        ("price", "prices", Price),
        ("contract", "contracts", Contract),
        ("rate", "currency_rates", CurrencyRate),
        ("budget", "budgets", Budget),
        ("slo", "slos", Objective),
        ("retention", "retention", Retention),
        ("hold", "holds", Hold),
        ("closure", "closures", Closure),
        ("allocation", "allocation_rules", AllocationRule),
        ("mute", "mutes", FindingMute),
        ("asset", "assets", Asset),
        ("access_token", "access_tokens", AccessToken),
    )
}
"""Every kind by name."""

ENRICHING = ("tenant", "credential", "project", "agent", "tool", "source", "price", "contract", "rate")
"""Kinds by which events are attributed and priced: all that a worker reads."""

_BY_FACT = {kind.fact: kind for kind in KINDS.values()}
