"""A deployment that has recorded and sealed: rows by the real recorder, tiles, checkpoints, list and keys."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditstream.core.ports import Block, LogId
from auditstream.evidence.derived import DeepCheck
from auditstream.evidence.findings import Finding, Report
from auditstream.evidence.listing import Trust
from auditstream.evidence.published import PublishedFolder
from auditstream.evidence.rerecording import new_recorders
from auditstream.evidence.seen import Seen
from auditstream.evidence.stored_rows import StoredRows
from auditstream.evidence.verification import Scope, Verification
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.log_list import ListedLog, log_list, sign_log_list
from auditstream.ledger.policies import Policy, parse_policy
from auditstream.ledger.vkeys import Vkeys
from auditstream.query.reader import Reader
from auditstream.sealer.folder_store import FolderRegister, FolderStore
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.seal_memory import TreeHead
from auditstream.sealer.sealing import seal_once
from sinks.clients import ClientPool
from sinks.leaf_source import ClickHouseLeaves
from sinks.recorded_segments import RecordedSegments
from tests.support.bad_messages import framed
from tests.support.fault_worker import NoFacts, PackagedSchemas
from tests.support.recorders import KAFKA, recorder_of, segment_of
from tests.support.stores import ClickHouseStore, OpenClient, new_store

DEPLOYMENT = "audit.example/test"
DEPLOYMENT_KEY = SignerKey(DEPLOYMENT, b"d" * 32)
WITNESS = CosignerSecretKey("witness.example/w", b"w" * 32)
LOGS = (LogId("audit.events.v1", 0, "0a1b2c3d"), LogId("audit.events.v1", 1, "0a1b2c3d"))
SIZES = (600, 300)


def origin_of(log: LogId) -> str:
    return f"{DEPLOYMENT}/{log}"


def key_of(log: LogId, generation: int = 1) -> SignerKey:
    return SignerKey(origin_of(log), bytes([generation, log.partition]) * 16)


def vkeys() -> Vkeys:
    keys = [DEPLOYMENT_KEY.verifier, *(key_of(log).verifier for log in LOGS), WITNESS.verifier]
    return Vkeys(tuple(keys))


def policy_text() -> bytes:
    return f"witness w {WITNESS.verifier.text}\nquorum w\n".encode()


def policy() -> Policy:
    return parse_policy(policy_text())


def values_of(log: LogId, lo: int, count: int) -> Sequence[bytes | Mapping[str, Any] | None]:
    """Return events with a price, events without, repeats, values that are no events, null and empty ones."""
    values: list[bytes | Mapping[str, Any] | None] = []
    for number in range(lo, lo + count):
        match number % 50:
            case 17:
                values.append(b"not an event %d" % number)
            case 23:
                values.append(None)
            case 29:
                values.append(b"")
            case 31:
                values.append(framed(number - 3, **_fields(number - 3)))  # a repeat
            case _:
                values.append(_fields(number))
    return values


def _fields(number: int) -> dict[str, Any]:
    return {"tenant_id": f"tenant-{number % 3}", "event_type": "ai.inference", "source_seq": number}


def blocks_of(log: LogId, size: int, *, rows: int = 250, first: int = 0) -> list[Block]:
    """Return a log's blocks as the recorder makes them."""
    blocks: list[Block] = []
    for lo in range(first, first + size, rows):
        count = min(rows, first + size - lo)
        blocks.append(recorder_of(*blocks).build(segment_of(values_of(log, lo, count), log=log, lo=lo)))
    return blocks


@dataclass
class Sealed:
    """A store with rows, and what was published of them.

    Attributes:
        store: The store.
        root: Folder with everything published.
        seen: Folder of the auditor's memory.
    """

    store: ClickHouseStore
    root: Path
    seen: Path
    clients: ClientPool
    memory: Path
    heads: dict[LogId, TreeHead] = field(default_factory=dict)

    def seal(self, *logs: LogId, list_time_s: int = 1_800_000_000) -> None:
        """Seal what is there, and write list and keys."""
        for log in logs or LOGS:
            store = FolderStore(LockedFolder(self.root, str(log)))
            memory = FolderRegister(LockedFolder(self.memory, str(log)), "signed")
            done = seal_once(ClickHouseLeaves(self.clients, str(log)), store, key_of(log), memory)
            if done is not None:
                self.heads[log] = done.head
                self._cosign(store)
        self.write_list(list_time_s)
        (self.root / "vkeys.txt").write_bytes(vkeys().to_bytes())

    def write_list(self, time_s: int = 1_800_000_000, *, without: Sequence[LogId] = ()) -> None:
        listed = [
            ListedLog(key_of(log).verifier, head.size, head.root)
            for log, head in self.heads.items()
            if log not in without
        ]
        note = sign_log_list(log_list(DEPLOYMENT, time_s, listed), DEPLOYMENT_KEY)
        (self.root / "logs").write_bytes(note.to_bytes())

    def verify(self, *, deep: bool = False, **scope: Any) -> Report:
        reader = Reader(self.clients)
        rows = StoredRows(reader)
        recorders = new_recorders(PackagedSchemas(), self.clients, NoFacts(), KAFKA)
        again = DeepCheck(reader, RecordedSegments(self.clients), recorders) if deep else None
        trust = Trust(vkeys(), policy(), DEPLOYMENT)
        run = Verification(PublishedFolder(self.root), trust, Seen(self.seen), Scope(**scope))
        return run.against_rows(rows, lambda done, total: None, again)

    def _cosign(self, store: FolderStore) -> None:
        from dataclasses import replace

        from auditstream.ledger.checkpoints import parse_checkpoint
        from auditstream.ledger.notes import parse_note

        published = store.read("checkpoint") or b""
        note = parse_note(published)
        cosignature = WITNESS.cosign(parse_checkpoint(note.text), 1_800_000_000)
        signed = replace(note, signatures=(*note.signatures, cosignature))
        store.replace_checkpoint(published, signed.to_bytes())


@contextmanager
def sealed_deployment(
    open_client: OpenClient,
    folder: Path,
    *,
    blocks: Mapping[LogId, Sequence[Block]] | None = None,
    keep: bool = False,
) -> Iterator[Sealed]:
    """Yield a sealed deployment in a database of its own, which is dropped afterwards unless it is kept."""
    with new_store(open_client, keep=keep) as store:
        recorded = blocks or {log: blocks_of(log, size) for log, size in zip(LOGS, SIZES, strict=True)}
        for block in itertools.chain.from_iterable(recorded.values()):
            store.insert(block)
        clients = ClientPool(lambda: open_client(str(store.client.database)))
        sealed = Sealed(store, folder / "evidence", folder / "verified", clients, folder / "seal")
        sealed.root.mkdir(parents=True)
        sealed.seal()
        yield sealed
        clients.close()


def places(report: Report) -> list[tuple[str, str]]:
    """Return place and kind of each finding."""
    return [(finding.place, finding.what) for finding in report.findings]


def finding_at(report: Report, index: int) -> Finding:
    return next(each for each in report.findings if each.first == index)
