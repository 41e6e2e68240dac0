"""One log in the care of the sealer: sealed as far as there are rows, endorsed, and never stale."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from auditstream.core.clock import Clock
from auditstream.core.errors import AuditStreamError
from auditstream.core.ports import PublishedCheckpoint
from auditstream.ledger.checkpoints import OpenedCheckpoint, open_checkpoint
from auditstream.ledger.cosignatures import cosigned_at
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.merkle import EMPTY_ROOT
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.sealer.endorsing import Endorser
from auditstream.sealer.key_file import KeyRing
from auditstream.sealer.leaf_source import LeafSource
from auditstream.sealer.seal_memory import parse_head
from auditstream.sealer.sealing import (
    Sealed,
    StoreBehindError,
    publish_again,
    publish_signed,
    seal_once,
)
from auditstream.sealer.tile_store import MovedError, Register, TileStore
from auditstream.sealer.witness_client import WitnessAheadError, WitnessContradictsError
from auditstream.sealer.witness_panel import WitnessPanel

# A round of a log that catches up is cut into pieces, so that a signal is heeded within seconds.
_MOST_LEAVES = 1 << 17


@dataclass(frozen=True, slots=True)
class LogState:
    """What is published of a log after a round.

    Attributes:
        key: The log's newest verifier key.
        size: Leaves under the published checkpoint, 0 when there is none.
        root: Their root.
        stated_s: Seconds that the log's own cosigner states under it; None when there is none.
    """

    key: VerifierKey
    size: int
    root: bytes
    stated_s: int | None


class LogSealer:
    """Keeps one log sealed; one call at a time.

    Args:
        log_id: `topic/partition/epoch`.
        origin: Name of the log.
        store: Its published files.
        memory: What was signed last.
        source: Its recorded leaves.
        panel: The witnesses.
        clock: What times are stated.
        fresh_s: Longest age of the log's own cosignature.
    """

    def __init__(
        self,
        log_id: str,
        origin: str,
        *,
        store: TileStore,
        memory: Register,
        source: LeafSource,
        panel: WitnessPanel,
        clock: Clock,
        fresh_s: float,
    ) -> None:
        self.log_id = log_id
        self.origin = origin
        self._store = store
        self._memory = memory
        self._source = source
        self._panel = panel
        self._clock = clock
        self._fresh_s = fresh_s
        self._opened: tuple[KeyRing, bytes, OpenedCheckpoint] | None = None

    def round(
        self,
        ring: KeyRing,
        end: int | None,
        *,
        published: Callable[[PublishedCheckpoint, int], object],
        contradicted: Callable[[WitnessContradictsError], object],
        stopping: Callable[[], bool],
    ) -> LogState:
        """Publish what is there to publish, and return what is published then.

        Args:
            ring: Keys.
            end: Index after the last leaf, a hint; None where the store does not answer: nothing is sealed.
            published: Is told of every checkpoint that comes out, and the size before it.
            contradicted: Is told of a witness that saw another history, also where it was not needed.
            stopping: Whether to end early; what is left is for another round.

        Raises:
            As `seal_once`, and:
            QuorumMissedError: Too few witnesses answer.
            WitnessContradictsError: The quorum is missed, and a witness has seen another history.
        """
        endorser = Endorser(
            ring.cosigner(self.origin),
            ring.verifiers(self.origin),
            read=self._store.read,
            panel=self._panel,
            clock=self._clock,
        )
        try:
            return self._round(ring, end, endorser, published, stopping)
        except WitnessAheadError as error:
            if self._signed_size() >= error.size:
                raise MovedError(f"{self.origin} was sealed further by another process") from error
            raise
        finally:
            for contradiction in endorser.contradictions:
                contradicted(contradiction)

    def state(self, ring: KeyRing) -> LogState:
        """Return what is published.

        Raises:
            NoteError, CheckpointError: What is published is not a checkpoint of this log.
            StoreDownError: It cannot be read now.
        """
        key = ring.verifiers(self.origin)[-1]
        data = self._store.read(CHECKPOINT)
        if data is None:
            return LogState(key, 0, EMPTY_ROOT, None)
        opened = self._open(ring, data)
        own = ring.cosigner_verifiers(self.origin)[-1]
        times = (cosigned_at(each.signature) for each in opened.by_cosigners if each.key == own)
        return LogState(key, opened.checkpoint.size, opened.checkpoint.root, max(times, default=None))

    def published(self, ring: KeyRing) -> PublishedCheckpoint | None:
        """Return the published checkpoint, None before the first; see `state` for what is raised."""
        data = self._store.read(CHECKPOINT)
        return None if data is None else self._described(ring, data)

    def _open(self, ring: KeyRing, data: bytes) -> OpenedCheckpoint:
        """Return a checkpoint once it is verified; the same one again at no cost."""
        if self._opened is None or self._opened[:2] != (ring, data):
            cosigners = (ring.cosigner_verifiers(self.origin)[-1], *self._panel.keys)
            opened = open_checkpoint(data, *ring.verifiers(self.origin), cosigners=cosigners)
            self._opened = ring, data, opened
        return self._opened[2]

    def _round(
        self,
        ring: KeyRing,
        end: int | None,
        endorser: Endorser,
        published: Callable[[PublishedCheckpoint, int], object],
        stopping: Callable[[], bool],
    ) -> LogState:
        key, former_keys = ring.signer(self.origin), ring.verifiers(self.origin)[:-1]
        place = (self._store, key, self._memory)

        def tell(sealed: Sealed | None) -> bool:
            if sealed is not None:
                published(self._described(ring, sealed.checkpoint), sealed.former_size)
            return sealed is not None

        def seal(end: int, *, look_anyway: bool) -> None:
            tell(publish_signed(*place, former_keys=former_keys, endorse=endorser))
            # `end` may lag: where the log is looked at anyway, its rows are.
            while (look_anyway or end > self.state(ring).size) and not stopping():
                sealed = seal_once(
                    self._source,
                    *place,
                    former_keys=former_keys,
                    most_leaves=_MOST_LEAVES,
                    endorse=endorser,
                )
                if not tell(sealed):
                    return

        def refresh() -> None:
            if self._is_stale(self.state(ring)):
                tell(publish_again(*place, former_keys=former_keys, endorse=endorser))

        try:
            if end is not None:
                seal(end, look_anyway=self._is_stale(self.state(ring)))
        except AuditStreamError:
            # Where witnesses are away, their older cosignatures stay and the log's own is fresh.
            with suppress(AuditStreamError):
                refresh()
            raise
        refresh()
        state = self.state(ring)
        if end is not None:
            self._check_not_cut(state.size, end)
        return state

    def _is_stale(self, state: LogState) -> bool:
        """Return whether it is time to state the time again; also when the clock was put back."""
        if state.size == 0:
            return False
        age_s = None if state.stated_s is None else self._clock.now_s() - state.stated_s
        return age_s is None or not -1 <= age_s < self._fresh_s

    def _check_not_cut(self, size: int, end: int) -> None:
        if end < size and not len(self._source.read(size - 1, 1)):
            raise StoreBehindError(f"size {size} of {self.origin} is published, the store ends at {end}")

    def _signed_size(self) -> int:
        data = self._memory.read()
        return 0 if data is None else parse_head(data).size

    def _described(self, ring: KeyRing, data: bytes) -> PublishedCheckpoint:
        opened = self._open(ring, data)
        witnesses = set(self._panel.keys)
        return PublishedCheckpoint(
            origin=self.origin,
            log_id=self.log_id,
            size=opened.checkpoint.size,
            root=opened.checkpoint.root,
            note=data,
            signed_at=datetime.fromtimestamp(self._clock.now_s(), UTC),
            witnesses=tuple(each.key.name for each in opened.by_cosigners if each.key in witnesses),
        )
