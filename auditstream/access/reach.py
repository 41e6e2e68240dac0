"""What acts reach beside the record: Kafka's offsets and the way back to it, checks, and what takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

from auditstream.access.evidence_questions import Lags, Verify
from auditstream.access.export_jobs import ExportJobs
from auditstream.access.jobs import Jobs
from auditstream.access.saved_searches import SavedSearches
from auditstream.access.statement_questions import Sign
from auditstream.access.tails import Tails
from auditstream.core.clock import SystemClock
from auditstream.core.errors import NotFoundError, RetryableError
from auditstream.emit.dead_letter_replay import Way
from auditstream.emit.key_facts import Store
from auditstream.evidence.findings import Report
from auditstream.evidence.verification import Advance
from auditstream.ledger.completeness import Completeness
from auditstream.query.lag import PartitionLag

Ways = Callable[[], AbstractContextManager[Way]]
"""Lends a way to Kafka; what fails on it is given up."""


def no_lags() -> list[PartitionLag]:
    """Say that this process does not reach Kafka."""
    raise RetryableError("this process does not reach Kafka", hint="Is it served by `auditstream serve`?")


Facts = Callable[[], AbstractContextManager[Store]]
"""Lends the store of reference data, to be changed."""


@contextmanager
def no_facts() -> Iterator[Store]:
    """Say that this process changes no reference data."""
    raise RetryableError("this process cannot change reference data", hint="Use `auditstream apply`.")
    yield


@contextmanager
def _no_way() -> Iterator[Way]:
    raise RetryableError("this process does not reach Kafka", hint="Use `auditstream dlq replay`.")
    yield


def no_key(_: Completeness) -> bytes:
    """Say that this process signs nothing."""
    raise NotFoundError(
        "this process has no key to sign a statement with",
        hint="Run `auditstream evidence statement --publish` where the sealer is; it is here then.",
    )


def _no_verify(_: Advance) -> Report:
    raise RetryableError("this process cannot check the record", hint="Run `auditstream verify`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What acts reach; a part that a process does not have says so when it is asked.

    Attributes:
        lags: Asks Kafka how far the record is behind it.
        way: Lends a way to Kafka.
        facts: Lends the store of reference data.
        verify: Checks every row against what was signed.
        sign: Signs statements by the deployment's key.
        jobs: Does what takes long.
        searches: Keeps searches.
        exports: Takes exports; None where this process writes none.
        tails: Counts live tails; the API's, where both are served.
    """

    lags: Lags = no_lags
    way: Ways = _no_way
    facts: Facts = no_facts
    verify: Verify = _no_verify
    sign: Sign = no_key
    jobs: Jobs = field(default_factory=lambda: Jobs(None, SystemClock()))
    searches: SavedSearches = field(default_factory=lambda: SavedSearches(None))
    exports: ExportJobs | None = None
    tails: Tails = field(default_factory=Tails)
