"""Jobs: one after the other, told of while they are under way, and after the process that did them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditstream.access.jobs import Advance, Job, Jobs, Outcome
from auditstream.access.principal import Principal
from auditstream.access.roles import Role
from auditstream.core.clock import ManualClock
from auditstream.core.errors import NotFoundError, RequestError, RetryableError

ANN = Principal(id="1", name="ann", role=Role.ADMIN, tenants=None)
BEN = Principal(id="2", name="ben", role=Role.ADMIN, tenants=None)
WITHIN_S = 20


class Worker:
    """Work that waits until it is let go, and says that it has begun and that it is over."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun, self.go, self.over = threading.Event(), threading.Event(), threading.Event()
        self._error = error

    def __call__(self, job: Job, advance: Advance) -> Outcome:
        advance(1, 2)
        self.begun.set()
        assert self.go.wait(WITHIN_S)
        if self._error is not None:
            raise self._error
        return {"rows": 2}


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path, ManualClock(1_800_000_000))
    yield made
    made.close()


def finished(jobs: Jobs, job: Job) -> Job:
    """Return a job once it is over: the next one begins after it."""
    after = Worker()
    after.go.set()
    jobs.begin("after", ANN, {}, after)
    assert after.begun.wait(WITHIN_S)
    return jobs.named(job.kind, job.id)


def test_a_job_is_seen_on_its_way_and_when_it_is_done(jobs: Jobs) -> None:
    work = Worker()
    begun = jobs.begin("export", ANN, {"query": "x"}, work)
    assert work.begun.wait(WITHIN_S)
    seen = jobs.named("export", begun.id)

    work.go.set()
    done = finished(jobs, begun)

    assert (seen.state, seen.done, seen.total) == ("running", 1, 2)
    assert (done.state, done.outcome, done.asked, done.owner_name) == (
        "done", {"rows": 2}, {"query": "x"}, "ann",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RetryableError("the store: no answer", hint="Try."), "the store: no answer. Try."),
        (KeyError("x"), "log has"),
    ],
)
def test_a_job_that_fails_says_why_and_the_next_is_done(jobs: Jobs, error: Exception, said: str) -> None:
    work = Worker(error)
    work.go.set()
    failed = finished(jobs, jobs.begin("export", ANN, {}, work))

    assert failed.state == "failed"
    assert said in failed.problem


def test_only_one_of_a_kind_that_is_alone(jobs: Jobs) -> None:
    work = Worker()
    jobs.begin("verify", ANN, {}, work, alone=True)
    with pytest.raises(RequestError, match="one is under way"):
        jobs.begin("verify", BEN, {}, work, alone=True)
    work.go.set()


def test_jobs_are_told_of_by_owner_and_kind_newest_first(jobs: Jobs) -> None:
    work = Worker()
    work.go.set()
    made = [jobs.begin("export", who, {}, work) for who in (ANN, BEN, ANN)]

    assert [each.id for each in jobs.of("export")] == [each.id for each in reversed(made)]
    assert [each.id for each in jobs.of("export", "2")] == [made[1].id]
    with pytest.raises(NotFoundError):
        jobs.named("verify", made[0].id)


def test_what_a_process_left_behind_is_told_of_as_broken_off(jobs: Jobs, tmp_path: Path) -> None:
    work = Worker()
    begun = jobs.begin("export", ANN, {"query": "x"}, work)
    assert work.begun.wait(WITHIN_S)
    (tmp_path / ".half").write_text("{")
    (tmp_path / "0190a8c0-0000-7000-8000-000000000000.json").write_text('{"id": 1')

    (known,) = Jobs(tmp_path, ManualClock(1_800_000_000)).of("export")

    assert (known.id, known.state, known.asked) == (begun.id, "broken_off", {"query": "x"})
    work.go.set()


def test_no_thread_begins_before_the_first_job(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    Jobs(tmp_path, ManualClock(0)).of("export")

    assert set(threading.enumerate()) <= before
