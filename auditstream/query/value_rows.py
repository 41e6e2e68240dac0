"""Values as they were received: where one is, and runs of them in the order of leaves."""

from __future__ import annotations

from collections.abc import Iterator

from auditstream.query.reader import Reader

_PLACES = """
SELECT log_id, leaf_index FROM events WHERE NOT raw_null AND SHA256(raw) = unhex({sha256:String})
ORDER BY inserted_at, log_id, leaf_index LIMIT 1000"""
_WHERE = """log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    AND ingest_day IN (
        SELECT DISTINCT ingest_day FROM events
        WHERE log_id = {log:String} AND leaf_index >= {from:UInt64} AND leaf_index < {to:UInt64}
    )"""
_BYTES = f"""
SELECT intDiv(leaf_index, {{step:UInt64}}) AS run, sum(length(raw)) AS size FROM events WHERE {_WHERE}
GROUP BY run ORDER BY run"""
_VALUES = f"SELECT leaf_index, hex(raw) AS value, raw_null FROM events WHERE {_WHERE} ORDER BY leaf_index"


def places_of(reader: Reader, value_sha256: bytes) -> list[tuple[str, int]]:
    """Return log and index of each row whose value has a hash, in the order in which they were recorded.

    Every value is hashed for it: there is no index of hashes.

    Raises:
        RetryableError: No answer.
    """
    asked = {"sha256": value_sha256.hex()}
    found = reader.table(_PLACES, asked, doing="search of a value by its hash")
    return [(str(log_id), int(index)) for log_id, index in found.rows]


def bytes_of_runs(reader: Reader, log_id: str, first_index: int, count: int, step: int) -> dict[int, int]:
    """Return how many bytes the values of each run of `step` leaves have, by the number of the run.

    Raises:
        RetryableError: No answer.
    """
    asked = {"log": log_id, "from": first_index, "to": first_index + count, "step": step}
    found = reader.table(_BYTES, asked, doing=f"sizes of values of {log_id}")
    return {int(run): int(size) for run, size in found.rows}


def values_of(
    reader: Reader, log_id: str, first_index: int, count: int
) -> Iterator[tuple[int, bytes | None]]:
    """Yield index and value of each row of a range of leaves, in order.

    Raises:
        RetryableError: No answer.
    """
    asked = {"log": log_id, "from": first_index, "to": first_index + count}
    found = reader.table(_VALUES, asked, doing=f"values of {log_id}")
    for index, value, is_null in found.rows:
        yield int(index), None if is_null else bytes.fromhex(value)
