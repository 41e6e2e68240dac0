"""What documents change about what is known: the difference that `apply` shows and writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from auditstream.reference.documents import Stated
from auditstream.reference.fact import Fact
from auditstream.reference.kinds import KINDS, Entry, Kind, kind_of
from auditstream.reference.known import KnownFacts
from auditstream.reference.snapshot import Snapshot

_SECRET = frozenset({"secret_hash"})


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not known yet.

    Attributes:
        kind: Its kind.
        before: Fact of the same key that held at the time from which the new one holds; None when none did.
        after: The new fact.
        hides: Starts of known facts that were to hold later and that the new one replaces.
        source: File that says so, and its hash.
    """

    kind: Kind
    before: Fact | None
    after: Fact
    hides: tuple[datetime, ...] = ()
    source: str = ""

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Return the fields that differ, each with its values before and after; key hashes are masked."""
        before = {} if self.before is None else _shown(self.before)
        return {
            name: ("***", "***") if name in _SECRET else (before.get(name), value)
            for name, value in _shown(self.after).items()
            if before.get(name) != value
        }


@dataclass(slots=True)
class Difference:
    """What documents change.

    Attributes:
        changes: Facts that are not known yet, in the order of their kinds, keys and times.
        repeated: How many documents, by kind, say what is known, but are written again because a change would
            hide them.
        unchanged: How many other documents, by kind, say what is known.
        entries: What to append, so that the documents hold.
    """

    changes: list[Change] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    unchanged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    entries: list[Entry] = field(default_factory=list)

    def counts(self) -> Mapping[str, dict[str, int]]:
        """Return by kind how many documents are new, changed, repeated and unchanged."""
        found: dict[str, dict[str, int]] = {}
        for name in KINDS:
            of_kind = [change for change in self.changes if change.kind.name == name]
            new = sum(change.before is None for change in of_kind)
            counts = {
                "new": new,
                "changed": len(of_kind) - new,
                "repeated": self.repeated.get(name, 0),
                "unchanged": self.unchanged.get(name, 0),
            }
            if any(counts.values()):
                found[name] = counts
        return found


def difference(stated: Iterable[Stated], snapshot: Snapshot, *, now: datetime) -> Difference:
    """Return what the documents change about a snapshot.

    A document that says from when it holds is known when a row says exactly the same and holds then. One
    that does not say is known when what holds now is the same. Documents of one key count as one history:
    where one of them changes, those after it are written again, or its new row would hide them.

    Args:
        stated: The documents.
        snapshot: What is known.
        now: The time from which undated documents hold.
    """
    found = Difference()
    known = {name: KnownFacts(snapshot, kind) for name, kind in KINDS.items()}
    ordered = sorted(stated, key=_order)
    for (place, _), history in groupby(ordered, key=lambda each: _order(each)[:2]):
        name = list(KINDS)[place]
        _compare(list(history), known[name], KINDS[name], found, now)
    return found


def _compare(
    history: Sequence[Stated], known: KnownFacts, kind: Kind, found: Difference, now: datetime
) -> None:
    """Add the documents of one key, in time order, to the difference."""
    new: list[Stated] = []
    written = []
    for each in history:
        if not _is_known(each, known, now):
            new.append(each)
        elif any(earlier.fact.covers(each.fact.valid_from) for earlier in new):
            found.repeated[kind.name] += 1
        else:
            found.unchanged[kind.name] += 1
            continue
        written.append(each)
    found.entries += [each.entry for each in written]
    stated = {each.fact.valid_from for each in written}
    for each in new:
        fact = each.fact
        hides = [start for start in known.replaced_by(fact) if start not in stated]
        before = known.holding(fact.key, fact.valid_from)
        found.changes.append(Change(kind, before, fact, tuple(sorted(hides)), each.source))


def _is_known(stated: Stated, known: KnownFacts, now: datetime) -> bool:
    fact = stated.fact
    held = known.holding(fact.key, fact.valid_from if stated.dated else now)
    if held is None or held.content() != fact.content():
        return False
    if stated.dated:
        return known.states(fact)
    # A document without an end means: until another one says otherwise.
    is_replaced = fact.valid_to is None and known.begins(fact.key, held.valid_to)
    return is_replaced or held.valid_to == fact.valid_to


def _order(stated: Stated) -> tuple[int, tuple[str, ...], datetime]:
    fact = stated.fact
    return list(KINDS).index(kind_of(type(fact)).name), fact.key, fact.valid_from


def _shown(fact: Fact) -> dict[str, Any]:
    return {**fact.content(), "valid_to": fact.valid_to}
