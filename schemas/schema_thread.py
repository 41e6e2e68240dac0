"""A schema store on an event loop of its own, for callers that live on threads."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from auditstream.core.clock import Clock
from auditstream.core.settings import RegistrySettings
from schemas.registry_client import RegistryClient
from schemas.schema_folder import SchemaFolder
from schemas.schema_store import SchemaStore

_START_S = 10.0  # starting a loop takes milliseconds; this bounds a process that is out of threads


def start_schema_store(
    settings: RegistrySettings, *, folder: Path | None = None, clock: Clock | None = None
) -> SchemaStore:
    """Return a schema store whose registry client runs on a daemon thread for the life of the process.

    Args:
        settings: How to reach the registry; nothing is asked yet.
        folder: Where schemas are kept for a start without the registry.
        clock: Tells when a refusal is forgotten.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="schema registry", daemon=True).start()

    async def start() -> SchemaStore:
        client = RegistryClient.from_settings(settings, clock)
        kept = None if folder is None else SchemaFolder(folder, settings.url)
        return SchemaStore(client, folder=kept, clock=clock)

    return asyncio.run_coroutine_threadsafe(start(), loop).result(_START_S)
