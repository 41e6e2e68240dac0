"""Events recorded at one price book and looked at by another, in a store of a test's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from genai_prices.types import ModelInfo

from auditstream.attribution.attributor import DirectoryAttributor
from auditstream.core.clock import ManualClock
from auditstream.core.ports import LogId
from auditstream.pricing.pricer import ReferencePricer
from auditstream.pricing.reference_book import ReferenceBooks
from auditstream.reference.closed_months import ClosedMonths
from auditstream.reference.closures import Closure
from auditstream.reference.fact import Fact
from auditstream.rerating.booking_run import BookingRun, Books, Order
from auditstream.rerating.call_settling import CallSettler
from auditstream.rerating.rating import Rater
from auditstream.rerating.summary import Summary
from sinks.adjustments import AdjustmentTable
from sinks.clients import ClientPool
from sinks.rated_leaves import RatedLeaves, Wanted
from streams.recording.columnar_decoder import ColumnarDecoder
from streams.recording.duplicates import DuplicateMarker
from streams.recording.outlets import Outlets
from streams.recording.recorder import SegmentRecorder, Stages
from streams.recording.same_calls import SameCallMarker
from tests.support.facts import FixedDirectory
from tests.support.fault_worker import PackagedSchemas
from tests.support.price_books import book
from tests.support.recorders import KAFKA, KeptHistory, segment_of
from tests.support.stores import ClickHouseStore

WEEK = datetime(2026, 3, 2, tzinfo=UTC)
LOGS = tuple(LogId("audit.events.v1", partition, "0a1b2c3d") for partition in range(3))
LATER = datetime(2026, 4, 1, tzinfo=UTC)


def reported_call(response_id: str | None = None, *, at: datetime = WEEK, **changes: Any) -> dict[str, Any]:
    """Return the fields of a model call of provider `acme`, 1000 tokens in and 100 out."""
    inference = {
        "operation": "chat",
        "provider": "acme",
        "request_model": changes.pop("model", "small"),
        "response_id": response_id,
    }
    return {
        "event_id": uuid.uuid4(),
        "event_type": "ai.inference",
        "event_time": at,
        "tenant_id": "acme",
        "outcome": "SUCCESS",
        "inference": inference,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        **changes,
    }


@dataclass(slots=True)
class RatedBooks:
    """What is recorded in a store, and what is known now.

    Attributes:
        store: Where.
        models: Price book.
        facts: Reference data by revision.
        revision: Revision in force.
        closures: Closed months.
        clock: Dates adjustments.
    """

    store: ClickHouseStore
    models: Sequence[ModelInfo] = ()
    facts: Mapping[int, Sequence[Fact]] = field(default_factory=dict)
    revision: int = 0
    closures: Sequence[Closure] = ()
    clock: ManualClock = field(default_factory=lambda: ManualClock(LATER.timestamp()))
    _next: dict[LogId, int] = field(default_factory=dict)

    def record(
        self, *events: Mapping[str, Any], log: LogId = LOGS[0], arrived: datetime | None = None
    ) -> None:
        """Record events of a log as one segment, with what is known now."""
        directory, history = FixedDirectory(self.facts), KeptHistory()
        schemas = PackagedSchemas()
        stages = Stages(
            decoder=ColumnarDecoder(schemas),
            attributor=self._attributor(directory),
            pricer=self._pricer(directory),
            marker=DuplicateMarker(history),
            calls=SameCallMarker(history),
        )
        outlets = Outlets(
            schemas,
            dead_letters=KAFKA.dead_letter_topic,
            usage=KAFKA.usage_topic,
            findings=KAFKA.findings_topic,
        )
        lo = self._next.get(log, 0)
        stamp = int((arrived or WEEK).timestamp() * 1000)
        segment = segment_of(
            list(events), log=log, lo=lo, timestamps_ms=[stamp] * len(events), revision=self.revision
        )
        segment = replace(segment, plan=replace(segment.plan, day=date(2026, 3, 2)))
        self.store.insert(SegmentRecorder(stages, outlets).build(segment))
        self._next[log] = lo + len(events)

    def rerate(
        self,
        *,
        before_append: Callable[[], object] = lambda: None,
        checkpoint: Callable[[str], object] = lambda step: None,
        **order: Any,
    ) -> Summary:
        """Book what is known now over what is recorded, an hour later than before."""
        self.clock.advance(3600)
        wanted = Wanted(
            order.pop("start", WEEK - timedelta(days=1)),
            order.pop("end", WEEK + timedelta(days=7)),
            order.pop("provider", ""),
            order.pop("model", ""),
        )
        books = replace(self.books(), before_append=before_append, checkpoint=checkpoint)
        return BookingRun(books, Order(wanted, **{"actor": "ann", **order})).run()

    def settle(self, at: datetime) -> int:
        """Settle the calls of the hours before a time."""
        clients = ClientPool(lambda: self.store.client)
        clock = ManualClock(at.timestamp())
        settler = CallSettler(
            RatedLeaves(clients), AdjustmentTable(clients), lambda: ClosedMonths(self.closures), clock
        )
        return settler.settle()

    def books(self) -> Books:
        """Return what a run works with."""
        clients = ClientPool(lambda: self.store.client)
        directory = FixedDirectory(self.facts)
        rater = Rater(self._attributor(directory), self._pricer(directory), self.revision)
        return Books(
            RatedLeaves(clients), AdjustmentTable(clients), rater, ClosedMonths(self.closures), self.clock
        )

    def _pricer(self, directory: FixedDirectory) -> ReferencePricer:
        return ReferencePricer(ReferenceBooks(directory, book(*self.models)))

    def _attributor(self, directory: FixedDirectory) -> DirectoryAttributor:
        return DirectoryAttributor(directory, claims_are_stamped=False, events_topic=KAFKA.events_topic)
