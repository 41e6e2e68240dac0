"""What becomes of an attribute: the rows of a dialect's table.

An attribute is mapped to a field, opened (a JSON object of which members are mapped), measured as content and
dropped, kept in `attributes` under its own name, or ignored for a reason. What no table names is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from auditstream.gateway.otlp.conversions import Convert


class Role(StrEnum):
    """What a piece of content is to a call."""

    INPUT = "input"
    OUTPUT = "output"
    SYSTEM = "system instructions"
    TOOLS = "tool definitions"
    ARGUMENTS = "tool arguments"
    RESULT = "tool result"


@dataclass(frozen=True, slots=True)
class Mapped:
    """An attribute that becomes a field.

    Attributes:
        attribute: Its name.
        fields: Paths of fields, as `inference.request_model` or `usage.by_modality[text.input]`; the first
            one that an event of the span's type has is filled. Without one the attribute is kept.
        convert: Turns its value into the field's.
        since: Version of the conventions that brought it, where that tells something.
        until: Last version that has it.
        note: What there is to know.
    """

    attribute: str
    fields: tuple[str, ...]
    convert: Convert
    since: str = ""
    until: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """An attribute that holds a JSON object: some of its members become fields, the rest is dropped.

    Attributes:
        attribute: Its name.
        members: Path in the object, members joined by dots, to the field's path and its conversion.
        role: Set when the object as a whole is content too.
        note: What there is to know.
    """

    attribute: str
    members: Mapping[str, tuple[str, Convert]]
    role: Role | None = None
    since: str = ""
    until: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """An attribute with words of people or models: measured, never kept.

    Attributes:
        attribute: Its name; with `*` at its end, every name that begins so.
        role: What it is to the call.
        counted: Field that takes the number of its items, where it is a list.
    """

    attribute: str
    role: Role
    counted: str = ""
    since: str = ""
    until: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """An attribute that has no field and stays in `attributes`: listed so that it is known to be known."""

    attribute: str
    since: str = ""
    until: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ignored:
    """An attribute that is dropped, and why; with `*` at its end, every name that begins so."""

    attribute: str
    note: str
    since: str = ""
    until: str = ""


Entry = Mapped | Opened | Content | Kept | Ignored


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to name what a model call was.

    Attributes:
        name: Short name.
        title: Name in full.
        source: Where its names are defined.
        about: What to know of it, in a sentence or two.
        entries: What becomes of each of its attributes.
        first_token: Names of span events that mark the first token of a streamed answer.
    """

    name: str
    title: str
    source: str
    about: str
    entries: tuple[Entry, ...]
    first_token: frozenset[str] = field(default_factory=frozenset)
