"""Running a worker application as a process of its own."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import faust
from aiokafka.errors import KafkaConnectionError

from auditstream.core.errors import FatalError, RetryableError
from streams.transport.app import BatchApp


class PromptWorker(faust.Worker):
    """Faust's worker without the second that it waits for nothing when all is stopped."""

    async def _sentinel_task(self) -> None:
        await asyncio.sleep(0)


def run_until_stopped(app: BatchApp) -> None:
    """Run the application in the foreground until SIGTERM or SIGINT, then drain and return.

    Raises:
        RetryableError: No broker answers at the start.
        BaseException: What made the application crash, for example an `InvariantError`.
    """
    Path(app.conf.datadir).mkdir(parents=True, exist_ok=True)
    # Logging is configured by the process, not by Faust.
    worker = PromptWorker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    # Segments are tens of thousands of small objects at once: the default of 700 would collect all the time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    worker.spinner = None  # a spinner in a service's log helps nobody
    failure: BaseException | None = None
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        # Faust prints what went wrong and turns it into an exit code; the error itself is the context.
        failure = end.__context__ if end.code else None
        if end.code and failure is None:
            failure = FatalError(f"the worker ended with exit code {end.code}")
    failure = worker.crash_reason or failure
    if isinstance(failure, KafkaConnectionError):
        brokers = ", ".join(str(url) for url in app.conf.broker)
        raise RetryableError(f"no Kafka broker answers at {brokers}") from failure
    if failure is not None:
        raise failure
