"""Which price book a command asks: that of a deployment at a revision, else the installed catalogue's."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditstream.cli.context import Context
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.pricing.book import PriceBook
    from auditstream.pricing.reference_book import ReferenceBook
    from auditstream.reference.snapshot import Snapshot
    from sinks.reference import ReferenceStore

KINDS = ("price", "contract", "rate", "tenant")
"""Kinds of facts that a book is made of, and the tenants that contracts are with."""


@dataclass(frozen=True, slots=True)
class BookInUse:
    """A price book and where it is from.

    Attributes:
        book: The book.
        tenants: Tenants that are known; None where nothing is.
        snapshot: The reference data that it is made of; None for the installed catalogue.
    """

    book: PriceBook
    tenants: frozenset[str] | None = None
    snapshot: Snapshot | None = None


def book_in_use(context: Context, *, revision: int | None = None, catalogue: bool = False) -> BookInUse:
    """Return the book of the deployment that runs or that settings name, else the installed catalogue's.

    Args:
        context: Global options.
        revision: Reference revision to know it at; the newest when None.
        catalogue: Whether to ask the installed catalogue in any case.

    Raises:
        RequestError: A revision is asked for and there is no deployment, or it does not exist.
        RetryableError: The deployment's store does not answer.
    """
    from auditstream.pricing.catalogue import bundled_catalogue

    settings = None if catalogue else deployed(context)
    if settings is None:
        if revision is not None:
            raise RequestError("--revision: the installed catalogue has none, and no deployment was found")
        return BookInUse(bundled_catalogue())
    from sinks.reference import connect_reference

    with closing(connect_reference(settings.clickhouse)) as store:
        return stored_book(store, revision)


def stored_book(store: ReferenceStore, revision: int | None = None) -> BookInUse:
    """Return the book of a store.

    Raises:
        RequestError: The revision does not exist.
        RetryableError: No answer.
    """
    snapshot = store.load(known_revision(store, revision), kinds=KINDS)
    tenants = frozenset(snapshot.rows("tenant")["tenant_id"].to_list())
    return BookInUse(book_of(snapshot), tenants or None, snapshot)


def book_of(snapshot: Snapshot) -> ReferenceBook:
    """Return the book that a snapshot with `KINDS` comes to."""
    from auditstream.pricing.catalogue import bundled_catalogue
    from auditstream.pricing.reference_book import ReferenceBook

    prices, contracts, rates = (snapshot.intervals(kind) for kind in ("price", "contract", "rate"))
    return ReferenceBook(bundled_catalogue(), prices=prices, contracts=contracts, rates=rates)


def known_revision(store: ReferenceStore, revision: int | None) -> int:
    """Return the newest revision, or the given one after a look whether it is one.

    Raises:
        RequestError: It is not.
        RetryableError: No answer.
    """
    newest = store.newest()
    if revision is None:
        return newest
    if not 0 <= revision <= newest:
        raise RequestError(f"revision {revision}: they are 0 to {newest}")
    return revision


def deployed(context: Context) -> Settings | None:
    """Return how to reach a deployment: one that runs on the data directory, or one that settings name."""
    from auditstream.cli import running

    found = running.find(context)
    is_named = "host" in found.settings.clickhouse.model_fields_set
    return found.settings if is_named or found.runtime is not None else None
