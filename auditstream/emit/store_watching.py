"""The watch over the store beside a running service: a thread that looks, and makes known what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event

from auditstream.core.beside import beside
from auditstream.core.settings import Settings
from auditstream.emit.findings import publish_findings
from auditstream.query.reader import Reader
from auditstream.query.watches.store_watch import StoreWatch
from auditstream.query.watches.table_memory import FILE_NAME, TableMemory
from auditstream.query.watches.watch_loop import Say, watch_until
from sinks.clients import ClientPool, http_client

_END_S = 30.0


def memory_of(settings: Settings) -> TableMemory:
    """Return the memory of the deployment's tables."""
    return TableMemory(Path(settings.data_dir) / "seal" / FILE_NAME)


@contextmanager
def watching_store(settings: Settings, *, say: Say | None = None) -> Iterator[None]:
    """Watch the store for the length of the block, every `evidence.watch_s` seconds; 0 watches nothing.

    What fails is told of, and tried again: the watch never ends the service that it runs beside.

    Args:
        settings: Where store, Kafka and registry are, and how often to look.
        say: Takes lines for a person, in a process that keeps no log.
    """
    if not settings.evidence.watch_s:
        yield
        return
    clients = ClientPool(lambda: http_client(settings.clickhouse))
    look = StoreWatch(Reader(clients), memory_of(settings))

    def watch(stopping: Event) -> None:
        every_s = settings.evidence.watch_s
        watch_until(stopping, look, partial(publish_findings, settings, clients), every_s=every_s, say=say)

    with closing(clients), beside("store-watch", watch, end_s=_END_S):
        yield
