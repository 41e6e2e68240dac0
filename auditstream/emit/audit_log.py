"""Records of another system's audit log as events, by a table of where what is.

A line is a record, or a page of records as the system's API answers. All of a record is kept in `attributes`
by dotted path, where rules of the log's own source find it, but for content: prompts and completions are not
recorded. What one actor does is one conversation, so that it stays in order in one partition. A record that
no row of the table is about is an `audit.activity`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from auditstream.emit.json_line import object_of
from auditstream.emit.reading import BadLineError, Options, Reading, Refused, judged
from auditstream.emit.record_values import (
    address,
    count_at,
    country,
    given,
    record_id,
    required_text,
    required_time,
    text_at,
    value_at,
)
from auditstream.emit.source import Line, Source
from schemas.attribute_paths import attributes_of

ACTIVITY = "audit.activity"
"""Type of an event of which only its log knows what it is."""

_ACCESS = frozenset({"ai.auth", "ai.key.lifecycle", "ai.access.grant"})

Paths = tuple[str, ...]
"""Where something may be in a record; the first with a value counts."""

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What records of some names are.

    Attributes:
        pattern: Their names; `*` stands for any text.
        event_type: Type of their events.
        object_type: What is changed, for an `ai.config.change`.
    """

    pattern: str
    event_type: str
    object_type: str = ""


def unchanged(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record."""
    return record


def nothing_more(_record: Record, _name: str) -> dict[str, Any]:
    """Return nothing."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLog:
    """A log's table.

    Attributes:
        source: What the events' `source` begins with.
        account: What follows there.
        page: Name of the list in a page of records; empty where the log has no pages.
        id: The record's own id.
        told_apart: What tells records of one id apart, where the id is that of a request.
        name: What happened, in the log's words.
        time: When.
        ticks_per_s: Unit of the time, as `record_values.required_time` takes it.
        kinds: What a record is by its name; the first row that fits counts.
        texts: Fields of the envelope that are texts.
        addresses: The actor's address.
        countries: The country that it is in.
        networks: The autonomous system that it is in.
        actor_kind: Where it says what the actor is, and what that is with us.
        subjects: Whom a sign-in, a key or a grant is about; the actor where it names nobody.
        objects: What a change changed.
        scopes: Rights that were given, a list of texts.
        outcome: How a record of a name ended: its `outcome`, and `error_type` where it has one.
        recorded: What of a record is kept as it is: all of it, but for content.
        prepared: Brings a record into the form that the paths are about.
        more: What else the event of a record of a name has.
    """

    source: str
    id: Paths
    name: Paths
    time: Paths
    kinds: tuple[Kind, ...]
    outcome: Callable[[Record, str], dict[str, str]]
    told_apart: Paths = ()
    account: Paths = ()
    page: str = ""
    ticks_per_s: int = 0
    texts: Mapping[str, Paths] = field(default_factory=dict)
    addresses: Paths = ()
    countries: Paths = ()
    networks: Paths = ()
    actor_kind: tuple[Paths, Mapping[str, str]] = ((), {})
    subjects: Paths = ()
    objects: Paths = ()
    scopes: Paths = ()
    recorded: Callable[[dict[str, Any]], dict[str, Any]] = unchanged
    prepared: Callable[[dict[str, Any]], dict[str, Any]] = unchanged
    more: Callable[[Record, str], dict[str, Any]] = nothing_more

    def __call__(self, source: Source, options: Options) -> Iterator[Reading]:
        """Yield one reading a record; a line that is none is refused."""
        for line in source.lines():
            try:
                records = self._records(line)
            except BadLineError as bad:
                yield Refused(line.number, bad.field, bad.reason)
                continue
            for number, record in enumerate(records):
                yield self._reading(line.number, record, number, source, options)

    def _records(self, line: Line) -> list[Any]:
        found = object_of(line.content)
        if not self.page or self.page not in found or value_at(found, self.name[0]) is not None:
            return [found]
        records = found[self.page]
        if not isinstance(records, list):
            raise BadLineError(self.page, "is not a list")
        return records

    def _reading(self, line: int, record: Any, number: int, source: Source, options: Options) -> Reading:
        try:
            event = self.event_of(record, source.file_hash + f"{line}/{number}".encode())
        except BadLineError as bad:
            return Refused(line, bad.field, bad.reason)
        return judged(line, event | {"tenant_id": options.tenant})

    def event_of(self, record: Any, place: bytes) -> dict[str, Any]:
        """Return a record as an event, for `schemas.intake`.

        Args:
            record: The record.
            place: Where it was, for the id of one that has none.

        Raises:
            BadLineError: It is no record, or has no name or time.
        """
        if not isinstance(record, dict):
            raise BadLineError("record", "is not a JSON object")
        record = self.prepared(record)
        name = required_text(record, *self.name)
        time = required_time(record, *self.time, ticks_per_s=self.ticks_per_s)
        kind = next((each for each in self.kinds if fnmatchcase(name, each.pattern)), Kind(name, ACTIVITY))
        own = text_at(record, *self.id)
        distinct = "/".join([own, *(text_at(record, path) for path in self.told_apart)]) if own else ""
        asn = count_at(record, *self.networks)
        event: dict[str, Any] = {
            "event_id": record_id(distinct, self.source, time, place),
            "event_type": kind.event_type,
            "event_time": time,
            "source": self.source + text_at(record, *self.account),
            "actor_type": self._actor_type(record),
            "attributes": attributes_of(self.recorded(record)),
            **given("idempotency_key", own),
            **{key: text for key, paths in self.texts.items() if (text := text_at(record, *paths))},
            **address(text_at(record, *self.addresses)),
            **country(text_at(record, *self.countries)),
            **({} if asn is None else {"src_asn": asn}),
            **self.outcome(record, name),
        }
        event |= given("conversation_id", event.get("actor_id"))
        return event | self._family(kind, name, record, event) | self.more(record, name)

    def _actor_type(self, record: Record) -> str:
        paths, kinds = self.actor_kind
        return kinds.get(text_at(record, *paths), "UNKNOWN")

    def _family(self, kind: Kind, name: str, record: Record, event: Mapping[str, Any]) -> dict[str, Any]:
        if kind.event_type in _ACCESS:
            subject = text_at(record, *self.subjects) or event.get("actor_id")
            scopes: Any = next((found for path in self.scopes if (found := value_at(record, path))), [])
            texts = [each for each in scopes if isinstance(each, str)] if isinstance(scopes, list) else []
            return {"access": {"subject_id": subject, "activity": name, "scopes": texts}} if subject else {}
        if kind.object_type:
            object_id = text_at(record, *self.objects)
            change = {"object_type": kind.object_type, "object_id": object_id}
            return {"change": change} if object_id else {}
        return {}
