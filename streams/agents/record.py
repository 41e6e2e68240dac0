"""The record agent: every fetched slab goes to its partition's lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditstream.core.logs import get_logger

if TYPE_CHECKING:
    from streams.transport.app import LaneApp

log = get_logger(__name__)


def add_record_agent(app: LaneApp, *topics: str) -> None:
    """Declare the agent that records `topics`.

    Nothing may escape it: Faust acknowledges a slab whatever its agent raises, so an error here stops the
    worker, and the slab is fetched again.
    """

    @app.agent(app.slab_topic(*topics), name="record")
    async def record(stream: Any) -> None:
        async for event in stream.events():
            try:
                app.lanes.put(event.value)
            except Exception as error:
                log.exception("slab_refused", offset=event.message.offset)
                await app.crash(error)
