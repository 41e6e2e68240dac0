"""The filter of a page as pieces: each term with the links that take it away or turn it round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.console.links import Link
from auditstream.query.grammar import Term

_BARE = re.compile(r'[^\s"\\]+')


@dataclass(frozen=True, slots=True)
class Pill:
    """One term of a filter.

    Attributes:
        text: As it was typed, without a minus.
        negated: Whether what matches is left out.
        without: The page without it.
        turned: The page with its opposite.
    """

    text: str
    negated: bool
    without: Link
    turned: Link


@dataclass(frozen=True, slots=True)
class Fault:
    """A filter that cannot be read, and where.

    Attributes:
        before: What stands before the place.
        at: What is wrong, at least one character.
        after: The rest.
        message: What is wrong with it.
        hint: What to write instead.
    """

    before: str
    at: str
    after: str
    message: str
    hint: str


def pills(query: str, terms: Sequence[Term], page: Link) -> list[Pill]:
    """Return the terms of a query that has been read, in order."""
    starts = [term.position - 1 for term in terms]
    ends = [*starts, len(query)][1:]
    texts = [query[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    found = []
    for at, (term, text) in enumerate(zip(terms, texts, strict=True)):
        bare = text[1:] if term.negated else text
        rest = [*texts[:at], *texts[at + 1 :]]
        turned = [*texts[:at], bare if term.negated else f"-{bare}", *texts[at + 1 :]]
        found.append(
            Pill(
                bare,
                term.negated,
                page.with_(q=" ".join(rest), after=None, peek=None),
                page.with_(q=" ".join(turned), after=None, peek=None),
            )
        )
    return found


def fault(query: str, position: int, message: str, hint: str) -> Fault:
    """Return a fault with the word that it is about.

    Args:
        query: What was typed.
        position: Where, counted from 1; one past the end is its last character.
        message: What is wrong.
        hint: What to do.
    """
    at = min(max(position - 1, 0), max(len(query) - 1, 0))
    end = next((i for i in range(at, len(query)) if query[i].isspace()), len(query))
    end = max(end, at + 1)
    said = message.partition(": ")[2] or message
    return Fault(query[:at], query[at:end] or " ", query[end:], said, hint)


def term(field: str, value: str, *, negated: bool = False) -> str:
    """Return a term that demands a value of a field, quoted where it must be."""
    written = value if _BARE.fullmatch(value) else quoted(value)
    return f"{'-' if negated else ''}{field}:{written}"


def quoted(value: str) -> str:
    """Return words in quotes, so that they stand together whatever is in them."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def narrowed(page: Link, query: str, field: str, value: str, *, negated: bool = False) -> Link:
    """Return the page with one more term; the same when it has it already."""
    added = term(field, value, negated=negated)
    already = f" {query} ".find(f" {added} ") >= 0
    return page.with_(q=query if already else f"{query} {added}".strip(), after=None, peek=None)
