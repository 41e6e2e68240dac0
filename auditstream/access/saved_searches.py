"""Saved searches: a name for the address of a search, kept for its owner, and for others if it is shared."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from auditstream.access.principal import Principal
from auditstream.core.errors import NotFoundError, RequestError, RetryableError
from auditstream.core.ids import uuid7
from auditstream.core.logs import get_logger

log = get_logger(__name__)

MOST = 200
"""Searches of one owner: more than anybody finds one in."""

LONGEST_NAME = 120
"""Characters of a name."""

PARAMETERS = ("q", "since", "from", "to", "columns")
"""What of a search's address is kept."""

_ID = re.compile(r"[0-9a-f-]{36}")
_LONGEST = 4_096  # characters of a parameter: a query has at most as many


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSearch:
    """One search that somebody saved.

    Attributes:
        id: Its id.
        name: What they call it.
        parameters: Of its address, by name and in order.
        owner: Id of who saved it.
        owner_name: Their name.
        tenants: Whose rows they saw; None for everybody's.
        is_shared: Whether others see it: those who see one of these tenants.
        made_at: When (UTC).
    """

    id: str
    name: str
    parameters: tuple[tuple[str, str], ...]
    owner: str
    owner_name: str
    tenants: tuple[str, ...] | None
    is_shared: bool
    made_at: datetime

    def is_for(self, who: Principal) -> bool:
        """Return whether somebody sees it; what it finds for them is theirs, whoever saved it."""
        if self.owner == who.id:
            return True
        if not self.is_shared:
            return False
        return who.tenants is None or self.tenants is None or not who.tenants.isdisjoint(self.tenants)


def kept_of(parameters: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return what is kept of the parameters of an address: a name may come more than once, as columns do."""
    said = list(parameters)
    return tuple((name, value) for kept in PARAMETERS for name, value in said if name == kept and value)


class SavedSearches:
    """Keeps searches, each as a file; any thread may ask.

    Args:
        folder: Where they are kept; None where this process keeps none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._guard = threading.Lock()

    def save(
        self,
        who: Principal,
        name: str,
        parameters: Iterable[tuple[str, str]],
        *,
        is_shared: bool,
        now: datetime,
    ) -> SavedSearch:
        """Keep a search, and return it.

        Raises:
            RequestError: The name is empty or too long, a parameter is, or there are too many.
            RetryableError: This process keeps none.
        """
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise RequestError(f"name: must have 1 to {LONGEST_NAME} characters")
        kept = kept_of(parameters)
        for each, value in kept:
            if len(value) > _LONGEST:
                raise RequestError(f"{each}: is longer than {_LONGEST} characters")
        made = SavedSearch(
            id=str(uuid7(int(now.timestamp() * 1000), os.urandom(10))),
            name=name,
            parameters=kept,
            owner=who.id,
            owner_name=who.name,
            tenants=None if who.tenants is None else tuple(sorted(who.tenants)),
            is_shared=is_shared,
            made_at=now,
        )
        with self._guard:
            if sum(each.owner == who.id for each in self._all()) >= MOST:
                raise RequestError(f"{MOST} searches are saved already", hint="Delete one first.")
            folder = self._place()
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = folder / f".{made.id}"
            temporary.write_text(json.dumps(asdict(made), default=datetime.isoformat), encoding="utf-8")
            temporary.rename(folder / f"{made.id}.json")
        return made

    def visible(self, who: Principal) -> list[SavedSearch]:
        """Return the searches that somebody sees, by name."""
        with self._guard:
            found = [each for each in self._all() if each.is_for(who)]
        return sorted(found, key=lambda each: (each.name.casefold(), each.id))

    def delete(self, who: Principal, id_: str) -> None:
        """Forget a search of one's own.

        Raises:
            NotFoundError: They have saved none of that id.
        """
        with self._guard:
            found = next((each for each in self._all() if each.id == id_ and each.owner == who.id), None)
            if found is None:
                raise NotFoundError(f"search {id_[:40]}: you have saved none of that id")
            (self._place() / f"{found.id}.json").unlink()

    def _place(self) -> Path:
        if self._folder is None:
            raise RetryableError("this process keeps no searches", hint="Copy the address of the search.")
        return self._folder

    def _all(self) -> list[SavedSearch]:
        paths = sorted(self._folder.glob("*.json")) if self._folder is not None else []
        return [each for each in map(_read, paths) if each is not None]


def _read(path: Path) -> SavedSearch | None:
    """Return the search of a file, None where it is not one."""
    if not _ID.fullmatch(path.stem):
        return None
    try:
        datum = json.loads(path.read_text(encoding="utf-8"))
        tenants = datum["tenants"]
        return SavedSearch(
            id=path.stem,
            name=str(datum["name"]),
            parameters=tuple((str(name), str(value)) for name, value in datum["parameters"]),
            owner=str(datum["owner"]),
            owner_name=str(datum["owner_name"]),
            tenants=None if tenants is None else tuple(map(str, tenants)),
            is_shared=bool(datum["is_shared"]),
            made_at=datetime.fromisoformat(datum["made_at"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("saved_search_unreadable", path=str(path))
        return None
