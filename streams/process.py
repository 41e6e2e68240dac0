"""Running a worker application as a process of its own."""

from __future__ import annotations

import contextlib
from pathlib import Path

import faust

from streams.transport.app import BatchApp


def run_until_stopped(app: BatchApp) -> None:
    """Run the application in the foreground until SIGTERM or SIGINT, then drain and return.

    Raises:
        BaseException: What made the application crash, for example an `InvariantError`.
    """
    Path(app.conf.datadir).mkdir(parents=True, exist_ok=True)
    # Logging is configured by the process, not by Faust.
    worker = faust.Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None  # a spinner in a service's log helps nobody
    with contextlib.suppress(SystemExit):
        worker.execute_from_commandline()
    if worker.crash_reason is not None:
        raise worker.crash_reason
