"""A sealer over logs in memory, with everything else real: folders, keys, witnesses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditstream.core.clock import ManualClock
from auditstream.core.errors import StoreBusyError
from auditstream.core.metrics import Metrics
from auditstream.core.ports import PublishedCheckpoint
from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint
from auditstream.ledger.log_list import LogList, open_log_list
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.ledger.vkeys import Vkeys, parse_vkeys
from auditstream.sealer.key_file import KeyRing, new_ring
from auditstream.sealer.leaf_source import LeafSource
from auditstream.sealer.places import FolderPlace, Place
from auditstream.sealer.service import Cadence, Sealer, SealerParts, Trouble
from auditstream.sealer.witness_panel import NO_WITNESSES, WitnessPanel
from tests.support.logs import LeavesInMemory

DEPLOYMENT = "audit.example/demo"
LOG_A, LOG_B = "audit.events.v1/0/0a1b2c3d", "audit.events.v1/1/0a1b2c3d"
NOW_S = 1_790_000_000
EVERY_S, FRESH_S = 10.0, 60.0


@dataclass
class Recorded:
    """The store: logs with leaves, and the table of checkpoints.

    Attributes:
        sources: By log, its leaves.
        hidden: By log, how many rows are said to be there, where that is not what is there.
        rows: The table of checkpoints.
        down: Whether nothing answers.
        table_down: Whether the table of checkpoints does not answer.
    """

    sources: dict[str, LeavesInMemory] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    rows: list[PublishedCheckpoint] = field(default_factory=list)
    down: bool = False
    table_down: bool = False

    def ends(self) -> Mapping[str, int]:
        """Return the ends of the logs; see the port."""
        if self.down:
            raise StoreBusyError("down")
        return {log_id: source.size for log_id, source in self.sources.items()} | self.hidden

    def leaves(self, log_id: str) -> LeafSource:
        """Return the leaves of a log."""
        return self.sources.setdefault(log_id, LeavesInMemory(0))

    def add(self, checkpoints: Sequence[PublishedCheckpoint]) -> None:
        """Append rows; see the port."""
        if self.down or self.table_down:
            raise StoreBusyError("down")
        self.rows += checkpoints

    def sizes(self) -> Mapping[str, int]:
        """Return what the table knows; see the port."""
        if self.down or self.table_down:
            raise StoreBusyError("down")
        return {row.log_id: row.size for row in sorted(self.rows, key=lambda row: row.size)}


class Deployment:
    """Folders, keys and a store that several sealers may work on.

    Attributes:
        base: The folder of all.
        ring: Keys.
        recorded: The store.
        clock: The time.
        steady_s: Seconds that only grow.
        troubles: What sealers told of, in order.
    """

    def __init__(self, base: Path, **sizes: int) -> None:
        self.base = base
        self.ring: KeyRing = new_ring()
        self.recorded = Recorded({LOG_A: LeavesInMemory(sizes.get("a", 0))})
        if "b" in sizes:
            self.recorded.sources[LOG_B] = LeavesInMemory(sizes["b"])
        self.clock = ManualClock(NOW_S)
        self.steady_s = 0.0
        self.troubles: list[Trouble] = []
        self.metrics = Metrics()

    @property
    def place(self) -> Place:
        """Where evidence is published."""
        return FolderPlace(self.base / "evidence")

    @property
    def memory(self) -> Place:
        """Where it is remembered what was signed."""
        return FolderPlace(self.base / "seal")

    def sealer(self, panel: WitnessPanel | None = None, **parts: object) -> Sealer:
        """Return a sealer of this deployment."""
        given = {
            "logs": self.recorded,
            "leaves": self.recorded.leaves,
            "rows": self.recorded,
            "place": self.place,
            "memory": self.memory,
            "keys": lambda: self.ring,
            "panel": panel or WitnessPanel(NO_WITNESSES),
            "clock": self.clock,
            "metrics": self.metrics,
        }
        return Sealer(
            SealerParts(**(given | parts)),  # type: ignore[arg-type]
            DEPLOYMENT,
            Cadence(EVERY_S, FRESH_S),
            on_trouble=self.troubles.append,
            monotonic_s=lambda: self.steady_s,
        )

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.steady_s += seconds

    def grow(self, log_id: str = LOG_A, by: int = 100) -> None:
        """Record more leaves."""
        self.recorded.sources[log_id].size += by

    def published(self, log_id: str = LOG_A) -> Checkpoint | None:
        """Return what a log's checkpoint says, verified by the log's keys."""
        data = self.note(log_id)
        return None if data is None else open_checkpoint(data, *self.verifiers(log_id)).checkpoint

    def note(self, log_id: str = LOG_A) -> bytes | None:
        """Return a log's checkpoint as it is published."""
        return self.place.store(log_id).read(CHECKPOINT)

    def verifiers(self, log_id: str):
        """Return the keys of a log."""
        return self.ring.verifiers(f"{DEPLOYMENT}/{log_id}")

    def listed(self) -> LogList:
        """Return the published list of logs."""
        data = (self.base / "evidence" / "logs").read_bytes()
        return open_log_list(data, *self.ring.verifiers(DEPLOYMENT))

    def vkeys(self) -> Vkeys:
        """Return the published keys."""
        return parse_vkeys((self.base / "evidence" / "vkeys.txt").read_bytes())
