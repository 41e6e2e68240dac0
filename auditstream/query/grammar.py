r"""The search grammar: what a user types, as a list of terms that must all hold.

    field:value    -field:value    field>n  field>=n  field<n  field<=n    word    -word    "some words"

A value or words with spaces are put in double quotes; inside them `\"` is a quote and `\\` a backslash.
A map's entry is named with a dot: `attributes.ticket:ABC-42`. Words without a field are free text.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from auditstream.core.errors import RequestError
from auditstream.query.fields import FIELDS, ORDERED, Field

Operator = Literal[":", ">", ">=", "<", "<="]

_HEAD = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:\.(?P<key>[^\s:<>\"]+))?(?P<operator>:|>=|<=|>|<)")
_QUOTED = re.compile(r'"(?P<inside>(?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r'[^\s"]+')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MOST_TERMS = 50


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with a value.

    Attributes:
        field: What is compared.
        operator: How.
        value: Text of the value, quotes and escapes taken away.
        position: Where the term starts in the query, counted from 1.
        key: Entry of a map, empty for other fields.
        negated: Whether rows that match are left out instead.
    """

    field: Field
    operator: Operator
    value: str
    position: int
    key: str = ""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """Free text that a row must have, or must not.

    Attributes:
        text: The words.
        position: Where they start in the query, counted from 1.
        phrase: Whether they must stand together as written.
        negated: Whether rows that have them are left out instead.
    """

    text: str
    position: int
    phrase: bool = False
    negated: bool = False


Term = Comparison | Words


class QueryError(RequestError):
    """A search that the grammar does not know; the message names the position."""

    code = "query"
    hint = 'Write field:value, -field:value, field>n, field<n, words, or "quoted words".'

    def __init__(self, position: int, message: str, *, hint: str | None = None) -> None:
        super().__init__(f"position {position}: {message}", hint=hint, position=position)
        self.position = position


def parse(query: str) -> list[Term]:
    """Return the terms of a search; none for an empty one, which every event matches.

    Raises:
        QueryError: A field is unknown, a quote is open, a value is missing, or there are too many terms.
    """
    terms: list[Term] = []
    at = _past_space(query, 0)
    while at < len(query):
        if len(terms) == _MOST_TERMS:
            raise QueryError(at + 1, f"more than {_MOST_TERMS} terms")
        term, end = _term(query, at)
        terms.append(term)
        at = _past_space(query, end)
    return terms


def field_named(name: str, position: int) -> Field:
    """Return a field by its name or alias.

    Raises:
        QueryError: There is none; names the nearest.
    """
    field = FIELDS.get(name) or FIELDS.get(name.lower())
    if field is not None:
        return field
    near = difflib.get_close_matches(name.lower(), FIELDS, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "Fields are named like the columns of table events."
    raise QueryError(position, f"unknown field {name}", hint=f'{hint} Put text with a colon in "quotes".')


def _past_space(query: str, at: int) -> int:
    while at < len(query) and query[at].isspace():
        at += 1
    return at


def _term(query: str, start: int) -> tuple[Term, int]:
    """Return the term that starts at an index, and the index after it."""
    negated = query[start] == "-"
    at = start + negated
    head = _HEAD.match(query, at)
    if head is None:
        text, end, quoted = _value(query, at, start)
        return _words(text, start, phrase=quoted, negated=negated), end
    field = field_named(head["name"], at + 1)
    text, end, _ = _value(query, head.end(), start)
    comparison = Comparison(
        field, _operator(head["operator"]), text, start + 1, key=head["key"] or "", negated=negated
    )
    _check(comparison)
    return comparison, end


def _value(query: str, at: int, start: int) -> tuple[str, int, bool]:
    """Return the value at an index, the index after it, and whether it was quoted."""
    quoted = _QUOTED.match(query, at)
    if quoted is not None:
        if quoted.end() < len(query) and not query[quoted.end()].isspace():
            raise QueryError(quoted.end() + 1, "a space is missing after the closing quote")
        return _ESCAPED.sub(r"\1", quoted["inside"]), quoted.end(), True
    if query[at : at + 1] == '"':
        raise QueryError(at + 1, "the quote is never closed")
    bare = _BARE.match(query, at)
    if bare is None:
        raise QueryError(start + 1, f"{query[start:at]} has no value", hint='An empty value is written "".')
    if query[bare.end() : bare.end() + 1] == '"':
        raise QueryError(bare.end() + 1, "a quote inside a word; put the whole value in quotes")
    return bare.group(), bare.end(), False


def _words(text: str, start: int, *, phrase: bool, negated: bool) -> Words:
    if not any(letter.isalnum() for letter in text):
        raise QueryError(start + 1, "free text needs a letter or a digit")
    return Words(text, start + 1, phrase=phrase, negated=negated)


def _operator(text: str) -> Operator:
    operators: dict[str, Operator] = {":": ":", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
    return operators[text]


def _check(term: Comparison) -> None:
    if term.operator != ":" and term.field.kind not in ORDERED:
        raise QueryError(term.position, f"{term.field.name} has no order: use {term.field.name}:value")
    if term.key and term.field.kind != "map":
        raise QueryError(term.position, f"{term.field.name} has no entries: leave .{term.key} out")
    if term.field.kind == "map" and not term.key:
        raise QueryError(term.position, f"{term.field.name} needs an entry: {term.field.name}.name:value")
