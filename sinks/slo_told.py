"""What was told of budgets that burn, as the record has it."""

from __future__ import annotations

from collections.abc import Mapping

from sinks.clients import ClientPool
from sinks.refusals import translated

SLO_EVENTS_SOURCE = "urn:auditstream:slos"
"""`source` of the events that tell of error budgets, and of budgets of money that burn."""

_TOLD = """
SELECT
    attributes['rule'] AS rule,
    attributes['about'] AS about,
    argMax(
        attributes,
        (
            parseDateTime64BestEffortOrZero(attributes['opened'], 6, 'UTC'),
            toUInt32OrZero(attributes['update'])
        )
    ) AS newest
FROM events
WHERE event_type = 'ai.finding' AND source = {source:String} AND leaf_kind = 0 AND duplicate_of IS NULL
GROUP BY rule, about"""


class SloEvents:
    """Asks the store what was told. Blocks; calls may come from any thread.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def told(self) -> dict[tuple[str, str], Mapping[str, str]]:
        """Return the attributes of the newest recorded event by objective or budget, and what it is about.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        with translated("read of what was told of burning budgets"), self._clients.borrow() as client:
            rows = client.query(_TOLD, {"source": SLO_EVENTS_SOURCE}).result_rows
        return {(str(rule), str(about)): attributes for rule, about, attributes in rows}
