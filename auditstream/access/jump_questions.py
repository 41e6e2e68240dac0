"""What somebody means who types an id or a name: of what there is, only what they may see is told.

Nothing is asked of the record but for text that may be the id of something in it, or the words of a finding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditstream.access import event_questions, finding_questions
from auditstream.access.desk import Caller, Desk
from auditstream.access.principal import Principal
from auditstream.core.errors import RequestError
from auditstream.query.events import LEAF, Search
from auditstream.query.findings import SHORTEST_ID, Wanted
from auditstream.query.grammar import parse

SHORTEST_WORDS = 3
"""Characters from which findings are looked for by their words: fewer fit nearly all."""

_EVENT = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TRACE = re.compile(r"[0-9a-fA-F]{32}")
_FINDING = re.compile(rf"[0-9a-fA-F]{{{SHORTEST_ID},64}}")
_LOOKED_THROUGH = 500  # findings, the newest: who looks for an older one has its id, or its screen


@dataclass(frozen=True, slots=True)
class Named:
    """Something that there is, by the name or id that was typed.

    Attributes:
        id: Its id.
        title: What it is, in words; empty where the id says all.
        tenant: Whose it is; empty for several or nobody's.
    """

    id: str
    title: str = ""
    tenant: str = ""


def events(desk: Desk, who: Principal, text: str, caller: Caller) -> Iterator[Named]:
    """Yield the event that has an id, or is a leaf; raises as `event_questions.show` but for what is not."""
    if not (_EVENT.fullmatch(text) or LEAF.fullmatch(text)):
        return
    try:
        row = event_questions.show(desk, who, text, caller)[0]
    except RequestError:
        return
    yield Named(text, f"{row['event_type']}, {row['event_time']:%d %b %Y %H:%M:%S} UTC", row["tenant_id"])


def traces(desk: Desk, who: Principal, text: str, caller: Caller) -> Iterator[Named]:
    """Yield the trace that has an id; raises as `event_questions.search`."""
    if not _TRACE.fullmatch(text):
        return
    query = f"trace:{text.lower()}"
    rows = event_questions.search(desk, who, query, Search(parse(query), limit=1), caller).records()
    for row in rows:
        yield Named(text.lower(), f"run, last at {row['event_time']:%d %b %Y %H:%M:%S} UTC")


def findings(desk: Desk, who: Principal, text: str, caller: Caller) -> Iterator[Named]:
    """Yield the finding whose id begins so, else those with all of the words in title, rule or scope.

    Raises as `finding_questions.found`.
    """
    if not who.may("findings") or len(text) < SHORTEST_WORDS:
        return
    if _FINDING.fullmatch(text):
        try:
            newest = finding_questions.standing(desk, who, text.lower(), caller).newest
        except RequestError:
            return
        yield Named(newest.finding_id, newest.title, newest.tenant_id)
        return
    rows = finding_questions.found(desk, who, Wanted(), caller, limit=_LOOKED_THROUGH).records()
    for row in rows:
        if has_words(text, row["title"], row["rule_id"], row["scope"]):
            yield Named(row["finding_id"], row["title"], row["tenant_id"])


def tenants(desk: Desk, who: Principal, text: str) -> Iterator[Named]:
    """Yield the tenants that somebody sees whose id or name has the words.

    Raises:
        RetryableError: The store has not told of any reference data yet.
    """
    known = desk.facts().holding("tenant", desk.now).select("tenant_id", "name").iter_rows()
    for id_, name in sorted(known):
        if (who.tenants is None or id_ in who.tenants) and has_words(text, id_, name):
            yield Named(id_, name if name != id_ else "", id_)


def has_words(text: str, *said: str) -> bool:
    """Return whether each word of a text is in what is said, whatever its case."""
    whole = " ".join(said).casefold()
    return all(word in whole for word in text.casefold().split())
