"""The whole check: which logs there are, each log's leaves up to its root, and what was seen before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from auditstream.core.errors import NotFoundError, VerificationError
from auditstream.evidence.derived import DeepCheck
from auditstream.evidence.exported_leaves import ExportedLeaves
from auditstream.evidence.findings import Finding, Report
from auditstream.evidence.listing import Listing, PublishedLog, Trust, missing_origins, read_listing
from auditstream.evidence.log_check import CheckedRange, Leaves, LogCheck
from auditstream.evidence.progress_file import ProgressFile
from auditstream.evidence.published import LISTING, Published
from auditstream.evidence.rounds import MOST_LOGS, Digests, check_rounds, rounds
from auditstream.evidence.seen import Seen
from auditstream.evidence.statements import statement_findings
from auditstream.evidence.stored_rows import StoredRows
from auditstream.evidence.tree_files import TreeFiles
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.log_list import parse_log_list
from auditstream.ledger.notes import parse_note
from auditstream.ledger.tile_reader import HashReader
from auditstream.query.leaf_tiles import LogTiles

Advance = Callable[[int, int], object]
"""Told of progress: leaves checked so far, and leaves in all."""

_LIST_PATIENCE_S = 5.0
_LIST_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Scope:
    """What is checked, and how.

    Attributes:
        logs: Origins or log ids; all when empty.
        threads: How many work at once; of those that check tiles, all but one wait for the store.
        resume: Whether to take up where a run for the same checkpoint was broken off.
    """

    logs: tuple[str, ...] = ()
    threads: int = 2
    resume: bool = False

    def includes(self, log: PublishedLog) -> bool:
        """Return whether a log is to be checked."""
        return not self.logs or log.origin in self.logs or log.log_id in self.logs


class Verification:
    """One run.

    Args:
        published: What was published.
        trust: What is believed beforehand.
        seen: What was seen before; None remembers nothing.
        scope: What is checked.
    """

    def __init__(self, published: Published, trust: Trust, seen: Seen | None, scope: Scope) -> None:
        self._published = published
        self._trust = trust
        self._seen = seen
        self._scope = scope
        self.report = Report()
        self.listing: Listing
        self._sound: set[str] = set()  # origins of logs that hold
        self._done = 0
        self._total = 0

    def against_rows(self, rows: StoredRows, advance: Advance, deep: DeepCheck | None = None) -> Report:
        """Check the logs against the rows of a store, and the rows that are in no log.

        Args:
            rows: The rows.
            advance: Told of progress.
            deep: Makes rows anew from their values; None leaves what was derived alone.
        """
        self._list(patient=True)
        chosen = self._chosen()
        rows.survey(chosen, others=not self._scope.logs)
        self._logs(
            [self._run(log, rows.leaves(log), partial(rows.findings, log)) for log in chosen],
            rows.digests,
            advance,
        )
        self._statements(chosen)
        if not self._scope.logs:
            self.report.add(rows.unknown_logs(self.listing))
            self.report.add(rows.changed_definitions())
        if deep is not None:
            self._derived(deep, rows, chosen, advance)
        self.report.remarks += sorted(rows.remarks)
        self._remember_list()
        return self.report

    def against_values(self, bundle: Path, advance: Advance) -> Report:
        """Check the logs against the values of an exported bundle."""
        self._list(patient=False)
        chosen = self._chosen()
        values = {log.log_id: ExportedLeaves(bundle, self._files(log)) for log in chosen}
        self._logs(
            [
                self._run(log, values[log.log_id], partial(_damaged, log, values[log.log_id]))
                for log in chosen
            ],
            lambda asked: [values[each.log_id].digests(each.first_tile, each.tiles) for each in asked],
            advance,
        )
        self._statements(chosen)
        self._remember_list()
        return self.report

    def _statements(self, chosen: Sequence[PublishedLog]) -> None:
        """Check what was stated about days, where the logs themselves hold."""
        keys = self._trust.vkeys.signers(self.listing.deployment)
        sound = [log for log in chosen if log.origin in self._sound]
        self.report.add(statement_findings(self._published, keys, sound))

    def _derived(
        self, deep: DeepCheck, rows: StoredRows, chosen: Sequence[PublishedLog], advance: Advance
    ) -> None:
        """Check what was derived from values: columns, and the tables that are summed up from them."""
        self._total += sum(log.opened.checkpoint.size for log in chosen)

        def done(count: int) -> None:
            self._done += count
            advance(self._done, self._total)

        self.report.add(deep.findings(chosen, self._scope.threads, done))
        if not self._scope.logs:
            self.report.add(rows.wrong_rollups())

    def _list(self, *, patient: bool) -> None:
        """Read the list; where a sealer is at work, a log may be there a moment before it is listed."""
        deadline = time.monotonic() + _LIST_PATIENCE_S
        self.listing = read_listing(self._published, self._trust)
        while patient and _is_early(self.listing) and time.monotonic() < deadline:
            time.sleep(_LIST_EVERY_S)
            self.listing = read_listing(self._published, self._trust)
        self.report.add(each for each in self.listing.findings if self._concerns(each))

    def _concerns(self, finding: Finding) -> bool:
        """Return whether a finding is about the logs that were asked for, or about all of them."""
        log_id = finding.log.removeprefix(f"{self.listing.deployment}/")
        return (
            not self._scope.logs or log_id == LISTING or {finding.log, log_id} & {*self._scope.logs} != set()
        )

    def _chosen(self) -> list[PublishedLog]:
        chosen = [log for log in self.listing.logs if self._scope.includes(log)]
        named = {name for log in chosen for name in (log.origin, log.log_id)}
        unknown = [name for name in self._scope.logs if name not in named]
        if unknown and self.report.holds:
            raise NotFoundError(
                f"no log {unknown[0]!r} is published", hint="`auditstream status` names the logs."
            )
        self._total = sum(log.opened.checkpoint.size for log in chosen)
        return chosen

    def _files(self, log: PublishedLog) -> TreeFiles:
        return TreeFiles(self._published, log.log_id, log.opened.checkpoint)

    def _run(self, log: PublishedLog, leaves: Leaves, further: Callable[[int], Sequence[Finding]]) -> _LogRun:
        files = self._files(log)
        return _LogRun(log, files, LogCheck(files, leaves), self._state(log, leaves), further)

    def _logs(self, runs: Sequence[_LogRun], digests: Digests, advance: Advance) -> None:
        """Check logs, some at a time; remember the checkpoint of each that holds."""
        for at in range(0, len(runs), MOST_LOGS):
            group = runs[at : at + MOST_LOGS]
            self._ranges(group, digests, advance)
            for run in group:
                self._conclude(run, run.looked_further())

    def _ranges(self, group: Sequence[_LogRun], digests: Digests, advance: Advance) -> None:
        """Check every range of some logs that is not known to hold."""
        ahead = []
        for round_ in rounds([run.tiles for run in group]):
            fresh = []
            for place, tiles in round_:
                known = group[place].known.get((tiles.first_tile, tiles.tiles))
                if known is None:
                    fresh.append((place, tiles))
                else:
                    group[place].checked.append(known)
                    self._advance(known, group[place].files, advance)
            if fresh:
                ahead.append(fresh)

        def done(place: int, checked: CheckedRange) -> None:
            run = group[place]
            if run.state is not None:
                run.state.add(checked)
            run.checked.append(checked)
            self._advance(checked, run.files, advance)

        checks = [run.check for run in group]
        check_rounds(checks, ahead, digests, threads=self._scope.threads, done=done)

    def _conclude(self, run: _LogRun, further: Sequence[Finding]) -> None:
        """Report what a log came to, and what else was found."""
        before, log = self.report.total, run.log
        checked = sorted(run.checked, key=lambda each: each.first_tile)
        for each in checked:
            self.report.add(each.findings)
        self.report.add(run.check.conclusion(checked))
        self.report.add(self._history(log, is_whole=run.check.trunk.is_signed))
        self.report.add(further)
        self.report.logs += 1
        self.report.leaves += run.files.shape.size
        if run.state is not None:
            run.state.remove()
        if self.report.total == before:
            self._sound.add(log.origin)
            if self._seen is not None:
                self._seen.keep(f"{log.origin}/checkpoint", log.data)

    def _advance(self, checked: CheckedRange, files: TreeFiles, advance: Advance) -> None:
        last = checked.first_tile + checked.tiles - 1
        self._done += (checked.tiles - 1) * 256 + files.shape.width(last)
        advance(self._done, self._total)

    def _state(self, log: PublishedLog, leaves: Leaves) -> ProgressFile | None:
        if self._seen is None:
            return None
        about = f"{type(leaves).__name__} {log.opened.checkpoint.text}"
        return ProgressFile(self._seen.folder / log.origin / "progress", about, resume=self._scope.resume)

    def _history(self, log: PublishedLog, *, is_whole: bool) -> list[Finding]:
        """Return in what a log contradicts the list, and what was seen of it before.

        Args:
            log: The log.
            is_whole: Whether its tiles give the signed root; else an earlier root cannot be told from them.
        """
        found: list[Finding] = []
        if log.listed is not None:
            listed = Checkpoint(log.origin, log.listed.size, log.listed.root)
            found += self._continues(log, listed, "list", "the signed list of logs", is_whole=is_whole)
        former = self._seen.checkpoint(log.origin) if self._seen is not None else None
        if former is not None:
            found += self._continues(
                log, former, "rollback", "the newest checkpoint seen before", is_whole=is_whole
            )
        return found

    def _continues(
        self, log: PublishedLog, former: Checkpoint, what: str, whose: str, *, is_whole: bool
    ) -> list[Finding]:
        now = log.opened.checkpoint
        if former.size > now.size:
            return [Finding(log.origin, what, f"{former.size} leaves or more, as of {whose}", f"{now.size}")]
        if former.size == now.size:
            root = now.root
        elif is_whole:
            read = lambda name: self._published.read(f"{log.log_id}/{name}")  # noqa: E731
            try:
                root = HashReader(now.size, read).root(former.size)
            except VerificationError as error:
                return [Finding(log.origin, what, f"the {former.size} leaves of {whose}", error.message)]
        else:
            return []
        if root == former.root:
            return []
        expected = f"root {former.root.hex()} over the first {former.size} leaves, as of {whose}"
        return [Finding(log.origin, what, expected, f"root {root.hex()}")]

    def _remember_list(self) -> None:
        """Compare the list with the newest one seen, and remember it when everything holds."""
        if self._seen is None or self.listing.listed is None or self.listing.list_bytes is None:
            return
        name = f"{self.listing.deployment}/{LISTING}"
        former = self._seen.read(name)
        if former is not None:
            old = parse_log_list(parse_note(former).text)
            self.report.add(
                Finding(origin, "log_missing", "to be listed, as it was when last seen", "is not listed")
                for origin in missing_origins(old, self.listing.listed)
            )
        if self.report.holds:
            self._seen.keep(name, self.listing.list_bytes)


@dataclass(slots=True)
class _LogRun:
    """One log on its way through the check.

    Attributes:
        log: The log.
        files: Its published files.
        check: The check of its tiles.
        state: Which ranges hold already; None where nothing is remembered.
        further: What else may be wrong, given the number of rows that its leaves were derived from.
        checked: What ranges came to so far.
    """

    log: PublishedLog
    files: TreeFiles
    check: LogCheck
    state: ProgressFile | None
    further: Callable[[int], Sequence[Finding]]
    checked: list[CheckedRange] = field(default_factory=list)

    @property
    def tiles(self) -> LogTiles:
        """All tiles of the log."""
        shape = self.files.shape
        return LogTiles(self.log.log_id, shape.size, 0, shape.tiles)

    def looked_further(self) -> Sequence[Finding]:
        """Return what else is wrong."""
        return self.further(sum(each.rows for each in self.checked))

    @property
    def known(self) -> Mapping[tuple[int, int], CheckedRange]:
        """Ranges that an earlier run found to hold."""
        return self.state.done if self.state is not None else {}


def _damaged(log: PublishedLog, values: ExportedLeaves, _: int) -> list[Finding]:
    return [
        Finding(log.origin, "raw_file", f"{name}: the values of its leaves", why)
        for name, why in sorted(values.damaged.items())
    ]


def _is_early(listing: Listing) -> bool:
    return any(each.what == "unlisted_log" for each in listing.findings)
