"""A re-rating as a process of its own, which signals itself at a numbered step; prices are `DEAR`'s."""

from __future__ import annotations

import os
from datetime import date

from auditstream.core.settings import ClickHouseSettings, load
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.fault_worker import FAULT_AT, SelfSignal
from tests.support.price_books import model, prices, since
from tests.support.rated_books import RatedBooks
from tests.support.stores import ClickHouseStore

CHEAP = model("small", [since(date(2026, 1, 1), prices(input_mtok="1", output_mtok="10"))])
DEAR = model("small", [since(date(2026, 1, 1), prices(input_mtok="3", output_mtok="10"))])


def books_at(settings: ClickHouseSettings) -> RatedBooks:
    """Return the books of a database over HTTP, at the dear prices."""
    store = ClickHouseStore(http_client(settings), ClickHouseSink(ClientPool(lambda: http_client(settings))))
    return RatedBooks(store, [DEAR])


def main() -> None:
    """Re-rate the database that the settings name."""
    order = SelfSignal(os.environ.pop(FAULT_AT))
    books_at(load().clickhouse).rerate(checkpoint=order)
