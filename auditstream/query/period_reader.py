"""Reads less beneath views for who asks of a period alone: of what was booked, that of its events."""

from __future__ import annotations

from typing import Any

from clickhouse_connect.driver.client import Client

from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.scopes import Scope, ScopedReader, filters

_FILTERS = "additional_table_filters"
_NO_SETTINGS = "1"  # of `readonly`: not even what narrows an answer


def within(reader: Reader, period: Period) -> Reader:
    """Return what reads of a period as the reader does, and beneath views no differences of other times.

    Args:
        reader: The store; what it may see of it, it sees of the period as well. Stays open when the other is
            closed.
        period: Range of event_time; questions ask for nothing beyond it.
    """
    return reader.within(period) if isinstance(reader, ScopedReader) else _PeriodReader(reader, period)


class _PeriodReader(Reader):
    def __init__(self, store: Reader, period: Period) -> None:
        super().__init__(store._clients)
        self._scope = Scope(period=period)

    def close(self) -> None:
        """Do nothing: the clients are the store's."""

    def _bounds(self, client: Client, sql: str, limit_s: float) -> dict[str, Any] | None:
        bounds = super()._bounds(client, sql, limit_s)
        mode = client.server_settings.get("readonly")
        narrowed = filters(sql, self._scope)
        if not narrowed or (mode is not None and mode.value == _NO_SETTINGS):
            return bounds  # the answer is the same, it only takes longer
        # The driver would refuse it where the store calls it read-only; the store decides.
        client.server_settings.pop(_FILTERS, None)
        return {**(bounds or {}), _FILTERS: narrowed}
