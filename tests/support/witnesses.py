"""A witness that answers on loopback in this process, and policies that ask for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from auditstream.core.clock import Clock, ManualClock
from auditstream.embedded.loopback_ports import free_port
from auditstream.ledger.checkpoints import Checkpoint, sign_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import SignerKey
from auditstream.ledger.merkle import root_of
from auditstream.ledger.policies import Policy, parse_policy
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tile_reader import HashReader, prove_consistency
from auditstream.ledger.witnessing import WitnessRequest
from auditstream.sealer.folder_store import FolderRegister
from auditstream.sealer.known_logs import FixedLogs
from auditstream.sealer.locked_folder import LockedFolder
from auditstream.sealer.tile_store import Register
from auditstream.sealer.witness import KnownLogs, Witness
from auditstream.sealer.witness_server import application, serve

KEY = CosignerSecretKey.generate("witness.example/w1")
NOW_S = 1_790_000_000
DEPLOYMENT = SignerKey("audit.example/demo", b"d" * 32)
LOG = SignerKey(f"{DEPLOYMENT.name}/events/0/5f3759df", b"l" * 32)
OTHER = SignerKey(f"{DEPLOYMENT.name}/events/1/5f3759df", b"o" * 32)
LEAVES = [bytes([number]) * 32 for number in range(200)]
FORGED = [*LEAVES[:50], bytes(32), *LEAVES[51:]]
KNOWN = FixedLogs([LOG.verifier])


def request(old: int, new: int, *, leaves: list[bytes] = LEAVES, key: SignerKey = LOG) -> bytes:
    """Return the body by which a log asks a witness, proof included."""
    edge = TileEdge()
    edge.extend(leaves[:new])
    files = {tile.path: data for tile, data in edge.partial_tiles()}
    proof = tuple(prove_consistency(HashReader(new, files.get), old)) if old else ()
    checkpoint = Checkpoint(key.name, new, root_of(leaves[:new]))
    return WitnessRequest(old, proof, sign_checkpoint(checkpoint, key).to_bytes()).to_bytes()


def register_in(folder: Path, name: str) -> Register:
    """Return a witness's register in a folder that exists."""
    return FolderRegister(LockedFolder(folder, "witness"), name)


def witness_in(
    folder: Path, logs: KnownLogs, *, key: CosignerSecretKey = KEY, clock: Clock | None = None
) -> Witness:
    """Return a witness that keeps its state in a folder that exists."""
    return Witness(key, logs, lambda name: register_in(folder, name), clock or ManualClock(NOW_S))


@dataclass
class RunningWitness:
    """A witness that answers.

    Attributes:
        url: Where.
        key: Its key.
    """

    url: str
    key: CosignerSecretKey = KEY

    def policy(self, quorum: str = "w1") -> Policy:
        """Return a policy that asks for this witness."""
        return parse_policy(f"witness w1 {self.key.verifier.text} {self.url}\nquorum {quorum}\n".encode())


@contextmanager
def served(witness: Witness, *, key: CosignerSecretKey = KEY, port: int = 0) -> Iterator[RunningWitness]:
    """Let a witness answer for the length of the block."""
    with served_app(application(witness, key.verifier), port) as url:
        yield RunningWitness(url, key)


@contextmanager
def served_app(app: web.Application, port: int = 0) -> Iterator[str]:
    """Serve an application on loopback for the length of the block."""
    port = port or free_port()
    loop = asyncio.new_event_loop()
    stopping, ready = asyncio.Event(), threading.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve(app, "127.0.0.1", port, stopping, ready=ready.set))

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
