"""Where the palette leads: to screens, to what has an id or a name, to acts; nothing that is not allowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from auditstream.access import jump_questions
from auditstream.access.jump_questions import Named, has_words
from auditstream.access.roles import Permission
from auditstream.console import filters
from auditstream.console.links import Link, link_of
from auditstream.console.navigation import Entry, sections_of
from auditstream.console.problems import Problem, problem_of
from auditstream.console.visits import Visit
from auditstream.core.errors import RetryableError
from auditstream.query.grammar import QueryError, parse

LONGEST = 4_096
"""Characters that are looked at: a query has at most as many."""

_MOST = 6  # of what there may be many of


@dataclass(frozen=True, slots=True)
class Target:
    """One place to go.

    Attributes:
        label: What it is called.
        icon: Name of its icon in the sprite.
        link: Where it is.
        detail: What else is said of it.
    """

    label: str
    icon: str
    link: Link
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Places of one kind.

    Attributes:
        title: What kind.
        targets: They, the likeliest first.
    """

    title: str
    targets: Sequence[Target]


@dataclass(frozen=True, slots=True)
class Offer:
    """What is offered to somebody for what they typed.

    Attributes:
        groups: Places by kind; a kind without any is left out.
        problem: Why some could not be looked for; None when all were.
    """

    groups: Sequence[Group]
    problem: Problem | None = None

    @property
    def count(self) -> int:
        """How many places there are."""
        return sum(len(group.targets) for group in self.groups)


_FURTHER: Sequence[tuple[str, Entry]] = (
    ("Usage and cost", Entry("/usage/units", "What one costs", "coins", may="costs")),
    ("Usage and cost", Entry("/usage/wrapper", "Around inference", "layers", may="costs")),
    ("Usage and cost", Entry("/usage/budgets", "Budgets", "wallet", may="costs")),
    ("Usage and cost", Entry("/usage/budgets/one", "New budget", "plus", may="budgets")),
)
"""Pages below a screen that people look for by name."""

_OF_EVERY_TENANT = frozenset({"/usage/wrapper"})  # who sees some tenants is told none of it

_ABOUT_EVENTS: Sequence[tuple[str, str, str, Permission]] = (
    ("Search events for", "/events", "search", "events"),
    ("Follow as it is recorded:", "/live", "radio", "events"),
    ("Look for agent runs with", "/runs", "list-tree", "events"),
    ("Export events of", "/exports", "download", "exports"),
    ("Save the search", "/searches", "bookmark", "searches"),
)
"""Acts on events that a search finds: what is done, where, icon, and what a role must allow."""


def offered(visit: Visit, text: str) -> Offer:
    """Return where somebody can go who typed a text; every screen of theirs when it is empty."""
    text = " ".join(text[:LONGEST].split())
    named, problem = _named(visit, text) if text else ([], None)
    groups = [
        *named,
        Group("Screens", list(_screens(visit, text))),
        Group("Saved searches", list(islice(_saved(visit, text), _MOST))),
        Group("Act", list(_acts(visit, text)) if text else []),
    ]
    return Offer([group for group in groups if group.targets], problem)


def _named(visit: Visit, text: str) -> tuple[list[Group], Problem | None]:
    """Return what has the id or the name; what cannot be looked for now is none, and the reason is said."""
    asked = (visit.desk, visit.who, text)
    looks: Sequence[tuple[str, Callable[[], Iterator[Named]], Callable[[Named], Iterator[Target]]]] = (
        ("Event", lambda: jump_questions.events(*asked, visit.caller), lambda each: _event(visit, each)),
        ("Agent run", lambda: jump_questions.traces(*asked, visit.caller), lambda each: _run(visit, each)),
        (
            "Findings",
            lambda: jump_questions.findings(*asked, visit.caller),
            lambda each: _finding(visit, each),
        ),
        ("Tenants", lambda: jump_questions.tenants(*asked), lambda each: _tenant(visit, each)),
    )
    groups, problem = [], None
    for title, look, targets in looks:
        try:
            found = list(islice(look(), _MOST))
        except RetryableError as error:
            problem = replace(problem_of(error), title=f"{title}: cannot be looked for right now")
            continue
        groups.append(Group(title, [target for each in found for target in targets(each)]))
    return groups, problem


def _event(visit: Visit, found: Named) -> Iterator[Target]:
    yield Target(found.id, "file-text", link_of(visit.root, f"/events/{found.id}"), found.title)


def _run(visit: Visit, found: Named) -> Iterator[Target]:
    yield Target(found.id, "list-tree", link_of(visit.root, f"/runs/{found.id}"), found.title)


def _finding(visit: Visit, found: Named) -> Iterator[Target]:
    detail = f"{found.id[:12]}{f', {found.tenant}' if found.tenant else ''}"
    yield Target(found.title or found.id, "siren", link_of(visit.root, f"/findings/{found.id}"), detail)


def _tenant(visit: Visit, found: Named) -> Iterator[Target]:
    query = filters.term("tenant", found.id)
    yield Target(f"Events of {found.id}", "layers", link_of(visit.root, "/events", {"q": query}), found.title)
    if visit.who.may("costs"):
        link = link_of(visit.root, "/usage", {"tenant": found.id})
        yield Target(f"Usage and cost of {found.id}", "coins", link, found.title)


def _screens(visit: Visit, text: str) -> Iterator[Target]:
    places = [(section.title, entry) for section in sections_of(visit.who) for entry in section.entries]
    for where, entry in [*places, *_FURTHER]:
        is_open = visit.who.may(entry.may) and (
            visit.who.tenants is None or entry.path not in _OF_EVERY_TENANT
        )
        if is_open and has_words(text, where, entry.title):
            yield Target(entry.title, entry.icon, link_of(visit.root, entry.path), where)


def _saved(visit: Visit, text: str) -> Iterator[Target]:
    if not visit.who.may("searches"):
        return
    for each in visit.parts.reach.searches.visible(visit.who):
        if text == each.id or has_words(text, each.name):
            query = dict(each.parameters).get("q", "")
            link = link_of(visit.root, "/events", each.parameters)
            yield Target(each.name, "bookmark", link, query or "every event")


def _acts(visit: Visit, text: str) -> Iterator[Target]:
    query = _query(text)
    for words, path, icon, may in _ABOUT_EVENTS:
        if visit.who.may(may):
            yield Target(f"{words} {query}", icon, link_of(visit.root, path, {"q": query}))


def _query(text: str) -> str:
    """Return a text as a search: as it is where it can be read, else as words that stand together."""
    try:
        parse(text)
    except QueryError:
        return filters.quoted(text)
    return text
