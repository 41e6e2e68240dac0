"""A segment is priced as known at the revision that its plan names, however late it is built."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl

from auditstream.core.ports import Block
from auditstream.reference.rates import Contract, Price
from tests.support.call_reports import call
from tests.support.events import full_cost
from tests.support.facts import FixedDirectory, day
from tests.support.recorders import recorder_of, segment_of


def price(amount: str) -> Price:
    return Price(
        price_id=f"own-{amount}", provider="openai", model_pattern="gpt-4o", meter="text", direction="input",
        unit="tokens", amount=Decimal(amount), currency="USD", valid_from=day(-1000),
    )  # fmt: skip


HALF = Contract(
    contract_id="acme", tenant_id="acme", provider="openai", kind="discount", discount_pct=Decimal(50),
    valid_from=day(-1000),
)  # fmt: skip
DIRECTORY = FixedDirectory({1: [price("0.000001")], 2: [price("0.000002")], 3: [HALF]})


def built(revision: int, *values: Any) -> Block:
    return recorder_of(directory=DIRECTORY).build(segment_of(values or (call(),), revision=revision))


def test_a_correction_prices_the_segments_that_are_planned_after_it_and_leaves_the_earlier_ones() -> None:
    found = [built(revision).frame for revision in (0, 1, 2, 3)]

    assert [frame["cost_billed"].item() for frame in found] == [
        Decimal("0.0035"), Decimal("0.002"), Decimal("0.003"), Decimal("0.0015"),
    ]  # fmt: skip
    assert [frame["cost_list"].item() for frame in found][2:] == [Decimal("0.003")] * 2
    revisions = [frame["price_book_revision"].item().partition("/")[2] for frame in found]
    assert revisions == ["", "r1", "r2", "r3"]
    assert [frame["costs"].list.first().struct.field("price_id").item() for frame in found] == [
        "openai/gpt-4o/input", "own-0.000001", "own-0.000002", "own-0.000002",
    ]  # fmt: skip


def test_a_replay_after_later_revisions_is_the_same_to_the_byte() -> None:
    recorder = recorder_of(directory=DIRECTORY)
    first, _, again = (recorder.build(segment_of([call()], revision=revision)) for revision in (1, 3, 1))

    assert first.frame.equals(again.frame)
    assert first.frame.write_ipc(None).getvalue() == again.frame.write_ipc(None).getvalue()


def test_the_contract_is_the_owners_and_not_the_claimants() -> None:
    frame = built(3, call("a"), call("b", tenant_id="globex")).frame

    assert frame["cost_billed"].to_list() == [Decimal("0.0015"), Decimal("0.003")]


def test_a_cost_that_came_with_the_event_stands_beside_ours_with_the_difference() -> None:
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("0.01"))
    reported = [full_cost() | amounts | {"source": "PROVIDER", "currency": "USD"}]
    in_euros = [full_cost() | amounts | {"currency": "EUR"}]

    frame = built(2, call("a", costs=reported), call("b", costs=in_euros), call("c")).frame

    assert frame["cost_billed"].to_list() == [Decimal("0.01"), Decimal("0.01"), Decimal("0.003")]
    assert frame["computed_cost"].to_list() == [Decimal("0.003"), Decimal("0.003"), None]
    assert frame["computed_currency"].to_list() == ["USD", "USD", ""]
    assert frame["cost_difference"].to_list() == [Decimal("0.007"), None, None]
    assert frame["costs"].list.len().to_list()[:2] == [1, 1]


def test_a_call_that_is_reported_again_has_neither_cost_nor_difference() -> None:
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("0.01"))
    reported = [full_cost() | amounts | {"currency": "USD"}]

    frame = built(2, call(), call(costs=reported), call(provider="nobody")).frame

    assert frame["same_call_as"].to_list() == [None, 0, None]
    said = frame.select(
        "cost_billed", "computed_cost", "cost_difference", "computed_currency", "unpriced_reason"
    )
    assert said.row(1) == (None, None, None, "", "")
    assert said.row(2) == (None, None, None, "", "unknown_provider")


def test_why_a_call_has_no_price_is_in_its_row() -> None:
    usage = {"input_tokens": 1, "by_modality": {"input_document_pages": 2}}
    frame = built(
        0, call("a", usage=usage), call("b", inference={"operation": "chat", "provider": "openai"})
    ).frame

    assert frame.select("cost_status", "unpriced_reason", "unpriced_meter").rows() == [
        ("unpriced", "no_price_for_meter", "input_document_pages"),
        ("unpriced", "unknown_model", ""),
    ]
    assert frame.select(pl.col("cost_billed").is_null().all()).item()
