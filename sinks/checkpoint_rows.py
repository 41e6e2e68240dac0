"""Published checkpoints as rows of the table `checkpoints`: implements the sealer's port `CheckpointRows`."""

from __future__ import annotations

from collections.abc import Sequence

from auditstream.core.ports import PublishedCheckpoint
from sinks.clients import ClientPool
from sinks.refusals import translated

_COLUMNS = ("origin", "log_id", "tree_size", "root_hash", "note", "signed_at", "witnesses")
_SIZES = "SELECT log_id, max(tree_size) FROM checkpoints GROUP BY log_id"


class ClickHouseCheckpoints:
    """Appends rows, and tells how far the table knows.

    Args:
        clients: Where clients come from.
    """

    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients

    def add(self, checkpoints: Sequence[PublishedCheckpoint]) -> None:
        """Append a row each, in one insert; see the port."""
        rows = [
            (
                *(each.origin, each.log_id, each.size, each.root, each.note.decode()),
                *(each.signed_at, list(each.witnesses)),
            )
            for each in checkpoints
        ]
        with translated("insert into checkpoints"), self._clients.borrow() as client:
            client.insert("checkpoints", rows, column_names=_COLUMNS)

    def sizes(self) -> dict[str, int]:
        """Return by log the largest size that the table has; see the port."""
        with translated("read of checkpoints"), self._clients.borrow() as client:
            return {str(log_id): int(size) for log_id, size in client.query(_SIZES).result_rows}
