"""One engine in this process for test files that follow each other, with stores that are migrated already.

To open an engine and to migrate a store takes seven tenths of a second of processor time. So who is done with
a store leaves it to the next, emptied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.databases import emptied, tables_of
from tests.support.engines import in_process
from tests.support.stores import ClickHouseStore, OpenClient, new_store, store_in


@dataclass(frozen=True, slots=True)
class _Free:
    database: str
    tables: Any


class KeptEngine:
    """An engine on one path, opened when it is asked for; its stores are there again when it is opened again.

    Args:
        path: Folder of its data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()
        self._opener: OpenClient | None = None
        self._free: list[_Free] = []

    def open(self) -> OpenClient:
        """Return what opens clients."""
        if self._opener is None:
            self._opener = self._opened.enter_context(in_process(self._path))
        return self._opener

    def end(self) -> None:
        """Close the engine, so that another path can be opened; every client of it is closed already."""
        self._opener = None
        self._opened.close()

    @contextmanager
    def migrated(self) -> Iterator[ClickHouseStore]:
        """Yield a store with every migration and no rows; one whose tables were altered is dropped then."""
        opener = self.open()
        if self._free:
            free = self._free.pop()
            with store_in(opener, free.database) as store:
                yield store
        else:
            with new_store(opener, keep=True) as store:
                free = _Free(str(store.client.database), tables_of(store.client))
                yield store
        with opener(free.database) as client:
            if emptied(client, free.database, free.tables):
                self._free.append(free)
