"""The value of a gap leaf: a text that names the offsets of a log that were lost before they were recorded.

Five lines, each ended by a newline: `auditstream-gap/v1`, the log's id, the first and the last lost offset in
decimal without leading zeros, and one word that says how far they had come. The leaf's value hash is that of
these bytes, so that the signed log itself says what it lacks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from auditstream.core.errors import VerificationError

HEADER = "auditstream-gap/v1"

_NUMBER = r"(0|[1-9][0-9]{0,18})"
_TEXT = re.compile(rf"{HEADER}\n([!-~]{{1,512}})\n{_NUMBER}\n{_NUMBER}\n([a-z_]{{1,32}})\n")
_MOST = 2**63 - 1


class GapError(VerificationError):
    """The value of a gap leaf does not name a range of lost offsets."""

    code = "gap"
    hint = "The row was changed after it was recorded. Run `auditstream verify`."


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets of a log without a leaf of their own; one leaf of kind 2 stands for all of them.

    Attributes:
        log_id: The log, as `topic/partition/epoch`.
        first: First lost offset, which is also the leaf's.
        last: Last lost offset.
        reason: `never_planned`, or `never_written` where the first of them were in an open plan.
    """

    log_id: str
    first: int
    last: int
    reason: str

    def text(self) -> bytes:
        """Return the value that the leaf commits to."""
        return f"{HEADER}\n{self.log_id}\n{self.first}\n{self.last}\n{self.reason}\n".encode("ascii")


def gap_of(value: bytes) -> Gap:
    """Return the gap that a leaf's value names.

    Raises:
        GapError: It is not such a text, to the byte.
    """
    try:
        found = _TEXT.fullmatch(value.decode("ascii"))
    except UnicodeDecodeError:
        found = None
    if found is None:
        raise GapError(f"value: not five lines as {HEADER} has them")
    log_id, first, last, reason = found.groups()
    if not int(first) <= int(last) <= _MOST:
        raise GapError(f"value: offsets {first}..{last} are no range")
    return Gap(log_id, int(first), int(last), reason)
