"""Prices, contracts and currency rates of the reference tables: what counts, for whom, when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.pricer import ReferencePricer
from auditstream.pricing.reference_book import ReferenceBooks
from auditstream.reference.fact import Fact
from auditstream.reference.owners import Tenant
from auditstream.reference.rates import Contract, CurrencyRate, Price
from schemas.flatten import frame_of
from tests.support.calls import Priced, answers, call
from tests.support.facts import FixedDirectory, day
from tests.support.price_books import model, prices, provider, tiered, variant

MILLION = 1_000_000
NOON = day(100)


def catalogue() -> Catalogue:
    batch = variant({"processing": "batch"}, prices(input_mtok="1"))
    routed = variant({"route": "maker/eu"}, prices(input_mtok="3"))
    own = model("m", prices(input_mtok="2", output_mtok="8", cache_read_mtok="1"), batch, routed)
    long = model("long", prices(input_mtok=tiered("2", (200_000, "4")), output_mtok="8"))
    return Catalogue([provider("acme", own, long)], revision="book-1")


def price(name: str = "own", amount: str = "0.000005", **fields: Any) -> Price:
    stated = {
        "price_id": name, "provider": "acme", "model_pattern": "m", "meter": "text", "direction": "input",
        "unit": "tokens", "amount": Decimal(amount), "currency": "USD", "valid_from": day(0),
    }  # fmt: skip
    return Price(**{**stated, **fields})


def contract(name: str = "deal", **fields: Any) -> Contract:
    stated = {"contract_id": name, "provider": "acme", "kind": "discount", "valid_from": day(0)}
    return Contract(**{**stated, **fields})


def discount(percent: str, **fields: Any) -> Contract:
    return contract(**{"discount_pct": Decimal(percent), **fields})


def fixed(amount: str, **fields: Any) -> Contract:
    stated = {
        "kind": "fixed_rate",
        "meter": "text",
        "direction": "input",
        "unit": "tokens",
        "currency": "USD",
    }
    return contract(**{**stated, "amount": Decimal(amount), **fields})


def rate(base: str, quote: str, amount: str, start: int = 0) -> CurrencyRate:
    return CurrencyRate(base=base, quote=quote, rate=Decimal(amount), valid_from=day(start))


def priced(
    facts: Sequence[Fact] | Mapping[int, Sequence[Fact]], *calls: dict[str, Any], revision: int | None = None
) -> list[Priced]:
    history = facts if isinstance(facts, Mapping) else {1: facts}
    pricer = ReferencePricer(ReferenceBooks(FixedDirectory(history), catalogue()))
    at = max(history, default=0) if revision is None else revision
    return answers(pricer.explain(frame_of(list(calls)), revision=at))


def of(name: str = "m", *, at: datetime = NOON, **fields: Any) -> dict[str, Any]:
    return call("acme", name, at=at, **{"input_tokens": MILLION, **fields})


def totals(found: Sequence[Priced]) -> list[Decimal | None]:
    return [each.total for each in found]


def test_without_rows_of_ours_the_installed_catalogue_stands_in() -> None:
    (found,) = priced({0: []}, of())

    assert (found.total, found.row["price_book_revision"]) == (2, "book-1")


def test_a_price_of_our_own_wins_and_its_revision_is_on_the_line() -> None:
    (found,) = priced({7: [price()]}, of(output_tokens=MILLION))

    assert found.total == 5 + 8
    assert [(line["price_id"], line["price_book_rev"]) for line in found.lines] == [
        ("own", "book-1/r7"), ("acme/m/output", "book-1/r7"),
    ]  # fmt: skip


def test_a_correction_prices_what_is_planned_from_its_revision_on_and_leaves_what_was_planned_before() -> (
    None
):
    history = {1: [price(amount="0.000005")], 2: [price(amount="0.000006")]}

    before, after = (priced(history, of(), revision=revision)[0] for revision in (1, 2))

    assert (before.total, after.total) == (5, 6)
    assert [each.row["price_book_revision"] for each in (before, after)] == ["book-1/r1", "book-1/r2"]


def test_a_revision_that_touches_no_price_is_not_another_revision_of_the_book() -> None:
    history = {1: [price()], 2: [Tenant(tenant_id="t", name="T", valid_from=day(0))]}

    assert priced(history, of(), revision=2)[0].row["price_book_revision"] == "book-1/r1"


def test_a_price_change_in_the_middle_of_a_trace_prices_both_sides_right() -> None:
    change = price("new", "0.000007", valid_from=day(100))

    found = priced([price(), change], *(of(at=day(at)) for at in (99, 100)))

    assert totals(found) == [5, 7]


def test_a_price_that_was_withdrawn_is_none_from_then_on() -> None:
    history = {
        1: [price(model_pattern="private")],
        2: [price(model_pattern="private", active=False, valid_from=day(50))],
    }

    found = priced(history, of("private", at=day(49)), of("private", at=day(51)))

    assert [each.refusal for each in found] == [None, "no_price"]
    assert totals(found) == [5, None]


def test_imported_prices_stand_in_for_the_catalogue_altogether() -> None:
    imported = price("acme/m/input", "0.000009", catalogue="genai-prices", meter="input_tokens")

    found = priced([imported], of(), of("long"))

    assert totals(found) == [9, None]
    assert found[1].refusal == "unknown_model"


def test_a_price_of_our_own_wins_over_an_import_whichever_came_later() -> None:
    history = {1: [price()], 2: [price("x", "0.000009", catalogue="genai-prices", meter="input_tokens")]}

    assert totals(priced(history, of())) == [5]


def test_an_exact_model_goes_before_a_pattern_and_a_longer_pattern_before_a_shorter_one() -> None:
    facts = [
        price("a", "0.000011", model_pattern="*"),
        price("b", "0.000012", model_pattern="l*"),
        price("c", "0.000013", model_pattern="lo?g"),
        price("d", "0.000014", model_pattern="M"),
    ]

    assert totals(priced(facts, of("m"), of("lo1g"), of("l1"), of("x"))) == [14, 13, 12, 11]


def test_a_provider_that_the_catalogue_does_not_know_is_priced_by_its_rows() -> None:
    facts = [price(provider="vLLM", model_pattern="llama-*")]

    found = priced(facts, call("vllm", "llama-4", at=NOON, input_tokens=MILLION))

    assert totals(found) == [5]


def test_a_region_has_its_price_and_every_other_one_the_general_price() -> None:
    facts = [price("eu", "0.000006", region="eu-west-1")]

    regions = ["EU-West-1", "us-east-1", None, "maker/eu"]
    found = priced(facts, *(of(inference=of()["inference"] | {"region": region}) for region in regions))

    assert totals(found) == [6, 2, 2, 3]


def test_a_tier_of_our_own_is_a_tier_and_falls_back_meter_by_meter() -> None:
    facts = [price("p", "0.000004", service_tier="Provisioned")]

    found = priced(
        facts, *(of(tier=tier, output_tokens=MILLION) for tier in ("provisioned", "batch", "bach"))
    )

    assert totals(found) == [4 + 8, 1 + 8, None]
    assert found[2].refusal == "unknown_tier"


def test_a_correction_of_the_standard_price_reaches_a_tier_only_where_the_tier_has_no_price() -> None:
    facts = [price(), price("out", "0.000009", direction="output")]

    assert totals(priced(facts, of(tier="batch", output_tokens=MILLION))) == [1 + 9]


def test_a_context_length_of_our_own_replaces_that_length_alone() -> None:
    facts = [price("short", "0.000003", model_pattern="long")]

    found = priced(facts, of("long", input_tokens=100_000), of("long", input_tokens=300_000))

    assert totals(found) == [Decimal("0.3"), Decimal("1.2")]


def test_a_time_of_day_that_passes_midnight_holds_on_both_sides_of_it() -> None:
    night = price("night", "0.000001", time_of_day_from="22:00", time_of_day_to="04:00")
    hours = (0, 3, 4, 21, 22, 23)

    found = priced([night], *(of(at=day(100).replace(hour=hour)) for hour in hours))

    assert totals(found) == [1, 1, 2, 2, 1, 1]


def test_how_long_a_cache_write_is_kept_decides_its_price() -> None:
    facts = [
        price("5m", "0.000002", meter="cache_write_5m_tokens", cache_action="write"),
        price("1h", "0.000004", meter="cache_write_1h_tokens", cache_action="write"),
        price("w", "0.000003", cache_action="write"),
    ]
    usage = {
        "cache_write_tokens": 600_000,
        "by_modality": {"cache_write_5m_tokens": 400_000, "cache_write_1h_tokens": 100_000},
    }

    (found,) = priced(facts, of(**usage))

    assert {line["price_id"]: line["quantity"] for line in found.lines} == {
        "acme/m/input": 400_000, "w": 100_000, "5m": 400_000, "1h": 100_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("meter", "unit"),
    [
        ("web_searches", "calls"), ("code_executions", "calls"), ("rerank_searches", "searches"),
        ("audio_seconds", "seconds"), ("input_document_pages", "pages"), ("input_video_tokens", "tokens"),
        ("output_image_tokens", "tokens"), ("input_audio_tokens", "tokens"),
        ("input_characters", "characters"),
    ],
)  # fmt: skip
def test_whatever_is_counted_can_have_a_price(meter: str, unit: str) -> None:
    facts = [price(meter, "0.25", meter=meter, unit=unit, direction="")]
    whole = {"input_video_tokens": "input_tokens", "input_audio_tokens": "input_tokens"}.get(
        meter, "output_tokens"
    )

    (found,) = priced(facts, of(**{"input_tokens": 0, whole: 4, "by_modality": {meter: 4}}))

    assert found.quantities[meter] == 4
    assert [line["unit"] for line in found.lines if line["price_id"] == meter] == [unit]


def test_a_price_for_each_request_is_charged_once_a_call() -> None:
    facts = [price("call", "0.01", meter="requests", unit="requests", direction="")]

    (found,) = priced(facts, of(input_tokens=1))

    assert found.quantities["call"] == 1


def test_prices_in_two_currencies_are_never_added_up() -> None:
    (found,) = priced([price(currency="EUR")], of())

    assert (found.status, found.refusal, found.total) == ("unpriced", "mixed_currencies", None)


def test_a_discount_is_the_tenants_own_and_the_list_price_stays_beside_it() -> None:
    facts = [discount("25", tenant_id="t")]

    ours, others = priced(facts, of(tenant_id="t"), of(tenant_id="u"))

    amounts = ("cost_list", "cost_contracted", "cost_effective", "cost_billed")
    assert [ours.row[name] for name in amounts] == [2, Decimal("1.5"), Decimal("1.5"), Decimal("1.5")]
    assert [others.row[name] for name in amounts] == [2, 2, 2, 2]
    assert [ours.lines[0][name] for name in ("list_unit_price", "list", "contracted")] == [
        Decimal("0.000002"), 2, Decimal("1.5"),
    ]  # fmt: skip


def test_a_contract_lies_over_a_price_of_our_own() -> None:
    (found,) = priced([price(), discount("50", tenant_id="t")], of(tenant_id="t"))

    assert (found.row["cost_list"], found.total) == (5, Decimal("2.5"))


def test_of_several_terms_the_one_that_says_most_counts_alone() -> None:
    facts = [
        discount("10"),
        discount("20", contract_id="own", tenant_id="t"),
        discount("30", contract_id="output", tenant_id="t", direction="output"),
        discount("40", contract_id="model", tenant_id="t", model_pattern="long"),
    ]

    found = priced(
        facts,
        of(tenant_id="u", output_tokens=MILLION),
        of(tenant_id="t", output_tokens=MILLION),
        of("long", tenant_id="t", input_tokens=0, output_tokens=MILLION),
    )

    assert totals(found) == [9, Decimal("1.6") + Decimal("5.6"), Decimal("4.8")]


def test_a_contract_holds_between_its_days_and_not_after_it_ended_early() -> None:
    history = {
        1: [discount("50", tenant_id="t", valid_from=day(10))],
        2: [discount("50", tenant_id="t", valid_from=day(20), active=False)],
    }

    found = priced(history, *(of(tenant_id="t", at=day(at)) for at in (9, 10, 19, 20)))

    assert totals(found) == [2, 1, 1, 2]


def test_a_fixed_rate_replaces_the_list_price() -> None:
    (found,) = priced([fixed("0.0000005", tenant_id="t")], of(tenant_id="t", output_tokens=MILLION))

    assert (found.row["cost_list"], found.total) == (10, Decimal("8.5"))


def test_a_fixed_rate_in_another_currency_makes_it_that_of_the_call() -> None:
    facts = [
        fixed("0.000001", tenant_id="t", currency="EUR"),
        rate("USD", "EUR", "0.9"),
        rate("USD", "EUR", "0.8", 100),
    ]

    found = priced(facts, *(of(tenant_id="t", output_tokens=MILLION, at=day(at)) for at in (99, 100)))

    assert [each.row["cost_currency"] for each in found] == ["EUR", "EUR"]
    assert [each.row["cost_list"] for each in found] == [9, 8]
    assert totals(found) == [1 + Decimal("7.2"), 1 + Decimal("6.4")]
    assert {line["currency"] for each in found for line in each.lines} == {"EUR"}


def test_a_rate_is_taken_in_either_direction() -> None:
    facts = [fixed("0.000001", tenant_id="t", currency="EUR"), rate("EUR", "USD", "1.25")]

    assert priced(facts, of(tenant_id="t"))[0].row["cost_list"] == Decimal("1.6")


def test_without_a_currency_rate_there_is_no_price_and_the_reason_is_said() -> None:
    facts = [fixed("0.000001", tenant_id="t", currency="EUR"), rate("USD", "EUR", "0.9", 100)]

    (found,) = priced(facts, of(tenant_id="t", at=day(99)))

    assert (found.total, found.refusal, found.row["unpriced_reason"]) == (
        None,
        "no_currency_rate",
        "no_currency_rate",
    )


def test_a_commitment_changes_no_price() -> None:
    facts = [contract(kind="commitment", tenant_id="t", amount=Decimal(1000), period="month", currency="USD")]

    assert totals(priced(facts, of(tenant_id="t"))) == [2]


def test_a_price_is_undated_as_soon_as_one_of_its_meters_is() -> None:
    facts = [price(), price("out", direction="output"), price("read", cache_action="read")]

    some, every = (priced(known, of())[0].row["price_basis"] for known in (facts[:1], facts))

    assert (some, every) == ("undated", "dated")


def test_many_threads_at_once_get_what_one_gets() -> None:
    facts = [
        discount(str(10 + number), contract_id=f"c{number}", tenant_id=f"t{number}") for number in range(40)
    ]
    pricer = ReferencePricer(ReferenceBooks(FixedDirectory({1: facts}), catalogue()))
    frames = [
        frame_of([of(tenant_id=f"t{(start + step) % 40}") for step in range(20)]) for start in range(0, 40, 2)
    ]
    alone = [
        ReferencePricer(ReferenceBooks(FixedDirectory({1: facts}), catalogue())).price(frame, revision=1)
        for frame in frames
    ]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda frame: pricer.price(frame, revision=1), frames))

    assert all(one.equals(other) for one, other in zip(alone, together, strict=True))
    assert pl.concat(alone)["cost_billed"].n_unique() == 40
