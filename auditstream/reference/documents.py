"""Documents that people write, as YAML or JSON, to facts; every fault is found before anything is written.

A document is a mapping with `kind` and the fields of that kind, named as the table's columns. Scalars are
read as text and typed by their field, so that a price never passes through a binary float.
Credentials and contracts have a column `kind` of their own: documents call it `credential_kind` and
`contract_kind`. SLOs may be OpenSLO documents instead: see `openslo`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

import yaml
from pydantic import ValidationError

from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry
from auditstream.reference.openslo import FIELDS, InexpressibleError, indicators_of, is_openslo, translated

_NULL = "tag:yaml.org,2002:null"
_BY_COMMAND = frozenset({"hold", "access_token"})  # kinds that have commands of their own


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a document is not a fact.

    Attributes:
        file: Name of the file.
        document: Number of the document in it, from 1; 0 for the file as a whole.
        field: Field at fault; empty for the document as a whole.
        reason: What is wrong with it.
    """

    file: str
    document: int
    field: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}, document {self.document}" if self.document else self.file
        return f"{where}: {self.field}: {self.reason}" if self.field else f"{where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Stated:
    """A fact as a document states it.

    Attributes:
        fact: The fact.
        file: Name of the file.
        document: Number of the document in it, from 1.
        source: File name and hash, for the row.
        dated: Whether the document itself says from when the fact holds.
    """

    fact: Fact
    file: str
    document: int
    source: str
    dated: bool

    @property
    def entry(self) -> Entry:
        """The fact as it is appended."""
        return Entry(self.fact, self.source)


@dataclass(slots=True)
class Reading:
    """What was read: facts, and what is wrong; facts count only while nothing is."""

    stated: list[Stated] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _seen: dict[Hashable, Stated] = field(default_factory=dict)

    def add(self, text: str, file: str, *, now: datetime) -> None:
        """Read a file.

        Args:
            text: Content of the file: JSON where its name ends with `.json`, else YAML documents.
            file: Its name, for messages and for the rows' `source`.
            now: From when a fact holds whose document does not say.
        """
        source = f"{file}@sha256:{sha256(text.encode()).hexdigest()[:16]}"
        try:
            documents = list(_documents(text, is_json=file.endswith(".json")))
        except (yaml.YAMLError, ValueError) as error:
            self.problems.append(Problem(file, 0, "", " ".join(str(error).split())))
            return
        indicators = indicators_of(documents)
        for number, document in enumerate(documents, 1):
            try:
                ours = _ours(document, indicators)
                if ours is None:
                    continue
                fact = _fact(ours, now, names=FIELDS if ours is not document else {})
            except _RefusedError as refused:
                self.problems += [Problem(file, number, name, reason) for name, reason in refused.reasons]
                continue
            self._add(Stated(fact, file, number, source, dated=ours.get("valid_from") is not None))

    def _add(self, stated: Stated) -> None:
        """Keep a fact, unless another document says something else of the same thing and time."""
        fact = stated.fact
        first = self._seen.setdefault((type(fact), fact.key, fact.valid_from), stated)
        if first is not stated:
            reason = f"document {first.document} of {first.file} is about the same from the same time on"
            self.problems.append(Problem(stated.file, stated.document, "valid_from", reason))
            return
        self.stated.append(stated)


class _RefusedError(ValueError):
    def __init__(self, *reasons: tuple[str, str]) -> None:
        super().__init__(reasons)
        self.reasons = reasons


def _ours(document: Any, indicators: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return a document as one of ours; None when it says nothing by itself.

    Raises:
        _RefusedError: There is no such document of ours.
    """
    if not is_openslo(document):
        return document
    try:
        return translated(document, indicators)
    except InexpressibleError as error:
        raise _RefusedError((error.field, error.reason)) from error


def _fact(document: object, now: datetime, *, names: Mapping[str, str]) -> Fact:
    """Return the fact of a document.

    Args:
        document: As it was read.
        now: From when it holds if it does not say.
        names: What fields are called where they were read, where that is not as here.

    Raises:
        _RefusedError: It is none; says all reasons.
    """
    if not isinstance(document, dict):
        raise _RefusedError(("", "must be a mapping with the field kind"))
    fields = {str(name): value for name, value in document.items()}
    name = fields.pop("kind", None)
    known = [each for each in KINDS if each not in _BY_COMMAND]
    if name not in known:
        raise _RefusedError(("kind", f"must be one of {', '.join(known)}, not {name!r}"))
    own_kind = f"{name}_kind"
    if own_kind in fields and "kind" in KINDS[name].fact.model_fields:
        fields["kind"] = fields.pop(own_kind)
    if fields.get("valid_from") is None:
        fields["valid_from"] = now
    try:
        return KINDS[name].fact.model_validate(fields)
    except ValidationError as error:
        reasons = (_reason(each, own_kind) for each in error.errors())
        raise _RefusedError(*((names.get(name, name), reason) for name, reason in reasons)) from error


def _reason(error: Mapping[str, Any], own_kind: str) -> tuple[str, str]:
    """Return field and reason of one of pydantic's errors."""
    name = ".".join(str(part) for part in error["loc"])
    name = own_kind if name == "kind" else name
    match error["type"]:
        case "extra_forbidden":
            return name, "unknown field"
        case "missing":
            return name, "missing"
        case _:
            reason = error["msg"].removeprefix("Value error, ")
            if name:
                return name, reason
            # What holds between fields is of none of them; its reason names one all the same.
            named, colon, rest = reason.partition(": ")
            return (named, rest) if colon and named.isidentifier() else (name, reason)


def _documents(text: str, *, is_json: bool) -> Iterator[Any]:
    """Yield the documents of a file; a list stands for its items."""
    if is_json:
        loaded = [json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_mapping)]
    else:
        loaded = list(yaml.load_all(text, Loader=_TextLoader))
    for document in loaded:
        if isinstance(document, list):
            yield from document
        elif document is not None:
            yield document


def _mapping(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"field {twice} comes twice in one mapping")
    return found


class _TextLoader(yaml.BaseLoader):
    """Reads every scalar as text but for null."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        try:
            _mapping([(key.value, None) for key, _ in node.value])
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error
        return super().construct_mapping(node, deep=deep)


_TextLoader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_TextLoader.add_constructor(_NULL, lambda _loader, _node: None)
