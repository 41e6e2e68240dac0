"""Jobs: what takes longer than a request, done one after the other, with how far it is and what it came to.

Each is a file, so that a job that a process left behind is still told of: as one that was broken off. Threads
begin with the first job and not before.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from auditstream.access.principal import Principal
from auditstream.core.clock import Clock
from auditstream.core.errors import AuditStreamError, NotFoundError, RequestError
from auditstream.core.ids import uuid7
from auditstream.core.logs import get_logger

log = get_logger(__name__)

State = Literal["waiting", "running", "done", "failed", "broken_off"]
Outcome = Mapping[str, Any]
"""What a job came to: data that JSON has."""

Advance = Callable[[int, int], object]
"""Told how much is done, and how much there is."""

Work = Callable[["Job", Advance], Outcome]

_ID = re.compile(r"[0-9a-f-]{36}")
_UNDER_WAY: frozenset[State] = frozenset({"waiting", "running"})
_MOST_WAITING = 20
"""Jobs that may wait: a person asks for one after the other, and does not wait for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as it stands.

    Attributes:
        id: Its id, a UUID by time.
        kind: What it does.
        asked: What was asked for, by name.
        owner: Id of who asked for it.
        owner_name: Their name.
        begun_at: When they asked.
        state: How it stands; `broken_off` when its process ended before it.
        done: How much is done.
        total: How much there is; 0 before that is known.
        outcome: What it came to.
        problem: Why it failed.
        ended_at: When it ended.
    """

    id: str
    kind: str
    asked: Mapping[str, str]
    owner: str
    owner_name: str
    begun_at: datetime
    state: State = "waiting"
    done: int = 0
    total: int = 0
    outcome: Outcome = field(default_factory=dict)
    problem: str = ""
    ended_at: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether it is not over."""
        return self.state in _UNDER_WAY


class Jobs:
    """Does jobs; any thread may ask.

    Args:
        folder: Where jobs are kept; None forgets them with the process.
        clock: Tells the time.
    """

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._guard = threading.Lock()
        self._jobs: dict[str, Job] | None = None
        self._queue: SimpleQueue[tuple[str, Work] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(
        self, kind: str, who: Principal, asked: Mapping[str, str], work: Work, *, alone: bool = False
    ) -> Job:
        """Return a job that is about to be done.

        Args:
            kind: What it does.
            who: Who asked for it.
            asked: What for, by name.
            work: Does it; gets the job, and what to tell of progress.
            alone: Whether there may be only one of its kind at a time.

        Raises:
            RequestError: There is one already, or too many wait.
        """
        now = self._now()
        job = Job(
            id=str(uuid7(int(now.timestamp() * 1000), os.urandom(10))),
            kind=kind,
            asked=dict(asked),
            owner=who.id,
            owner_name=who.name,
            begun_at=now,
        )
        with self._guard:
            under_way = [each for each in self._known().values() if each.is_under_way]
            if alone and any(each.kind == kind for each in under_way):
                raise RequestError(
                    f"{kind}: one is under way", hint="Wait for it; its page shows how far it is."
                )
            if len(under_way) >= _MOST_WAITING:
                raise RequestError(
                    f"{len(under_way)} jobs wait already", hint="Ask again when some are done."
                )
            self._keep(job)
            self._queue.put((job.id, work))
            if self._thread is None:
                # One: each job reads the whole store, and what people ask meanwhile goes before. A daemon:
                # a process that ends does not wait for a job, which its file then tells of.
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
        return job

    def of(self, kind: str, owner: str = "") -> list[Job]:
        """Return the jobs of a kind, the newest first; of one owner where one is named."""
        with self._guard:
            found = [each for each in self._known().values() if each.kind == kind]
        theirs = [each for each in reversed(found) if owner in {"", each.owner}]
        return sorted(theirs, key=lambda each: each.begun_at, reverse=True)

    def named(self, kind: str, id_: str) -> Job:
        """Return a job as it stands.

        Raises:
            NotFoundError: There is no such job of the kind.
        """
        with self._guard:
            found = self._known().get(id_)
        if found is None or found.kind != kind:
            raise NotFoundError(f"job {id_[:40]}: is not known")
        return found

    def close(self) -> None:
        """Begin no more, and return; what is under way ends with the process."""
        self._queue.put(None)

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None:
            self._do(*wanted)

    def _do(self, id_: str, work: Work) -> None:
        self._change(id_, state="running")
        try:
            outcome = work(self._jobs_now()[id_], lambda done, total: self._advance(id_, done, total))
        except AuditStreamError as error:
            said = f"{error.message}. {error.hint}".strip()
            self._change(id_, state="failed", problem=said, ended_at=self._now())
        except Exception:  # the job is over, and says so; the log has the rest
            log.exception("job_broken", job=id_)
            said = "The server met an error that it did not expect; its log has the details."
            self._change(id_, state="failed", problem=said, ended_at=self._now())
        else:
            self._change(id_, state="done", outcome=dict(outcome), ended_at=self._now())

    def _advance(self, id_: str, done: int, total: int) -> None:
        """Remember how far a job is; the file need not know."""
        with self._guard:
            known = self._known()
            known[id_] = replace(known[id_], done=done, total=total)

    def _change(self, id_: str, **changes: Any) -> None:
        with self._guard:
            self._keep(replace(self._known()[id_], **changes))

    def _jobs_now(self) -> dict[str, Job]:
        with self._guard:
            return dict(self._known())

    def _known(self) -> dict[str, Job]:
        """Return all jobs; reads those of earlier processes at first. The guard is held."""
        if self._jobs is None:
            self._jobs = {}
            for path in sorted(self._folder.glob("*.json")) if self._folder else ():
                job = _read(path)
                if job is not None:
                    self._jobs[job.id] = replace(job, state="broken_off") if job.is_under_way else job
        return self._jobs

    def _keep(self, job: Job) -> None:
        """Remember a job. The guard is held."""
        self._known()[job.id] = job
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._folder / f".{job.id}"
        temporary.write_text(json.dumps(asdict(job), default=datetime.isoformat), encoding="utf-8")
        temporary.rename(self._folder / f"{job.id}.json")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_s(), UTC)


def _read(path: Path) -> Job | None:
    """Return the job of a file, None where it is not one: a process that was killed may leave half."""
    if not _ID.fullmatch(path.stem):
        return None
    try:
        datum = json.loads(path.read_text(encoding="utf-8"))
        for name in ("begun_at", "ended_at"):
            datum[name] = datetime.fromisoformat(datum[name]) if datum[name] else None
        return Job(**datum)
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("job_unreadable", path=str(path))
        return None
