"""Routes found by an index are those that a join finds."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.pricing import route_index
from auditstream.pricing.route_index import RouteIndex
from tests.support.examples import examples

SCHEMA = {"model": pl.String, "batch": pl.Boolean, "region": pl.String, "tenant": pl.String}
TEXTS = st.sampled_from([None, "", "a", "b", "a text of more than twelve bytes"])
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from([None, True, False]), TEXTS, st.sampled_from("xyz")))


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def joined(keys: pl.DataFrame, routes: pl.DataFrame) -> list[int | None]:
    numbered = routes.with_row_index("number")
    found = keys.join(numbered, on=keys.columns, how="left", nulls_equal=True, maintain_order="left")
    return found["number"].to_list()


TOLD = st.one_of(st.none(), st.frozensets(st.sampled_from("abxy")))


def told(rows: pl.DataFrame, kept: dict[str, frozenset[str]]) -> pl.DataFrame:
    return rows.with_columns(
        pl.when(pl.col(name).is_in(sorted(texts))).then(name).otherwise(pl.lit("")).alias(name)
        for name, texts in kept.items()
    )


@given(known=ROWS, asked=ROWS, regions=TOLD, tenants=TOLD)
@settings(max_examples=examples(300), deadline=None)
def test_every_row_gets_the_number_of_its_route_or_none_does(
    known: list[tuple[object, ...]],
    asked: list[tuple[object, ...]],
    regions: frozenset[str] | None,
    tenants: frozenset[str] | None,
) -> None:
    kept = {name: texts for name, texts in (("region", regions), ("tenant", tenants)) if texts is not None}
    routes, keys = told(frame(known), kept).unique(maintain_order=True), frame([*known, *known, *asked])
    expected = joined(told(keys, kept), routes)

    numbers = RouteIndex(routes, kept).numbers(keys)

    assert (None if numbers is None else numbers.tolist()) == (None if None in expected else expected)


def test_routes_too_many_for_a_table_are_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_index, "_MOST_PLACES", 8)
    routes = frame([(model, False, "eu", tenant) for model in "abc" for tenant in "xyz"])

    assert RouteIndex(routes, {}).numbers(routes) is None
    assert RouteIndex(routes.head(1), {}).numbers(routes.head(1)) is not None
