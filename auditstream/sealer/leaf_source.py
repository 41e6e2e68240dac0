"""Where recorded leaves come from, as a port."""

from __future__ import annotations

from typing import Protocol

from auditstream.ledger.leaves import StoredLeaves


class LeafSource(Protocol):
    """The recorded leaves of one log. Every method blocks."""

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        """Return the leaves from an index on, without a gap: at most `limit`, none when there are none yet.

        Raises:
            MissingLeafError: The leaf is not there while later ones are.
            LeafError: An index is there twice.
            RetryableError: No answer.
        """
        ...
