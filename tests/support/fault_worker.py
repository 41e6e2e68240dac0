"""A worker process for fault runs: the product's own wiring, but it can signal itself at a numbered step.

FAULT_AT names a step, how often it is passed first, and the signal: `insert:3:SIGKILL`. Writer schemas are
the packaged ones, so that a run needs no registry.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import cache

import polars as pl

from auditstream.core import logs
from auditstream.core import settings as core_settings
from auditstream.core.errors import SchemaError
from auditstream.reference.snapshot import Snapshot
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema, schema_json
from schemas.subjects import FINDINGS, USAGE, Subject
from sinks.clickhouse import connect
from streams.process import run_until_stopped
from streams.recording.assembly import new_recorder
from streams.worker import WorkerParts, new_worker_app
from tests.support.bad_messages import EVENT_SCHEMA_ID, OTHER_SCHEMA_ID

FAULT_AT = "FAULT_AT"
STEPS = ("gather", "plan", "send", "insert", "publish", "close")
"""The numbered steps of a segment, in order."""

OWN_SCHEMA_IDS = {USAGE.name: OTHER_SCHEMA_ID, FINDINGS.name: 3}
"""Ids of the schemas that the worker writes with."""


class PackagedSchemas:
    """Knows the AuditEvent schema and another one, each under its id."""

    def get(self, ref: SchemaRef) -> AvroSchema:
        if ref == EVENT_SCHEMA_ID:
            return schema_json("audit_event")
        if ref == OTHER_SCHEMA_ID:
            return schema_json("usage_delta")
        raise SchemaError(f"schema {ref} is not in the registry")

    def id_of(self, subject: Subject) -> int:
        return OWN_SCHEMA_IDS[subject.name]


class NoFacts:
    """A directory without reference data: nobody is known."""

    def intervals(self, kind: str, revision: int) -> pl.DataFrame:
        return _nothing().intervals(kind)


@cache
def _nothing() -> Snapshot:
    """Return what is known when nothing is, at any revision; to make it took half of a segment's time."""
    return Snapshot(0)


class SelfSignal:
    """Sends a signal to this process at the n-th pass of a step."""

    def __init__(self, order: str) -> None:
        self._step, passes, name = (order or "never:0:SIGKILL").split(":")
        self._pass = int(passes)
        self._signal = signal.Signals[name]
        self._seen: Counter[str] = Counter()

    def __call__(self, step: str) -> None:
        self._seen[step] += 1
        if step == self._step and self._seen[step] == self._pass:
            os.kill(os.getpid(), self._signal)


def main() -> None:
    settings = core_settings.load()
    logs.configure(style="json")
    sink = connect(settings.clickhouse)
    parts = WorkerParts(
        sink=sink,
        recorder=new_recorder(PackagedSchemas(), sink.history(), NoFacts(), settings.kafka),
        checkpoint=SelfSignal(os.environ.pop(FAULT_AT, "")),
    )
    run_until_stopped(new_worker_app(settings, parts))


if __name__ == "__main__":
    main()
