"""Where each credential was used from, and by what client, for those who watch for a key that was stolen.

Events of a person whom a service works for tell where the person is, not who holds the key: they are left
out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from auditstream.identity.addresses import parsed, truncated
from schemas.sameness import says_one
from streams.recording.usage_lines import named

MOST = 128
"""Entities of a kind that a tenant's credentials have in a delta: some 60 kB in all, as names are."""

_ADDRESS = "src_ip"
_READ = ("src_country", "src_asn", _ADDRESS, "user_agent")
_MINUTE_US = 60_000_000
_PRODUCT = r"^\s*([^/\s(]{1,64})"
"""First product of a user agent, without its version: an update makes no other client (RFC 9110, 10.1.5)."""

_IPV4 = r"^(\d{1,3}\.\d{1,3}\.\d{1,3}\.)\d{1,3}$"


def credential_entities_of(events: pl.DataFrame, first_index: int) -> dict[str, list[dict[str, Any]]]:
    """Return each tenant's entities of credentials as their datums, sorted by kind and credential.

    Args:
        events: Events that count.
        first_index: Leaf index of the segment: where a tenant has too many, it decides which sample is taken,
            so that what is common is in one segment or another.
    """
    told = [name for name in _READ if events.get_column(name).null_count() < events.height]
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    if not told:
        return found
    counted = (pl.col("credential_id") != "") & (pl.col("actor_type") != "USER")
    counts = events.select(counted.fill_null(value=False)).to_series()
    used = events.select("tenant_id", "credential_id", "event_time", *told)
    used = used if counts.all() else used.filter(counts)
    # Addresses are the many; what the others say together is little, and grouped once.
    some = {column: _grouped(used, [column]) for column in told if column == _ADDRESS}
    others = [column for column in told if column != _ADDRESS]
    some |= dict.fromkeys(others, _grouped(used, others)) if others else {}
    for kind, (column, name) in _KINDS.items():
        if column in some:
            for tenant, credential, at, value, count in _entities(some[column], name(column), first_index):
                datum = {"kind": kind, "name": value, "events": count}
                found[tenant].append(datum | {"credential_id": credential, "minute": at})
    return found


def _grouped(used: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Return how many events of a credential and minute have the same values."""
    minute = pl.col("event_time").to_physical() // _MINUTE_US * _MINUTE_US
    said = used.select("tenant_id", "credential_id", minute.alias("minute"), *columns)
    # What all of them say tells no group from another: most often little is left to group by.
    varied = [each.name for each in said if not says_one(each)]
    if not varied:
        return said.head(1).with_columns(pl.lit(said.height, pl.UInt32).alias("events"))
    same = [
        pl.lit(said.item(0, name), said.schema[name]).alias(name)
        for name in said.columns
        if name not in varied
    ]
    return said.group_by(varied).len("events").with_columns(same).select(*said.columns, "events")


def _entities(grouped: pl.DataFrame, name: pl.Expr, first_index: int) -> Iterator[tuple[Any, ...]]:
    """Yield tenant, credential, minute, name and events, sorted."""
    return (
        grouped.select(
            "tenant_id",
            named(grouped.get_column("credential_id")).alias("credential_id"),
            "minute",
            name.alias("name"),
            "events",
        )
        .filter(pl.col("name") != "")
        .group_by("tenant_id", "credential_id", "minute", "name")
        .agg(pl.col("events").sum())
        .sort("tenant_id", "credential_id", "minute", "name")
        .filter(_in_sample(first_index))
        .iter_rows()
    )


def _in_sample(first_index: int) -> pl.Expr:
    """Return whether a row is one of `MOST` of its tenant, evenly spaced; all are where there are fewer."""
    number, rows = pl.int_range(pl.len()).over("tenant_id"), pl.len().over("tenant_id").cast(pl.Int64)
    return (rows <= MOST) | ((number + first_index % rows) * MOST % rows < MOST)


def _country(column: str) -> pl.Expr:
    return pl.col(column)


def _network(column: str) -> pl.Expr:
    return pl.format("AS{}", pl.col(column))


def _block(column: str) -> pl.Expr:
    """Return the first address of an address's network, as the gateway has it that truncates addresses."""
    first = pl.col(column).str.extract(_IPV4)
    of_six = pl.when(pl.col(column).str.contains(":", literal=True)).then(pl.col(column))
    return pl.coalesce(first + "0", of_six.map_elements(_truncated, pl.String))


def _truncated(text: str) -> str | None:
    address = parsed(text)
    return None if address is None else truncated(address)


def _product(column: str) -> pl.Expr:
    return pl.col(column).str.extract(_PRODUCT).str.to_lowercase()


_KINDS: dict[str, tuple[str, Callable[[str], pl.Expr]]] = {
    "country": ("src_country", _country),
    "network": ("src_asn", _network),
    "block": (_ADDRESS, _block),
    "user_agent": ("user_agent", _product),
}
"""Kinds: the column that each is read from, and how."""
