"""Recorded leaves in log order, read back from ClickHouse: implements the sealer's port `LeafSource`."""

from __future__ import annotations

import numpy as np
import polars as pl

from auditstream.ledger.leaves import LeafError, LeafRun, MissingLeafError, StoredLeaves
from sinks.clients import ClientPool
from sinks.leaf_expressions import EVENT_ID, PROJECTED_VALUE_SHA256, TIMESTAMP_MS, leaf_hash
from sinks.refusals import translated

# The projection `log_order` has all of it, in log order. The store hashes natively, on every core; the hash
# that was recorded travels beside the one that the row gives now.
_LEAVES = f"""
SELECT
    leaf_index, leaf_kind, leaf_hash, toUInt64(kafka_offset) AS offset,
    {TIMESTAMP_MS} AS timestamp_ms, {EVENT_ID} AS event_id_bytes, {PROJECTED_VALUE_SHA256} AS value_sha256,
    {leaf_hash(PROJECTED_VALUE_SHA256)} AS derived
FROM events
WHERE log_id = {{log:String}} AND leaf_index >= {{from:UInt64}} AND leaf_index < {{to:UInt64}}
ORDER BY leaf_index"""  # noqa: S608  # constant expressions; values are parameters
_NEXT = """
SELECT min(leaf_index) AS next, count() AS leaves FROM events
WHERE log_id = {log:String} AND leaf_index >= {from:UInt64}"""


class ClickHouseLeaves:
    """Reads the leaves of one log; see the port.

    Args:
        clients: Where clients come from.
        log_id: The log, as `topic/partition/epoch`.
    """

    def __init__(self, clients: ClientPool, log_id: str) -> None:
        self._clients = clients
        self._log_id = log_id

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        """Return the leaves from an index on, as far as they are dense; see the port."""
        parameters = {"log": self._log_id, "from": first_index, "to": first_index + limit}
        with translated(f"read of leaves of {self._log_id}"), self._clients.borrow() as client:
            frame = pl.DataFrame(pl.from_arrow(client.query_arrow(_LEAVES, parameters=parameters)))
        indexes = frame.get_column("leaf_index").to_numpy()
        dense = self._dense(indexes, first_index)
        if not dense:
            self._check_none_missing(first_index)
        return _stored(frame.head(dense), first_index)

    def _dense(self, indexes: np.ndarray, first_index: int) -> int:
        """Return how many leaves there are before the first gap."""
        off = np.flatnonzero(indexes != np.arange(first_index, first_index + len(indexes)))
        if not len(off):
            return len(indexes)
        at = int(off[0])
        if indexes[at] < first_index + at:
            raise LeafError(f"leaf {indexes[at]} of {self._log_id} is recorded twice", index=int(indexes[at]))
        return at

    def _check_none_missing(self, first_index: int) -> None:
        """Check that nothing is recorded behind the end of the log."""
        parameters = {"log": self._log_id, "from": first_index}
        with translated(f"read of leaves of {self._log_id}"), self._clients.borrow() as client:
            ((found, leaves),) = client.query(_NEXT, parameters).result_rows
        if leaves and found > first_index:
            raise MissingLeafError(
                f"leaf {first_index} of {self._log_id} is missing: the next one recorded is {found}",
                index=first_index,
            )


def _stored(frame: pl.DataFrame, first_index: int) -> StoredLeaves:
    def binary(name: str) -> list[bytes]:
        return frame.get_column(name).cast(pl.Binary).to_list()

    run = LeafRun(
        kinds=frame.get_column("leaf_kind").to_numpy(),
        first_index=first_index,
        offsets=frame.get_column("offset").to_numpy(),
        timestamps_ms=frame.get_column("timestamp_ms").to_numpy(),
        event_ids=binary("event_id_bytes"),
        value_sha256=binary("value_sha256"),
    )
    return StoredLeaves(run, binary("leaf_hash"), binary("derived"))
