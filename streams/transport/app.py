"""A Faust application whose batch topics deliver slabs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, cast

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from auditstream.core.ports import LogId, Slab
from streams.lane import Lane
from streams.lanes import Lanes
from streams.transport.consumer import BatchConsumer
from streams.transport.lane_consumer import LaneConsumer
from streams.transport.tables import NoTables


class SlabSchema(faust.Schema[None, Slab]):
    """Hands the slab to the agent as it is."""

    def compile(
        self,
        app: Any,
        *,
        on_key_decode_error: Any = None,
        on_value_decode_error: Any = None,
        default_propagate: bool = False,
    ) -> Callable[..., Any]:
        """Return the coroutine that makes a stream event of a message."""

        async def decode(message: Any, *, propagate: bool = default_propagate) -> Any:
            return app.create_event(None, message.value, message.headers, message)

        return decode


class BatchTransport(driver.Transport):
    """aiokafka's transport with a consumer that delivers slabs."""

    Consumer: ClassVar[type[BatchConsumer]] = BatchConsumer


class LaneTransport(driver.Transport):
    """aiokafka's transport with a consumer that leaves commits to lanes."""

    Consumer: ClassVar[type[BatchConsumer]] = LaneConsumer


class BatchApp(faust.App):
    """A Faust application; agents of `batch_topics` receive slabs, at least once.

    Attributes:
        batch_topics: Topics that deliver slabs; others go the stock way.
    """

    transport_class: ClassVar[type[driver.Transport]] = BatchTransport

    def __init__(self, *args: Any, batch_topics: Iterable[str], **kwargs: Any) -> None:
        self.batch_topics = frozenset(batch_topics)
        super().__init__(*args, TableManager=NoTables, **kwargs)

    def _new_transport(self) -> driver.Transport:
        return self.transport_class(self.conf.broker_consumer, self)

    def slab_topic(self, *names: str) -> Any:
        """Return Faust's topic for batch topics."""
        return self.topic(*names, schema=SlabSchema(), internal=False)


class LaneApp(BatchApp):
    """A Faust application whose batch topics are recorded exactly once, by lanes.

    Attributes:
        lanes: Set by whoever wires the application, before it starts.
        epochs: Returns the epoch of each topic; blocks.
        quiet_s: How long every earlier owner's lease must be left to run out where no plan is committed.
    """

    transport_class: ClassVar[type[driver.Transport]] = LaneTransport

    lanes: Lanes
    epochs: Callable[[Iterable[str]], dict[str, str]]
    quiet_s: float


class ConsumerLink:
    """What lanes ask of the consumer: `lane_services.Committer` and `lane_services.Flow`."""

    def __init__(self, app: LaneApp) -> None:
        self._app = app

    @property
    def _consumer(self) -> LaneConsumer:
        return cast("LaneConsumer", self._app.consumer)

    async def commit(self, lane: Lane) -> None:
        """Commit a lane's state."""
        await self._consumer.commit_lane(lane)

    async def rejoin(self) -> None:
        """Leave the group and join it anew."""
        await self._consumer.rejoin()

    def full(self, log: LogId) -> None:
        """Stop fetching a partition."""
        self._consumer.on_buffer_full(TP(log.topic, log.partition))

    def drained(self, log: LogId) -> None:
        """Fetch a partition again."""
        self._consumer.on_buffer_drop(TP(log.topic, log.partition))
