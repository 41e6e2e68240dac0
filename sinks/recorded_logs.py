"""Which logs are recorded, and how far: implements the sealer's port `RecordedLogs`."""

from __future__ import annotations

from sinks.clients import ClientPool
from sinks.refusals import translated

_ENDS = "SELECT log_id, max(last_index) + 1 AS next_index FROM segment_ranges GROUP BY log_id"


class ClickHouseLogs:
    """Tells of the logs that have rows.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def ends(self) -> dict[str, int]:
        """Return by log the index after its last leaf; see the port."""
        with translated("read of the logs"), self._clients.borrow() as client:
            return {str(log_id): int(end) for log_id, end in client.query(_ENDS).result_rows}
