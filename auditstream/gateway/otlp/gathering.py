"""Attributes sorted by what becomes of them: fields, content, and what is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditstream.gateway.otlp.contents import Contents
from auditstream.gateway.otlp.entries import Content, Ignored, Kept, Mapped, Opened
from auditstream.gateway.otlp.index import Ranked, entry_of
from auditstream.gateway.otlp.kinds import FAMILIES
from auditstream.gateway.otlp.values import text_of

_LARGEST_JSON = 1 << 20
"""Characters of JSON that are parsed for the few members that are wanted; one with images is too much."""

_NUMBERED = re.compile(r"\.([0-9]{1,6})\.")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A value for a field, and the attribute that it would otherwise stay in."""

    rank: int
    value: Any
    attribute: str | None
    raw: Any


@dataclass(slots=True)
class Gathered:
    """What the attributes of one event hold.

    Attributes:
        event_type: Type of the event, which decides what families it has.
        contents: Content, which the privacy stage takes out.
        kept: Attributes that stay, by name, as they came.
    """

    event_type: str
    contents: Contents = field(default_factory=Contents)
    kept: dict[str, Any] = field(default_factory=dict)
    _candidates: dict[str, list[_Candidate]] = field(default_factory=dict)
    _counted: dict[str, set[str]] = field(default_factory=dict)

    def take(self, attributes: Mapping[str, Any], *, resource: bool = False) -> None:
        """Sort attributes.

        Args:
            attributes: Names to Python values.
            resource: Whether they are a resource's: these fill fields of the envelope only, and only those
                that the span leaves open.
        """
        for name, value in attributes.items():
            ranked = entry_of(name)
            if ranked is None or isinstance(ranked[1], Kept):
                self.kept.setdefault(name, value)
            elif not isinstance(ranked[1], Ignored):
                self._take_one(ranked, name, value, resource)

    def _take_one(self, ranked: Ranked, name: str, value: Any, resource: bool) -> None:
        rank, entry = ranked
        match entry:
            case Mapped():
                path = next((path for path in entry.fields if self._has(path, resource)), None)
                converted = None if path is None else entry.convert(value)
                if path is None or converted is None:
                    self.kept.setdefault(name, value)
                else:
                    late = rank + 10_000 if resource else rank
                    self._offer(path, _Candidate(late, converted, name, value))
            case Opened():
                self._open(rank, entry, value)
                if entry.role is not None:
                    self.contents.add(entry.role, name, value)
            case Content():
                self.contents.add(entry.role, name, value)
                if entry.counted:
                    self._count(entry.counted, name, value)

    def _has(self, path: str, resource: bool) -> bool:
        family, dot, _ = path.partition(".")
        return not dot or (not resource and family in FAMILIES[self.event_type])

    def _offer(self, path: str, candidate: _Candidate) -> None:
        self._candidates.setdefault(path, []).append(candidate)

    def _open(self, rank: int, entry: Opened, value: Any) -> None:
        document = value if isinstance(value, dict) else _json_object(value)
        for path, (field_path, convert) in entry.members.items():
            member: Any = document
            for step in path.split("."):
                member = member.get(step) if isinstance(member, dict) else None
            converted = None if member is None else convert(member)
            if converted is not None and self._has(field_path, resource=False):
                self._offer(field_path, _Candidate(rank, converted, None, None))

    def _count(self, path: str, name: str, value: Any) -> None:
        """Count the items of a list, given as a list, as JSON, or as an attribute an item (`….3.…`)."""
        if not self._has(path, resource=False):
            return
        place = _NUMBERED.search(name)
        if place is not None:
            self._counted.setdefault(path, set()).add(place.group(1))
            return
        items = value if isinstance(value, list) else _json(value)
        if isinstance(items, list):
            self._offer(path, _Candidate(100_000, len(items), None, None))

    def fields(self) -> dict[str, Any]:
        """Return the fields, by path; what lost against another attribute and differs from it is kept."""
        for path, places in self._counted.items():
            self._offer(path, _Candidate(100_000, len(places), None, None))
        found = {}
        for path, candidates in self._candidates.items():
            best = min(candidates, key=lambda candidate: candidate.rank)
            found[path] = best.value
            for candidate in candidates:
                if candidate.attribute is not None and candidate.value != best.value:
                    self.kept.setdefault(candidate.attribute, candidate.raw)
        return found


def nested(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields by path as an event: `usage.by_modality[text.input]` becomes three levels."""
    event: dict[str, Any] = {}
    for path, value in fields.items():
        family, dot, name = path.partition(".")
        if not dot:
            event[path] = value
            continue
        holder = event.setdefault(family, {})
        name, bracket, key = name.partition("[")
        if bracket:
            holder.setdefault(name, {})[key.removesuffix("]")] = value
        else:
            holder[name] = value
    return event


def _json(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > _LARGEST_JSON:
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _json_object(value: Any) -> dict[str, Any]:
    found = _json(value)
    return found if isinstance(found, dict) else {}


class Bounds:
    """How much of what is kept stays: an event is a row, not an archive."""

    ATTRIBUTES = 64
    NAME_CHARS = 128
    VALUE_CHARS = 1024
    CUT = "otel.attributes.cut"
    """Name of the attribute that counts what was shortened or left out."""


def bounded(kept: Mapping[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """Return what stays in `attributes`, as text, within bounds.

    Args:
        kept: Attributes of the producer, the most important first.
        own: What we say ourselves; always kept, and it wins a name.
    """
    found: dict[str, str] = {}
    cut = 0
    for name, value in kept.items():
        text = text_of(value)
        if len(found) >= Bounds.ATTRIBUTES:
            cut += 1
            continue
        if len(text) > Bounds.VALUE_CHARS or len(name) > Bounds.NAME_CHARS:
            cut += 1
        found[name[: Bounds.NAME_CHARS]] = text[: Bounds.VALUE_CHARS]
    found.update(own)
    if cut:
        found[Bounds.CUT] = str(cut)
    return found
