"""What was told of budgets that burn, as the record has it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from auditstream.core.finding_ids import UPDATES_APART
from sinks.clients import ClientPool
from sinks.expressions import time_text
from sinks.refusals import translated

SLO_EVENTS_SOURCE = "urn:auditstream:slos"
"""`source` of the events that tell of error budgets, and of budgets of money that burn."""

_RECENT = timedelta(hours=2)
"""How far back what is over still counts: an episode that begins in the hour of the last one is the last."""

_EARLY = timedelta(hours=1)
"""How much earlier than its finding's row an event may be: they are timed by two machines' clocks."""

_LONGEST = timedelta(days=400)
"""How far back what is not over counts: an episode of a year's budget ends with it. Whose budget or objective
is gone stays open in the record, and would be looked for further back every day."""

# Table findings has few rows: an episode's newest word there says whether it is over. Its event came after.
_SINCE = """
SELECT min(said_at)
FROM
(
    SELECT argMax(status, version) AS newest, argMax(recorded_at, version) AS said_at
    FROM findings
    WHERE rule_id = {rule:String} AND version % {apart:Int32} = 0
        AND recorded_at >= {longest:DateTime64(6, 'UTC')}
    GROUP BY tenant_id, finding_id
    HAVING newest != 'RESOLVED'
)
HAVING count() > 0"""

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
WHERE event_time >= {since:DateTime64(6, 'UTC')} AND ingest_day >= toDate({since:DateTime64(6, 'UTC')}) - 1
    AND event_type = 'ai.finding' AND source = {source:String} AND leaf_kind = 0 AND duplicate_of IS NULL
GROUP BY rule, about"""


class SloEvents:
    """Asks the store what was told. Blocks; calls may come from any thread.

    Args:
        clients: Where clients come from.
        rule: Rule of the findings that the events tell of.
    """

    def __init__(self, clients: ClientPool, rule: str) -> None:
        self._clients = clients
        self._rule = rule

    def told(self, now: datetime) -> dict[tuple[str, str], Mapping[str, str]]:
        """Return the attributes of the newest recorded event by objective or budget, and what it is about.

        What has been over for two hours and more is not in it, unless something else is still open.

        Args:
            now: Time of the question (UTC).

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        asked = {"rule": self._rule, "apart": UPDATES_APART, "longest": time_text(now - _LONGEST)}
        with translated("read of what was told of burning budgets"), self._clients.borrow() as client:
            open_since = client.query(_SINCE, asked).result_rows
            since = min([now - _RECENT, *(each.replace(tzinfo=UTC) - _EARLY for (each,) in open_since)])
            told = {"source": SLO_EVENTS_SOURCE, "since": time_text(since)}
            rows = client.query(_TOLD, told).result_rows
        return {(str(rule), str(about)): attributes for rule, about, attributes in rows}
