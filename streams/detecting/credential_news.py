"""A closed minute with what its credentials named: what is known of them grows, and news of it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import polars as pl

from auditstream.detection.acquaintances import KINDS, Acquaintances
from auditstream.detection.detector import Bucket
from streams.detecting.delta import Entity
from streams.detecting.keys import OTHER, KeyTable

_FROM_ROWS = ("tool", "model")
"""Kinds that are dimensions of usage lines."""


class CredentialNews(NamedTuple):
    """What a minute's credentials named.

    Attributes:
        bucket: The minute, with the values of `Acquaintances.values`.
        strayed: Keys that called a model unlike all before; see `Acquaintances.see`.
    """

    bucket: Bucket
    strayed: list[int]


def credential_news(
    bucket: Bucket, rows: pl.DataFrame, named: Sequence[Entity], keys: KeyTable, known: Acquaintances
) -> CredentialNews:
    """Return what is news of the credentials of a minute.

    Args:
        bucket: The minute by key.
        rows: The minute's rows.
        named: What credentials' events name beside the dimensions of rows, sorted.
        keys: Numbers of keys; a credential without one is counted among others, and is not followed.
        known: What is known of credentials; learns what they named.
    """
    of_rows = [
        (tenant, credential, kind, name)
        for kind in _FROM_ROWS
        for tenant, credential, name in _pairs(rows, kind).iter_rows()
    ]
    sightings = [
        (key, kind, name)
        for tenant, credential, kind, name in [*named, *of_rows]
        if (key := keys.number(tenant, f"credential={credential}")) is not None and kind in KINDS
    ]
    strayed = known.see(bucket.start, sightings)
    values = {**bucket.values, **known.values(bucket.keys, bucket.start)}
    return CredentialNews(replace(bucket, values=values), strayed)


def _pairs(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    return (
        rows.select("tenant", "credential", kind)
        .filter(pl.col("credential") != "", pl.col(kind) != "", pl.col(kind) != OTHER)
        .unique()
        .sort("tenant", "credential", kind)
    )
