"""A process that only detects, with the detector of `usage_logs`; schemas are the packaged ones."""

from __future__ import annotations

import signal
from threading import Event

from auditstream.core import logs
from auditstream.core import settings as core_settings
from auditstream.core.metrics import Metrics
from auditstream.emit.detecting import detecting
from tests.support.fault_worker import PackagedSchemas
from tests.support.usage_logs import Jump


def main() -> None:
    settings = core_settings.load()
    logs.configure(style="json")
    ended = Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    with detecting(settings, Metrics(), PackagedSchemas(), lambda: 0, lambda: [Jump()]):
        ended.wait()


if __name__ == "__main__":
    main()
