"""The sealer as a service: rounds over all logs, the list of them, rows for the store, and troubles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import NamedTuple

from auditstream.core.clock import Clock
from auditstream.core.errors import AuditStreamError, FatalError, RetryableError, VerificationError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.ports import PublishedCheckpoint
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.leaves import MissingLeafError
from auditstream.ledger.log_list import ListedLog, LogList
from auditstream.sealer.key_file import KeyRing
from auditstream.sealer.leaf_source import LeafSource
from auditstream.sealer.listing import Listing
from auditstream.sealer.log_sealer import LogSealer, LogState
from auditstream.sealer.places import Place, checked_log_id
from auditstream.sealer.record import CheckpointRows, RecordedLogs
from auditstream.sealer.sealing import StoreBehindError
from auditstream.sealer.witness_panel import WitnessPanel

_log = get_logger(__name__)
_AT_ONCE = 4  # logs sealed at the same time: each holds up to 100 MB, and they share one store
_MOST_WAITING_ROWS = 10_000
# How long rows may be missing before that is taken for a removal: a replica that lags fetches in seconds.
_LAG_S = 60.0


class Cadence(NamedTuple):
    """How often.

    Attributes:
        every_s: Seconds from the start of a round to that of the next.
        fresh_s: Longest age of what states a time.
    """

    every_s: float
    fresh_s: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """A log, or what concerns all of them, that could not be brought up to date.

    Attributes:
        log_id: The log; empty for what concerns all.
        error: Why.
        is_refusal: Whether evidence and rows contradict each other, so that somebody must look; otherwise
            the next round may go through.
    """

    log_id: str
    error: AuditStreamError
    is_refusal: bool


@dataclass(slots=True)
class Round:
    """What a round did.

    Attributes:
        states: By log, what is published.
        published: Checkpoints that were published, in order.
        leaves: Leaves that came under a checkpoint.
        troubles: What went wrong.
    """

    states: dict[str, LogState] = field(default_factory=dict)
    published: list[PublishedCheckpoint] = field(default_factory=list)
    leaves: int = 0
    troubles: list[Trouble] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SealerParts:
    """What a sealer works with.

    Attributes:
        logs: Which logs have rows.
        leaves: Returns the recorded leaves of a log.
        rows: The table of checkpoints.
        place: Where evidence is published.
        memory: Where it is remembered what was signed.
        keys: Loads the keys; called in each round, so that a rotation needs no restart.
        panel: The witnesses.
        clock: What times are stated.
        metrics: Where it is counted.
    """

    logs: RecordedLogs
    leaves: Callable[[str], LeafSource]
    rows: CheckpointRows
    place: Place
    memory: Place
    keys: Callable[[], KeyRing]
    panel: WitnessPanel
    clock: Clock
    metrics: Metrics


class Sealer:
    """Keeps all logs of a deployment sealed.

    Args:
        parts: What it works with.
        deployment: `<host>/<deployment>`.
        cadence: How often.
        on_trouble: Is told of each trouble, in each round that has it.
        monotonic_s: Seconds that only grow.
    """

    def __init__(
        self,
        parts: SealerParts,
        deployment: str,
        cadence: Cadence,
        *,
        on_trouble: Callable[[Trouble], object] = lambda trouble: None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parts = parts
        self._deployment = deployment
        self._cadence = cadence
        self._on_trouble = on_trouble
        self._monotonic_s = monotonic_s
        self._listing = Listing(parts.place, deployment, parts.clock, cadence.fresh_s)
        self._sealers: dict[str, LogSealer] = {}
        self._rows = _WaitingRows(parts.rows)
        self._lags: dict[str, float] = {}  # by log, since when rows are missing
        self._told: dict[tuple[str, str], str] = {}  # by log and code, what was logged last
        self._stopping = Event()

    def stop(self) -> None:
        """End the round under way soon, and start no other; may be called from a signal handler."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop` is called."""
        while not self._stopping.is_set():
            started_s = self._monotonic_s()
            self.round()
            took_s = self._monotonic_s() - started_s
            self._stopping.wait(max(0.0, self._cadence.every_s - took_s))

    def round(self) -> Round:
        """Bring every log up to date, and tell what happened; raises nothing that a later round may mend."""
        done = Round()
        ring: KeyRing | None = None
        self._parts.panel.new_round()
        try:
            ring = self._parts.keys()
            ends = self._ends(done)
            listed = self._listing.published(ring)
            self._open(ends or {}, listed)
            self._listing.add_keys(self._keys(ring))
            self._update_list(ring, done)
            self._seal_all(ring, ends, done)
            self._update_list(ring, done)
        except AuditStreamError as error:
            self._trouble(done, "", error)
        try:
            self._rows.flush(self._sealers.values(), ring)
        except AuditStreamError as error:
            self._trouble(done, "", error)
        self._tell(done)
        return done

    def _ends(self, done: Round) -> dict[str, int] | None:
        """Return the logs that have rows and can be logs, with their ends; None when the store is away."""
        try:
            ends = dict(self._parts.logs.ends())
        except RetryableError as error:
            self._trouble(done, "", error)
            return None
        for log_id in list(ends):
            try:
                checked_log_id(log_id)
            except VerificationError as error:
                self._trouble(done, log_id, error)
                del ends[log_id]
        return ends

    def _open(self, ends: Mapping[str, int], listed: LogList | None) -> None:
        """Take every log into care that has rows, or had them."""
        prefix = f"{self._deployment}/"
        before = [log.origin.removeprefix(prefix) for log in (listed.logs if listed is not None else ())]
        for log_id in (*before, *ends):
            if log_id not in self._sealers:
                self._sealers[log_id] = LogSealer(
                    checked_log_id(log_id),
                    prefix + log_id,
                    store=self._parts.place.store(log_id),
                    memory=self._parts.memory.register(f"{log_id}/signed"),
                    source=self._parts.leaves(log_id),
                    panel=self._parts.panel,
                    clock=self._parts.clock,
                    fresh_s=self._cadence.fresh_s,
                )

    def _keys(self, ring: KeyRing) -> Iterable[VerifierKey]:
        yield from ring.verifiers(self._deployment)
        for sealer in self._sealers.values():
            yield from ring.verifiers(sealer.origin)
            yield from ring.cosigner_verifiers(sealer.origin)
        yield from self._parts.panel.keys

    def _update_list(self, ring: KeyRing, done: Round) -> None:
        """Publish the list: before sealing for the sake of witnesses, who learn of logs by it, and after."""
        for rolled_back in self._listing.update(ring, lambda: self._listed(ring)):
            self._trouble(done, "", rolled_back)

    def _listed(self, ring: KeyRing) -> Iterable[ListedLog]:
        for sealer in self._sealers.values():
            try:
                state = sealer.state(ring)
            except VerificationError:
                continue  # told of by the log's own round; the list keeps what it says
            yield ListedLog(state.key, state.size, state.root)

    def _seal_all(self, ring: KeyRing, ends: Mapping[str, int] | None, done: Round) -> None:
        lock = Lock()

        def seal(sealer: LogSealer) -> None:
            def published(checkpoint: PublishedCheckpoint, former_size: int) -> None:
                with lock:
                    done.published.append(checkpoint)
                    done.leaves += checkpoint.size - former_size
                self._rows.add(checkpoint)
                self._count(sealer.log_id, checkpoint.size - former_size)

            def trouble(error: AuditStreamError) -> None:
                with lock:
                    self._trouble(done, sealer.log_id, error)

            if self._stopping.is_set():
                return
            state: LogState | None
            try:
                state = sealer.round(
                    ring,
                    None if ends is None else ends.get(sealer.log_id, 0),
                    published=published,
                    contradicted=trouble,
                    stopping=self._stopping.is_set,
                )
            except AuditStreamError as error:
                trouble(error)
                state = self._state_after_trouble(sealer, ring)
            if state is not None:
                with lock:
                    done.states[sealer.log_id] = state

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="seal") as threads:
            list(threads.map(seal, self._sealers.values()))

    def _state_after_trouble(self, sealer: LogSealer, ring: KeyRing) -> LogState | None:
        try:
            return sealer.state(ring)
        except AuditStreamError:
            return None

    def _trouble(self, done: Round, log_id: str, error: AuditStreamError) -> None:
        if any(each.error is error for each in done.troubles):
            return
        is_refusal = isinstance(error, VerificationError | FatalError)
        if isinstance(error, StoreBehindError | MissingLeafError):
            since_s = self._lags.setdefault(log_id, self._monotonic_s())
            is_refusal = self._monotonic_s() - since_s >= _LAG_S
        done.troubles.append(Trouble(log_id, error, is_refusal))

    def _count(self, log_id: str, leaves: int) -> None:
        topic, partition, _ = log_id.split("/")
        self._parts.metrics.count("auditstream_sealed_leaves_total", leaves, topic=topic, partition=partition)
        self._parts.metrics.count("auditstream_checkpoints_total", topic=topic, partition=partition)

    def _tell(self, done: Round) -> None:
        metrics = self._parts.metrics
        metrics.count("auditstream_seal_rounds_total")
        for log_id, state in done.states.items():
            topic, partition, _ = log_id.split("/")
            labels = {"topic": topic, "partition": partition}
            metrics.set("auditstream_sealed_size", state.size, **labels)
            metrics.set("auditstream_checkpoint_time_seconds", state.stated_s or 0, **labels)
        troubled = {trouble.log_id for trouble in done.troubles}
        for log_id, code in [(log_id, code) for log_id, code in self._told if log_id not in troubled]:
            del self._told[log_id, code]
            _log.info("sealing_goes_on", log=log_id, code=code)
        for log_id in [log_id for log_id in self._lags if log_id not in troubled]:
            del self._lags[log_id]
        for trouble in done.troubles:
            metrics.count("auditstream_seal_failures_total", reason=trouble.error.code)
            self._say(trouble)
            self._on_trouble(trouble)

    def _say(self, trouble: Trouble) -> None:
        """Log a trouble when it begins or changes, and not in each round that still has it."""
        error = trouble.error
        words = f"{trouble.is_refusal} {error.message}"
        if self._told.get((trouble.log_id, error.code)) == words:
            return
        self._told[trouble.log_id, error.code] = words
        say = _log.error if trouble.is_refusal else _log.warning
        event = "log_refused" if trouble.is_refusal else "log_not_sealed"
        say(event, log=trouble.log_id, code=error.code, reason=error.message, hint=error.hint)


class _WaitingRows:
    """Rows for the table of checkpoints, kept until the store takes them."""

    def __init__(self, table: CheckpointRows) -> None:
        self._table = table
        self._waiting: list[PublishedCheckpoint] = []
        self._lock = Lock()
        self._knows_former = False

    def add(self, checkpoint: PublishedCheckpoint) -> None:
        with self._lock:
            self._waiting.append(checkpoint)
            del self._waiting[:-_MOST_WAITING_ROWS]

    def flush(self, sealers: Iterable[LogSealer], ring: KeyRing | None) -> None:
        """Insert what waits; the first time also what an earlier process published and did not insert."""
        if ring is not None and not self._knows_former:
            self._add_former(sealers, ring)
        with self._lock:
            rows = list(self._waiting)
        if not rows:
            return
        self._table.add(rows)
        with self._lock:
            self._waiting = [row for row in self._waiting if row not in rows]

    def _add_former(self, sealers: Iterable[LogSealer], ring: KeyRing) -> None:
        sizes = self._table.sizes()
        with self._lock:
            known = {row.log_id: row.size for row in self._waiting}
        for sealer in sealers:
            try:
                published = sealer.published(ring)
            except VerificationError:
                continue
            if published is None:
                continue
            if published.size > max(sizes.get(sealer.log_id, 0), known.get(sealer.log_id, 0)):
                self.add(published)
        self._knows_former = True
