"""What an operator must hear, said once and not at every event; never a value of an event."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("auditstream_sdk")


class Notices:
    """Says each thing once until it is over."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def error(self, topic: str, message: str, *values: object) -> None:
        """Log an error, unless the topic was told of."""
        if topic not in self._said:
            self._said.add(topic)
            LOGGER.error(message, *values)

    def warning(self, topic: str, message: str, *values: object) -> None:
        """Log a warning, unless the topic was told of."""
        if topic not in self._said:
            self._said.add(topic)
            LOGGER.warning(message, *values)

    def over(self, topic: str, message: str, *values: object) -> None:
        """Say that what a topic was about is over, if it was told of."""
        if topic in self._said:
            self._said.discard(topic)
            LOGGER.warning(message, *values)
