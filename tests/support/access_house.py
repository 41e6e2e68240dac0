"""A desk and an entry over facts in memory: everything that a request meets before the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from auditstream.access.desk import Caller, Desk
from auditstream.access.entry import Entry
from auditstream.access.known_tokens import TokenBook
from auditstream.access.rates import Rates
from auditstream.access.sessions import Sessions
from auditstream.access.tokens import create_token, draft
from auditstream.core.clock import ManualClock
from auditstream.emit.access_record import Event
from auditstream.query.reader import Reader
from auditstream.reference.fact import Fact
from auditstream.reference.owners import Tenant
from tests.support.facts import day
from tests.support.reference_memory import FactStore

TENANTS = ("acme", "globex", "initech")
NOW = day(100)
HERE = Caller(address="192.0.2.7", agent="test")


class Told:
    """Remembers what was told, or refuses to be told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.refuses: Exception | None = None

    def tell(self, events: Sequence[Event], /) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.events += [dict(each) for each in events]

    @property
    def types(self) -> list[str]:
        return [each["event_type"] for each in self.events]


class House:
    """A desk, an entry, and tokens for them.

    Args:
        store: Reads the store; nothing can be asked without.
        facts: What is known beside the tenants.
        now: The time.
    """

    def __init__(
        self, store: Reader | None = None, *, facts: Sequence[Fact] = (), now: datetime = NOW
    ) -> None:
        tenants = [Tenant(tenant_id=each, name=each, valid_from=day(0)) for each in TENANTS]
        self.facts = FactStore(*tenants, *facts)
        self.known = cache(self.facts.load)
        self.book = cache(lambda revision: TokenBook(self.known(revision)))
        self.clock = ManualClock(now.timestamp())
        self.told = Told()
        nothing: Any = None
        self.desk = Desk(
            store or Reader(nothing),
            self.told,
            query_key=b"k" * 32,
            clock=self.clock,
            facts=lambda: self.known(self.facts.newest()),
        )
        self.sessions = Sessions(b"s" * 32)
        self.entry = Entry(
            self.desk,
            lambda: self.book(self.facts.newest()),
            sessions=self.sessions,
            rates=Rates(self.clock),
            clock=self.clock,
        )

    def token(self, role: str = "viewer", *tenants: str, **fields: Any) -> str:
        """Return a new token; of acme where no tenants are named, and for a month."""
        now = self.entry.now
        fields = {"expires_at": now + timedelta(days=30), **fields}
        wanted = draft(role=role, tenants=tenants or ("acme",), now=now, name=role, **fields)
        return create_token(self.facts, wanted, actor="me", now=now, announce=None).secret
