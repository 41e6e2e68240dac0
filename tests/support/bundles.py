"""An exported bundle made without a store: small, whole, and the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from auditstream.evidence.raw_values import FILE_LEAVES, encoded, raw_path
from auditstream.ledger.checkpoints import parse_checkpoint
from auditstream.ledger.completeness import Completeness, RestsOn, sign_completeness
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.leaves import NO_EVENT_ID, LeafRun, StoredLeaves, value_hashes
from auditstream.ledger.log_list import ListedLog, log_list, sign_log_list
from auditstream.ledger.merkle import root_of
from auditstream.ledger.notes import parse_note
from auditstream.ledger.policies import Policy, parse_policy
from auditstream.ledger.vkeys import Vkeys
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.sealing import seal_once

DEPLOYMENT = "audit.example/test"
DEPLOYMENT_KEY = SignerKey(DEPLOYMENT, b"d" * 32)
WITNESS = CosignerSecretKey("witness.example/w", b"w" * 32)
SIZES = {"audit.events.v1/0/0a1b2c3d": 300, "audit.events.v1/1/0a1b2c3d": 20}
POLICY = b"witness w %b\nquorum w\n" % WITNESS.verifier.text.encode()


def value_of(index: int) -> bytes | None:
    """Return the value of a leaf: one in seven is null, one in eleven empty."""
    if index % 7 == 3:
        return None
    return b"" if index % 11 == 5 else b"value %d" % index


def key_of(log_id: str) -> SignerKey:
    return SignerKey(f"{DEPLOYMENT}/{log_id}", log_id.encode().ljust(32, b".")[:32])


def vkeys() -> Vkeys:
    return Vkeys((DEPLOYMENT_KEY.verifier, *(key_of(log).verifier for log in SIZES), WITNESS.verifier))


def policy() -> Policy:
    return parse_policy(POLICY)


class _Leaves:
    def __init__(self, size: int) -> None:
        self._size = size

    def read(self, first_index: int, limit: int) -> StoredLeaves:
        indexes = range(first_index, min(self._size, first_index + limit))
        run = LeafRun(
            kinds=[index % 2 for index in indexes],
            first_index=first_index,
            offsets=[3 * index for index in indexes],
            timestamps_ms=[1_767_355_200_000 + index for index in indexes],
            event_ids=[b"%016d" % index if index % 2 == 0 else NO_EVENT_ID for index in indexes],
            value_sha256=value_hashes(map(value_of, indexes)),
        )
        return StoredLeaves(run, run.hashes())


def listing(log_ids: Sequence[str]) -> bytes:
    """Return a signed list of some of the logs."""
    listed = []
    for log_id in log_ids:
        hashes = _Leaves(SIZES[log_id]).read(0, SIZES[log_id]).run.hashes()
        listed.append(ListedLog(key_of(log_id).verifier, SIZES[log_id], root_of(hashes)))
    return sign_log_list(log_list(DEPLOYMENT, 1_800_000_000, listed), DEPLOYMENT_KEY).to_bytes()


def make_bundle(root: Path, memory: Path) -> None:
    """Make a bundle of two logs, with one statement."""
    listed = []
    for log_id, size in SIZES.items():
        store = FolderStore(LockedFolder(root, log_id))
        sealed = seal_once(
            _Leaves(size), store, key_of(log_id), FolderRegister(LockedFolder(memory, log_id), "signed")
        )
        assert sealed is not None
        note = parse_note(sealed.checkpoint)
        cosignature = WITNESS.cosign(parse_checkpoint(note.text), 1_800_000_000)
        signed = replace(note, signatures=(*note.signatures, cosignature))
        store.replace_checkpoint(sealed.checkpoint, signed.to_bytes())
        listed.append(ListedLog(key_of(log_id).verifier, size, sealed.head.root))
        for first in range(0, size, FILE_LEAVES):
            path = root / raw_path(log_id, first)
            path.parent.mkdir(parents=True)
            values = map(value_of, range(first, min(size, first + FILE_LEAVES)))
            path.write_bytes(b"".join(encoded(values)))
    (root / "logs").write_bytes(listing(list(SIZES)))
    (root / "vkeys.txt").write_bytes(vkeys().to_bytes())
    statement = Completeness(
        deployment=DEPLOYMENT,
        day=date(2026, 1, 1),
        time_s=1_800_000_000,
        state="closed",
        logs=tuple(RestsOn(log.origin, log.size, log.root, log.size) for log in listed),
    )
    (root / "statements").mkdir()
    note = sign_completeness(statement, DEPLOYMENT_KEY)
    (root / "statements" / "2026-01-01").write_bytes(note.to_bytes())
