"""Decoding a container in memory through polars_avro, within a time limit.

Traps:

- A block with bytes left over after its last record makes polars_avro spin for ever. So a container declares
  more records than it has, and the reader is asked for as many as there are: the bytes end first, always.
- An array of items of no bytes can describe more of them than a day is long. A decode that passes its limit
  is abandoned on its thread and counted in `abandoned_decodes`.
- An iterator of batches that is dropped while its error passes ends the process.
"""

from __future__ import annotations

import io
import threading
from contextlib import nullcontext

import polars as pl

# The public functions take no batch size: polars asks for its own.
from polars_avro._avro_rs import AvroSource

from auditstream.core.errors import DecodeError
from schemas.container import GUARD, Container

_BASE_LIMIT_S = 2.0
_LIMIT_S_PER_BYTE = 2e-7  # about 20 times what a loaded core takes (0.01 µs a byte)

_abandoned = 0


def abandoned_decodes() -> int:
    """Return how many decodes were abandoned: each keeps a core busy until the process ends."""
    return _abandoned


class DecodeAbandonedError(DecodeError):
    """A block did not decode in time: its datums must be judged one at a time, never as a block again."""


def records_of(container: Container) -> pl.DataFrame:
    """Return the container's records, in one chunk, after checking that every guard is in its place.

    Raises:
        DecodeError: At least one datum is not exactly one datum of the container's schema.
        DecodeAbandonedError: The decode took too long, which means the same.
    """
    batches = _batches(container)
    if len(batches) != 1 or batches[0].height != container.records:
        raise DecodeError("a datum does not end where its bytes end")
    guards_hold = pl.col(GUARD).eq(pl.lit(container.guard)).all()
    if not batches[0].select(guards_hold).item():
        raise DecodeError("a datum does not end where its bytes end")
    return batches[0]


def _batches(container: Container) -> list[pl.DataFrame]:
    outcome: list[list[pl.DataFrame] | BaseException] = []

    def decode() -> None:
        try:
            source = AvroSource([lambda: nullcontext(io.BytesIO(container.content))], False, False)
            batches = source.batch_iter(container.records, None)
            outcome.append([pl.DataFrame(batch) for batch in batches])
        except BaseException as error:  # noqa: BLE001  a Rust panic is no Exception
            # Without its traceback, which would hold the iterator until somebody handles another error.
            outcome.append(error.with_traceback(None))

    thread = threading.Thread(target=decode, name="avro decode", daemon=True)
    thread.start()
    thread.join(_BASE_LIMIT_S + len(container.content) * _LIMIT_S_PER_BYTE)
    if not outcome:
        global _abandoned  # noqa: PLW0603  a fact about the process
        _abandoned += 1
        raise DecodeAbandonedError("the block took too long to decode")
    if isinstance(outcome[0], BaseException):
        raise DecodeError(f"block of datums: {outcome[0]}") from outcome[0]
    return outcome[0]
