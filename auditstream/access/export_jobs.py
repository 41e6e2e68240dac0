"""Exports as jobs: asked for, written in the background, fetched by whoever asked, gone after a week."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from auditstream.access.desk import Caller, Desk, Question
from auditstream.access.principal import Principal
from auditstream.access.rates import TooManyRequestsError
from auditstream.core.clock import utc_text
from auditstream.core.errors import AuditStreamError, NotFoundError
from auditstream.core.ids import uuid7
from auditstream.core.logs import get_logger
from auditstream.exports.exporting import MANIFEST, Manifest, Rows, export
from auditstream.exports.forms import form_named
from auditstream.query.event_rows import READ_FROM, EventRows, Plan, Stretch
from auditstream.query.grammar import Term
from auditstream.query.periods import Period, moment
from auditstream.query.scopes import LimitError

log = get_logger(__name__)

KEPT = timedelta(days=7)
"""How long an export lies there: whoever asked comes for it, and copies must not pile up."""

_AT_ONCE = 2
"""Exports that are written at a time; each keeps a core of the store busy."""

_MOST_OPEN = 5
"""Exports of one principal that wait or are written."""

_JOB_FILE = "job.json"
_DATA = "data"

Status = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportWanted:
    """What is to be exported.

    Attributes:
        form: As `parquet`, `csv`, `jsonl`, `ocsf`, `cloudevents`.
        text: The search as it was written.
        terms: The same, read.
        period: Range of event_time.
        tenant: Only this one's.
        purpose: What for; the record of exports keeps it.
    """

    form: str
    text: str = ""
    terms: Sequence[Term] = ()
    period: Period = field(default_factory=Period)
    tenant: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An export and how far it is.

    Attributes:
        export_id: Its id.
        owner: Id of the principal who asked for it.
        requested_by: Their name.
        status: How far it is.
        form: Its form.
        query: The search.
        start: Start of the range of event_time, ISO 8601; empty for none.
        end: Its end.
        tenant: Only this one's; empty for all that the principal sees.
        purpose: What for.
        requested_at: When, ISO 8601.
        finished_at: When it was done or failed; empty before.
        written: Rows written so far.
        rows: Rows that there are; None before they are counted.
        bytes: Bytes of all files, once it is done.
        manifest_sha256: Hash of the manifest, once it is done.
        files: Names of its files, once it is done.
        error: Why it failed.
    """

    export_id: str
    owner: str
    requested_by: str
    status: Status
    form: str
    query: str
    start: str
    end: str
    tenant: str
    purpose: str
    requested_at: str
    finished_at: str = ""
    written: int = 0
    rows: int | None = None
    bytes: int = 0
    manifest_sha256: str = ""
    files: tuple[str, ...] = ()
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it is done or has failed."""
        return self.status in {"done", "failed"}


Record = Callable[[Job], object]
"""Inserts the row of an export into table `exports`."""


@dataclass(frozen=True, slots=True)
class _Bounded:
    """Rows of which there may not be more than a role may export."""

    rows: EventRows
    most: int

    def plan(self, stretch_rows: int) -> Plan:
        plan = self.rows.plan(stretch_rows)
        if plan.rows > self.most:
            raise LimitError(
                f"{plan.rows:,} events: your role exports {self.most:,} at most",
                hint="Export a shorter range, or ask for a role that may export more.",
            )
        return plan

    def batches(
        self, plan: Plan, stretch: Stretch, *, after: str = "", limit: int
    ) -> Iterator[pa.RecordBatch]:
        return self.rows.batches(plan, stretch, after=after, limit=limit)


class ExportJobs:
    """Takes, writes and keeps exports; any thread may use it.

    Args:
        folder: Where they lie.
        desk: Asks the record.
        record: Inserts the row of an export that is done.
    """

    def __init__(self, folder: Path, desk: Desk, record: Record) -> None:
        self._folder = folder
        self._desk = desk
        self._record = record
        self._guard = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="export")
        self._futures: dict[str, Future[None]] = {}

    def start(self) -> None:
        """Find what an earlier process left; what it was at is given up, and says so."""
        for path in self._folder.glob(f"*/{_JOB_FILE}"):
            try:
                job = _read(path)
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.warning("export_unread", path=str(path), error=str(error)[:200])
                continue
            if not job.is_over:
                reason = "the process that wrote it ended; ask for it again"
                job = replace(job, status="failed", error=reason, finished_at=utc_text(self._desk.now))
            self._keep(job)
        self._forget_old()

    def stop(self) -> None:
        """Take no more, and wait for those that are being written; those that wait are given up."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def create(self, who: Principal, wanted: ExportWanted, caller: Caller) -> Job:
        """Take an export, and return it at once.

        Raises:
            RequestError: There is no such form.
            NotAllowedError: The role may not export.
            TooManyRequestsError: There are as many of theirs as there may be.
            AccessNotRecordedError: No event could tell of it.
        """
        form_named(wanted.form)
        self._forget_old()
        job = self._new(who, wanted)
        question = Question(
            f"export {wanted.form}",
            wanted.text,
            READ_FROM,
            wanted.tenant,
            purpose=wanted.purpose,
            destination=f"export {job.export_id}",
            is_whole=True,
            caller=caller,
        )
        reader = self._desk.ask(who, question, may="exports")
        rows = _Bounded(EventRows(reader, wanted.terms, wanted.period), who.limits.export_rows)
        with self._guard:
            theirs = [each for each in self._jobs.values() if each.owner == who.id and not each.is_over]
            if len(theirs) >= _MOST_OPEN:
                raise TooManyRequestsError(
                    f"{len(theirs)} of your exports are not done yet", retry_after_s=10
                )
            self._jobs[job.export_id] = job
        self._keep(job)
        self._futures[job.export_id] = self._pool.submit(self._write, job, rows, who, question)
        return job

    def list(self, who: Principal) -> list[Job]:
        """Return the exports that a principal may see, the newest first: their own, an admin all."""
        who.require("exports")
        self._forget_old()
        with self._guard:
            found = [each for each in self._jobs.values() if _is_for(who, each)]
        return sorted(found, key=lambda each: each.export_id, reverse=True)

    def find(self, who: Principal, export_id: str) -> Job:
        """Return an export.

        Raises:
            NotFoundError: There is none that the principal may see.
        """
        who.require("exports")
        with self._guard:
            job = self._jobs.get(export_id)
        if job is None or not _is_for(who, job):
            raise NotFoundError(
                f"export {export_id}: there is none", hint=f"They are kept for {KEPT.days} days."
            )
        return job

    def file(self, who: Principal, export_id: str, name: str, caller: Caller) -> Path:
        """Return the path of a file of an export that is done, once an event tells that it is fetched.

        Raises:
            NotFoundError: There is no such file, or the export is not done.
            AccessNotRecordedError: No event could tell of it.
        """
        job = self.find(who, export_id)
        if job.status != "done" or name not in job.files:
            raise NotFoundError(f"export {export_id}: has no file {name!r}", hint="Its `files` names them.")
        question = Question("export fetch", f"{export_id}/{name}", purpose=job.purpose, caller=caller)
        self._desk.admit(who, question, may="exports")
        return self._folder / export_id / _DATA / name

    def wait(self, export_id: str, within_s: float) -> None:
        """Return when an export is over; for tests and commands that have nothing else to do."""
        self._futures[export_id].result(within_s)

    def _new(self, who: Principal, wanted: ExportWanted) -> Job:
        start, end = wanted.period.start, wanted.period.end
        return Job(
            export_id=str(uuid7()),
            owner=who.id,
            requested_by=who.name,
            status="waiting",
            form=wanted.form,
            query=wanted.text,
            start=utc_text(start) if start else "",
            end=utc_text(end) if end else "",
            tenant=wanted.tenant,
            purpose=wanted.purpose,
            requested_at=utc_text(self._desk.now),
        )

    def _write(self, job: Job, rows: Rows, who: Principal, question: Question) -> None:
        try:
            job = self._keep(replace(job, status="running"))
            self._export(job, rows, who, question)
        except AuditStreamError as error:
            self._fail(job, error.message)
        except Exception as error:  # noqa: BLE001  the thread outlives whatever it is
            log.error("export_broke", export=job.export_id, error=repr(error)[:500])  # noqa: TRY400
            self._fail(job, "a fault of ours; the log has the reason")

    def _export(self, job: Job, rows: Rows, who: Principal, question: Question) -> None:
        progress = job

        def advance(done: int, total: int) -> None:
            nonlocal progress
            progress = self._keep(replace(progress, written=done, rows=total))

        def record(made: Manifest) -> None:
            nonlocal progress
            files = (MANIFEST, *(str(each["file"]) for each in made.document["files"]))
            progress = replace(
                progress,
                status="done",
                finished_at=utc_text(self._desk.now),
                rows=made.rows,
                written=made.rows,
                bytes=made.size_bytes,
                manifest_sha256=made.sha256,
                files=files,
            )
            self._record(progress)
            self._desk.tell_result(who, question, rows=made.rows, size_bytes=made.size_bytes)

        asked = {
            "query": job.query,
            "from": job.start or None,
            "to": job.end or None,
            "tenants": None if who.tenants is None else " ".join(sorted(who.tenants)),
        }
        out = self._folder / job.export_id / _DATA
        export(rows, form_named(job.form), out, asked, advance=advance, record=record)
        self._keep(progress)

    def _fail(self, job: Job, reason: str) -> None:
        shutil.rmtree(self._folder / job.export_id / f"{_DATA}.partial", ignore_errors=True)
        self._keep(replace(job, status="failed", error=reason, finished_at=utc_text(self._desk.now)))

    def _keep(self, job: Job) -> Job:
        """Remember a job, here and in its folder."""
        with self._guard:
            self._jobs[job.export_id] = job
            folder = self._folder / job.export_id
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            draft = folder / f".{_JOB_FILE}"
            draft.write_text(json.dumps(asdict(job)), encoding="utf-8")
            draft.replace(folder / _JOB_FILE)
        return job

    def _forget_old(self) -> None:
        now = self._desk.now
        with self._guard:
            old = [each for each in self._jobs.values() if each.is_over and _finished(each) + KEPT <= now]
            for each in old:
                shutil.rmtree(self._folder / each.export_id, ignore_errors=True)
                del self._jobs[each.export_id]
                self._futures.pop(each.export_id, None)


def _is_for(who: Principal, job: Job) -> bool:
    """Return whether a principal may see an export: it has what its owner may see, and nobody else may."""
    return job.owner == who.id or (who.may("tokens") and who.tenants is None)


def _finished(job: Job) -> datetime:
    return moment(job.finished_at)


def _read(path: Path) -> Job:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Job(**{**document, "files": tuple(document["files"])})
