"""The recorder that workers use, for making rows anew: where the audit meets `streams`."""

from __future__ import annotations

from collections.abc import Callable

from auditstream.core.ports import Directory, Recorder
from auditstream.core.settings import KafkaSettings
from sinks.clients import ClientPool
from sinks.history import ClickHouseHistory
from streams.recording.assembly import KnownSchemas, new_recorder


def new_recorders(
    schemas: KnownSchemas, clients: ClientPool, directory: Directory, kafka: KafkaSettings
) -> Callable[[], Recorder]:
    """Return what makes recorders over the parts that a worker would have.

    Args:
        schemas: Writer schemas, and the ids of ours.
        clients: Where clients of the store come from, for what was recorded before.
        directory: Reference data, at any revision.
        kafka: Names of topics, and whether claims on the events topic are the gateway's word.
    """
    return lambda: new_recorder(schemas, ClickHouseHistory(clients), directory, kafka, detects=False)
