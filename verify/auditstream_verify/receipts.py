"""Receipts (C2SP tlog-proof): one event's place in a signed log, checked from one file."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from auditstream_verify.bundles import ENTRY_BYTES
from auditstream_verify.notes import (
    BrokenError,
    Key,
    Policy,
    from_base64,
    note_text,
    number,
    open_checkpoint,
    parse_checkpoint,
)
from auditstream_verify.trees import check_inclusion, leaf_hash

_MAX_BYTES = 1_200_000


@dataclass(frozen=True)
class Proved:
    """What a receipt proves."""

    origin: str
    index: int
    size: int
    event_id: str
    value_sha256: str
    cosigners: list[str]


def check_receipt(
    data: bytes, keys: Sequence[Key], policy: Policy | None = None, value: bytes | None = None
) -> Proved:
    """Return what a receipt proves; its `extra` data is the entry of the leaf.

    Args:
        data: The receipt.
        keys: Keys that are trusted beforehand.
        policy: Which witnesses must have cosigned; None asks for nobody.
        value: The event's bytes; when given, the leaf must commit to them.
    """
    head, separator, note = data.partition(b"\n\n")
    if len(data) > _MAX_BYTES or not separator or not head.isascii():
        raise BrokenError("not a receipt")
    lines = head.decode("ascii").split("\n")
    if (
        len(lines) < 3
        or lines[0] != "c2sp.org/tlog-proof@v1"
        or not lines[1].startswith("extra ")
        or not lines[2].startswith("index ")
    ):
        raise BrokenError("not a receipt with the entry of a leaf")
    entry, index = from_base64(lines[1].removeprefix("extra ")), number(lines[2].removeprefix("index "))
    if len(lines) > 3 + 63:
        raise BrokenError("a proof has at most 63 hashes")
    if len(entry) != ENTRY_BYTES or entry[0] != 1 or int.from_bytes(entry[2:10], "big") != index:
        raise BrokenError(f"the entry is not one of leaf {index}")
    if value is not None and hashlib.sha256(value).digest() != entry[42:]:
        raise BrokenError(
            f"value: expected hash {entry[42:].hex()}, found {hashlib.sha256(value).hexdigest()}"
        )
    origin = parse_checkpoint(note_text(note)).origin
    witnesses = list(policy.witnesses.values()) if policy else []
    checkpoint, cosigners = open_checkpoint(note, origin, [*keys, *witnesses])
    if policy is not None and not policy.is_met_by(cosigners):
        raise BrokenError("the quorum has not cosigned the checkpoint")
    proof = [from_base64(line) for line in lines[3:]]
    check_inclusion(index, checkpoint.size, leaf_hash(entry), proof, checkpoint.root)
    digits = entry[26:42].hex()
    event_id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    names = sorted({key.name for key in cosigners})
    return Proved(origin, index, checkpoint.size, event_id, entry[42:].hex(), names)
