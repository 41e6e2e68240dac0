"""Faust's table manager for applications without tables: it lets them subscribe as soon as they listen."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from faust.tables import TableManager

if TYPE_CHECKING:
    from streams.transport.app import BatchApp

# Faust waits for so long, whatever is ready, in which nothing is fetched after every restart of a worker.
_MOST_S = 1.0
_LOOK_S = 0.01


class NoTables(TableManager):
    """Opens the subscription when agents listen to all batch topics.

    Faust subscribes once; to a topic that is listened to later it does after 45 seconds.
    """

    async def on_start(self) -> None:
        """Wait for the agents, a second at most, and begin."""
        until = self.loop.time() + _MOST_S
        while not self.should_stop and not self._is_listened_to() and self.loop.time() < until:
            await self.sleep(_LOOK_S)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()

    def _is_listened_to(self) -> bool:
        app = cast("BatchApp", self.app)
        return app.batch_topics <= {name for topic in app.topics for name in topic.topics}
