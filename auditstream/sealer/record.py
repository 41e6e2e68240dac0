"""What a sealer asks of the store of rows, but for the leaves themselves, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from auditstream.core.ports import PublishedCheckpoint


class RecordedLogs(Protocol):
    """The logs that have rows. Blocks."""

    def ends(self) -> Mapping[str, int]:
        """Return by log (`topic/partition/epoch`) the index after its last leaf.

        Raises:
            RetryableError: No answer.
        """
        ...


class CheckpointRows(Protocol):
    """The table of published checkpoints: for people and dashboards; the files are what counts. Blocks."""

    def add(self, checkpoints: Sequence[PublishedCheckpoint]) -> None:
        """Append a row each.

        Raises:
            RetryableError: No answer; rows may be there or not.
        """
        ...

    def sizes(self) -> Mapping[str, int]:
        """Return by log the largest size that the table has.

        Raises:
            RetryableError: No answer.
        """
        ...
