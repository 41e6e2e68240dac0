"""The rail on the left: which screens there are, in the order in which people need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.access.principal import Principal
from auditstream.access.roles import Permission


@dataclass(frozen=True, slots=True)
class Entry:
    """One screen in the rail.

    Attributes:
        path: Path below the console's own.
        title: What it is called, in the rail and at the top of the page.
        icon: Name of its icon in the sprite.
        may: What a role must allow for it to be shown.
    """

    path: str
    title: str
    icon: str
    may: Permission = "events"


@dataclass(frozen=True, slots=True)
class Section:
    """Screens that answer one kind of question.

    Attributes:
        title: What kind.
        entries: The screens.
    """

    title: str
    entries: tuple[Entry, ...]


SECTIONS: Sequence[Section] = (
    Section(
        "Investigate",
        (
            Entry("/events", "Events", "search"),
            Entry("/live", "Live tail", "radio"),
            Entry("/runs", "Agent runs", "list-tree"),
            Entry("/searches", "Saved searches", "bookmark", may="searches"),
        ),
    ),
    Section("Money", (Entry("/usage", "Usage and cost", "coins", may="costs"),)),
    Section(
        "Guard",
        (
            Entry("/slos", "Objectives", "target", may="slos"),
            Entry("/findings", "Findings", "siren", may="findings"),
        ),
    ),
    Section(
        "The estate",
        (
            Entry("/assets", "Assets", "compass", may="discovery"),
            Entry("/prompts", "Prompts", "flask-conical", may="prompts"),
        ),
    ),
    Section(
        "The record",
        (
            Entry("/integrity", "Integrity", "shield-check", may="integrity"),
            Entry("/health", "Health", "activity", may="health"),
            Entry("/accesses", "Access log", "history", may="accesses"),
            Entry("/exports", "Exports", "download", may="exports"),
        ),
    ),
)
"""Every screen that can be reached from every other."""


def sections_of(who: Principal) -> list[Section]:
    """Return the screens that somebody's role allows; a section without any is left out."""
    allowed = [
        Section(section.title, tuple(entry for entry in section.entries if who.may(entry.may)))
        for section in SECTIONS
    ]
    return [section for section in allowed if section.entries]


def entry_of(path: str) -> Entry | None:
    """Return the screen that a path belongs to: the deepest whose own path it begins with."""
    within = [
        entry
        for section in SECTIONS
        for entry in section.entries
        if path == entry.path or path.startswith(entry.path + "/")
    ]
    return max(within, key=lambda entry: len(entry.path), default=None)
