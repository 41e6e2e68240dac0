"""The desk: the one place where the record is asked on somebody's behalf.

    reader = desk.ask(who, Question("search", text, ("events_current",)), may="events")
    found = events.search(reader, wanted)

What it lends sees the rows of who asks and no others (`auditstream.query.scopes`), within the bounds of their
role; and it is lent once an event `ai.data_access` tells of the question. There is no other way to the store:
neither API nor console has a reader of its own, so that no page of theirs can forget any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from auditstream.access.principal import Principal
from auditstream.access.roles import Permission
from auditstream.core.clock import Clock
from auditstream.core.errors import NotAllowedError
from auditstream.emit.access_events import Access, access_event, short, sign_in_event
from auditstream.emit.access_key import query_hmac
from auditstream.emit.access_record import Event
from auditstream.emit.announcements import Said
from auditstream.query.reader import Reader
from auditstream.query.scopes import Scope, ScopedReader
from auditstream.reference.snapshot import Snapshot


class Tells(Protocol):
    """What acts are told to; `auditstream.access.telling.Teller` is one."""

    def tell(self, events: Sequence[Event], /) -> None:
        """Return once the events are acknowledged, or kept.

        Raises:
            AccessNotRecordedError: Neither: what they tell of must not be done.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """From where somebody asks.

    Attributes:
        by: Part of the product that asks for them: `api` or `console`.
        address: Their address.
        agent: Their program, as it names itself.
    """

    by: str = "api"
    address: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is about to be asked.

    Attributes:
        command: Its name, as `search`.
        text: What was asked, as text; the event has its HMAC alone.
        tables: Tables that are read.
        tenant: Only this one's rows; empty for all that the principal may see.
        purpose: What for.
        destination: Where an export goes.
        is_whole: Whether it reads in pieces as much as there is: rows of an answer are not bounded then.
        caller: From where.
    """

    command: str
    text: str = ""
    tables: tuple[str, ...] = ()
    tenant: str = ""
    purpose: str = ""
    destination: str = ""
    is_whole: bool = False
    caller: Caller = field(default_factory=Caller)


class Desk:
    """Asks the record for principals; any thread may use it.

    Args:
        store: Reads the store, as a user who may read all that anybody may see.
        teller: Is told of every question first.
        query_key: Key of the HMAC by which queries are named.
        clock: Tells the time.
        facts: Returns the newest reference data.
    """

    def __init__(
        self, store: Reader, teller: Tells, *, query_key: bytes, clock: Clock, facts: Callable[[], Snapshot]
    ) -> None:
        self._store = store
        self._teller = teller
        self._key = query_key
        self._clock = clock
        self._facts = facts

    @property
    def now(self) -> datetime:
        """The time (UTC)."""
        return datetime.fromtimestamp(self._clock.now_s(), UTC)

    def facts(self) -> Snapshot:
        """Return the newest reference data: of every tenant, so that what is shown of it is chosen by scope.

        Raises:
            RetryableError: The store has not told of any yet.
        """
        return self._facts()

    def ask(self, who: Principal, question: Question, *, may: Permission) -> ScopedReader:
        """Return what reads the principal's part of the record, once an event tells of the question.

        Args:
            who: Who asks.
            question: What.
            may: What their role must allow.

        Raises:
            NotAllowedError: It does not; an event tells of that.
            AccessNotRecordedError: No event could tell of it: nothing was read.
        """
        return ScopedReader(self._store, self.admit(who, question, may=may))

    def admit(self, who: Principal, question: Question, *, may: Permission) -> Scope:
        """Return what the principal may see of what is asked, once an event tells of it; raises as `ask`."""
        try:
            who.require(may)
        except NotAllowedError:
            self._teller.tell([self._event(who, question, "BLOCKED")])
            raise
        self._teller.tell([self._event(who, question, "SUCCESS")])
        scope = who.scope.narrowed(question.tenant)
        return replace(scope, bounds=replace(scope.bounds, rows=0)) if question.is_whole else scope

    def ask_whole(self, who: Principal, question: Question, *, may: Permission) -> ScopedReader:
        """Return what reads everybody's rows of all time, within a role's bounds; raises as `admit_whole`."""
        return ScopedReader(self._store, self.admit_whole(who, question, may=may))

    def admit_whole(self, who: Principal, question: Question, *, may: Permission) -> Scope:
        """Return what may be seen, once an event tells of a question about everybody's rows of all time.

        Raises:
            NotAllowedError: Their role does not allow it, or they do not see all; an event tells of that.
            AccessNotRecordedError: No event could tell of it: nothing may be read.
        """
        if who.may(may) and not who.sees_all:
            self._teller.tell([self._event(who, question, "BLOCKED")])
            raise NotAllowedError(
                f"{question.command}: is about every tenant's rows of all time, and you see a part of them",
                hint="Ask somebody whose token is of all tenants.",
            )
        return self.admit(who, question, may=may)

    def tell(self, events: Sequence[Event]) -> None:
        """Return once events of an act are acknowledged, or kept.

        Raises:
            AccessNotRecordedError: Neither: the act must not be done.
        """
        self._teller.tell(events)

    def tell_result(self, who: Principal, question: Question, *, rows: int, size_bytes: int) -> None:
        """Tell at the end of an export how much of it left.

        Raises:
            AccessNotRecordedError: No event tells of it, though one told that it began.
        """
        self._teller.tell([self._event(who, question, "SUCCESS", rows=rows, size_bytes=size_bytes)])

    def tell_sign_in(self, name: str, caller: Caller, *, is_believed: bool) -> None:
        """Return once an event tells that somebody signed in, or was refused.

        Raises:
            AccessNotRecordedError: None does: they are not signed in.
        """
        outcome = "SUCCESS" if is_believed else "BLOCKED"
        said = Said(by=caller.by, actor=short(name), at=self.now, outcome=outcome)
        self._teller.tell([sign_in_event(said, user=name, **_client(caller))])

    def _event(
        self, who: Principal, question: Question, outcome: str, *, rows: int = 0, size_bytes: int = 0
    ) -> Event:
        seen = who.scope.narrowed(question.tenant).tenants
        access = Access(
            query_hmac=query_hmac(self._key, question.text.encode("utf-8", "replace")),
            command=question.command,
            tables=question.tables,
            rows=rows,
            bytes=size_bytes,
            purpose=question.purpose,
            destination=question.destination,
            details=(
                ("role", str(who.role)),
                ("tenant", "*" if seen is None else " ".join(sorted(seen))),
                ("signed_in_by", who.signed_in_by),
            ),
        )
        said = Said(by=question.caller.by, actor=short(who.name), at=self.now, outcome=outcome)
        return access_event(said, access, credential_id=short(who.id), **_client(question.caller))


def _client(caller: Caller) -> dict[str, Any]:
    return {"src_ip": caller.address, "user_agent": short(caller.agent)}
