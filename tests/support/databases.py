"""Databases of a test's own in a running ClickHouse.

A migrated database costs its store half a percent of a core for as long as it is there, rows or no rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

from auditstream.core.settings import ClickHouseSettings
from auditstream.embedded.clickhouse_process import RunningClickHouse
from sinks.clients import http_client
from sinks.migrate import apply, create_database
from tests.support.engines import settings_of


@contextmanager
def migrated_database(running: RunningClickHouse, prefix: str) -> Iterator[ClickHouseSettings]:
    """Make a database with the product's tables, yield how to reach it, and drop it.

    Args:
        running: The store.
        prefix: What the database's name begins with.
    """
    settings = settings_of(running, f"{prefix}_{uuid.uuid4().hex[:12]}")
    with closing(http_client(settings, database="default")) as admin:
        create_database(admin, settings.database)
        with closing(http_client(settings)) as client:
            apply(client, settings.engine)
        try:
            yield settings
        finally:
            if running.is_running:
                admin.command(f"DROP DATABASE {settings.database}")
