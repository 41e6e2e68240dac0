"""A re-rating as a process of its own, which signals itself at a numbered step.

`python -m tests.support.rerating_process HOST PORT PASSWORD DATABASE STEP:PASS:SIGNAL`; prices are `DEAR`'s.
"""

from __future__ import annotations

import sys
from datetime import date

from auditstream.core.settings import ClickHouseSettings
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool, http_client
from tests.support.fault_worker import SelfSignal
from tests.support.price_books import model, prices, since
from tests.support.rated_books import RatedBooks
from tests.support.stores import ClickHouseStore

CHEAP = model("small", [since(date(2026, 1, 1), prices(input_mtok="1", output_mtok="10"))])
DEAR = model("small", [since(date(2026, 1, 1), prices(input_mtok="3", output_mtok="10"))])


def books_at(host: str, port: str, password: str, database: str) -> RatedBooks:
    """Return the books of a database over HTTP, at the dear prices."""
    settings = ClickHouseSettings(host=host, port=int(port), password=password, database=database)  # type: ignore[arg-type]  # pydantic wraps the text
    store = ClickHouseStore(http_client(settings), ClickHouseSink(ClientPool(lambda: http_client(settings))))
    return RatedBooks(store, [DEAR])


if __name__ == "__main__":
    *where, order = sys.argv[1:]
    books_at(*where).rerate(checkpoint=SelfSignal(order))
