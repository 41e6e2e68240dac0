"""Imports of a catalogue: only what differs, never today's price for yesterday's events."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal

from genai_prices.types import ConditionalPrice

from auditstream.pricing.catalogue import Catalogue, bundled_catalogue
from auditstream.pricing.pricer import CataloguePricer
from auditstream.pricing.reference_book import ReferenceBook
from auditstream.reference.kinds import KINDS, Entry, frame_of
from auditstream.reference.price_import import entries_of, import_changes, import_of, last_hash
from auditstream.reference.rates import Price
from auditstream.reference.snapshot import Snapshot
from schemas.flatten import frame_of as events_of
from tests.contract.pricing.test_against_genai_prices import sample
from tests.support.calls import call
from tests.support.facts import day
from tests.support.price_books import model, prices, provider, since, tiered, variant

CHEAP, DEAR = prices(input_mtok="1"), prices(input_mtok="2")


def catalogue(*models, revision: str = "r") -> Catalogue:
    return Catalogue([provider("acme", *models)], revision=revision)


class Book:
    """A price book that grows by imports."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(0)

    def add(self, *facts: Price, source: str = "test") -> None:
        self._append([Entry(fact, source) for fact in facts])

    def bring(self, stated: Catalogue, *, at: datetime) -> Counter[str]:
        """Import a catalogue and return how many prices came, changed and went."""
        found = import_of(stated)
        changes = import_changes(found, self.snapshot, now=at)
        if changes:
            self._append(entries_of(changes, found))
        return Counter(change.how for change in changes)

    def cost(self, name: str = "m", *, at: datetime, revision: int | None = None, **fields) -> Decimal | None:
        known = self.snapshot if revision is None else self.snapshot.upto(revision)
        tables = {f"{kind}s": known.intervals(kind) for kind in ("price", "contract", "rate")}
        book = ReferenceBook(catalogue(model("m", CHEAP), model("n", CHEAP)), **tables)
        counts = {"input_tokens": 1_000_000} | fields
        return (
            CataloguePricer(book)
            .price(events_of([call("acme", name, at=at, **counts)]))["cost_billed"]
            .item()
        )

    def _append(self, entries: list[Entry]) -> None:
        revision = self.snapshot.revision + 1
        rows = frame_of(KINDS["price"], entries, revision=revision, recorded_at=day(revision), actor="me")
        tables = {name: self.snapshot.rows(name) for name in KINDS}
        self.snapshot = Snapshot(revision, tables | {"price": tables["price"].vstack(rows)})


def test_the_same_catalogue_changes_nothing_the_second_time() -> None:
    book, stated = (
        Book(),
        catalogue(model("m", CHEAP), model("n", prices(input_mtok=tiered("1", (200, "2"))))),
    )

    assert book.bring(stated, at=day(10)) == {"came": 3}
    assert book.bring(stated, at=day(20)) == {}
    assert last_hash(book.snapshot) == import_of(stated).source_hash


def test_a_price_whose_beginning_nobody_knows_holds_from_the_import_on_and_the_old_one_before() -> None:
    book = Book()
    book.bring(catalogue(model("m", DEAR)), at=day(10))

    assert book.bring(catalogue(model("m", CHEAP)), at=day(20)) == {"changed": 1}

    assert [book.cost(at=day(at)) for at in (0, 19, 20, 400)] == [2, 2, 1, 1]
    assert book.bring(catalogue(model("m", CHEAP)), at=day(30)) == {}
    assert [book.cost(at=day(at), revision=1) for at in (19, 20)] == [2, 2]
    newest = book.snapshot.rows("price").filter(revision=2).to_dicts()[0]
    assert (newest["supersedes"], newest["price_id"]) == ("acme/m/input", "acme/m/input@2026-01-21T00:00:00Z")


def test_a_date_that_the_catalogue_states_is_taken_for_the_past_too() -> None:
    book = Book()
    book.bring(catalogue(model("m", DEAR)), at=day(10))
    dated = model("m", [ConditionalPrice(prices=DEAR), since(date(2026, 1, 5), CHEAP)])

    changes = book.bring(catalogue(dated), at=day(20))

    assert changes == {"changed": 2}  # the older window is dated from now on
    assert [book.cost(at=day(at)) for at in (0, 3, 4, 30)] == [2, 2, 1, 1]
    assert [book.cost(at=day(at), revision=1) for at in (3, 4)] == [2, 2]
    assert book.bring(catalogue(dated), at=day(30)) == {}


def test_what_the_catalogue_does_not_list_any_more_has_no_price_from_then_on() -> None:
    book = Book()
    book.bring(catalogue(model("m", CHEAP), model("n", CHEAP)), at=day(10))

    assert book.bring(catalogue(model("n", CHEAP)), at=day(20)) == {"went": 1}

    assert [book.cost(at=day(at)) for at in (19, 20)] == [1, None]
    assert book.bring(catalogue(model("n", CHEAP)), at=day(30)) == {}


def test_what_went_can_come_again() -> None:
    book = Book()
    for at, models in ((10, ["m", "n"]), (20, ["n"]), (30, ["m", "n"])):
        last = book.bring(catalogue(*(model(name, CHEAP) for name in models)), at=day(at))

    assert last == {"came": 1}
    assert [book.cost(at=day(at)) for at in (19, 25, 30)] == [1, None, 1]


def test_prices_of_our_own_are_left_alone_and_stay_in_force() -> None:
    book = Book()
    own = Price(
        price_id="own", provider="acme", model_pattern="m", meter="text", direction="input", unit="tokens",
        amount=Decimal("0.000009"), currency="USD", valid_from=day(0),
    )  # fmt: skip
    book.add(own)

    assert book.bring(catalogue(model("m", CHEAP)), at=day(10)) == {"came": 1}
    assert book.cost(at=day(11)) == 9


def test_a_tier_that_begins_later_is_priced_from_then_on() -> None:
    batch = variant({"processing": "batch"}, CHEAP, since(date(2026, 1, 5), CHEAP).constraint)
    book = Book()
    book.bring(catalogue(model("m", DEAR, batch)), at=day(10))

    assert [book.cost(at=day(at), tier="batch") for at in (3, 4)] == [None, 1]


def test_an_imported_book_prices_every_model_as_the_catalogue_itself() -> None:
    stated = import_of(bundled_catalogue())
    rows = frame_of(
        KINDS["price"],
        [Entry(price, stated.release) for price in stated.prices],
        revision=1,
        recorded_at=day(0),
        actor="",
    )
    snapshot = Snapshot(
        1, {"price": rows, "contract": Snapshot(0).rows("contract"), "rate": Snapshot(0).rows("rate")}
    )
    tables = {f"{kind}s": snapshot.intervals(kind) for kind in ("price", "contract", "rate")}
    events = events_of([case.event() for case in sample()[::3]])
    ours, theirs = (
        CataloguePricer(book).explain(events).drop("price_book_revision")
        for book in (ReferenceBook(bundled_catalogue(), **tables), bundled_catalogue())
    )

    lines = ours["costs"].list.explode().struct.unnest().drop("price_book_rev")
    assert lines.equals(theirs["costs"].list.explode().struct.unnest().drop("price_book_rev"))
    same = [name for name in ours.columns if name not in {"costs", "refusal", "unpriced_reason"}]
    assert ours.select(same).equals(theirs.select(same))
    assert ours["cost_status"].eq("priced").sum() > 800
    # A model that is listed without any price has no row, so that it is not in the book.
    differing = ours.select("refusal").filter(ours["refusal"].ne_missing(theirs["refusal"]))
    assert set(differing["refusal"]) <= {"unknown_model", "no_price_for_tier", "unknown_tier"}
