"""Repeating what is refused for now: growing pauses with jitter, for as long as the lane lives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from streams.lane_services import Fenced

log = get_logger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_S = 0.1
# Longest pause between two attempts at a store or registry that refuses.
_MAX_PAUSE_S = 2.0


async def patiently(
    what: str, attempt: Callable[[], Awaitable[T]], *, alive: Callable[[], bool], metrics: Metrics
) -> T:
    """Repeat `attempt` until it is not refused for now, and return what it returns.

    An insert that was repeated may still be on its way: every attempt carries the same token.

    Raises:
        Fenced: `alive` says no.
    """
    pause = _FIRST_PAUSE_S
    while True:
        if not alive():
            raise Fenced("abandoned on revoke")
        try:
            return await attempt()
        except RetryableError as refusal:
            metrics.count("auditstream_insert_retries_total", reason=refusal.code)
            log.warning("attempt_refused", what=what, error=str(refusal)[:300])
            wait = max(refusal.retry_after_s or 0.0, pause * random.uniform(0.5, 1.5))  # noqa: S311  jitter
            pause = min(_MAX_PAUSE_S, pause * 2)
            await asyncio.sleep(wait)
