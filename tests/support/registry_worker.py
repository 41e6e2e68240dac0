"""A worker process that asks a real registry for writer schemas; everything else is as in `fault_worker`."""

from __future__ import annotations

from auditstream.core import logs
from auditstream.core import settings as core_settings
from schemas.schema_thread import start_schema_store
from sinks.clickhouse import connect
from streams.process import run_until_stopped
from streams.recording.assembly import new_recorder
from streams.worker import WorkerParts, new_worker_app
from tests.support.fault_worker import NoFacts


def main() -> None:
    settings = core_settings.load()
    logs.configure(style="json")
    sink = connect(settings.clickhouse)
    schemas = start_schema_store(settings.registry)
    recorder = new_recorder(schemas, sink.history(), NoFacts(), settings.kafka)
    run_until_stopped(new_worker_app(settings, WorkerParts(sink=sink, recorder=recorder)))


if __name__ == "__main__":
    main()
