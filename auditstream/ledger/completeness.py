"""The completeness statement: of a day's events produced, recorded, sealed and queryable, signed.

A signed note (c2sp.org/signed-note) by the deployment's key. Text, a line each, items with one space between:

    auditstream-completeness/v1
    <host>/<deployment>
    day 2026-01-31               UTC, by the broker's clock
    time 1769904000              when it was made, POSIX seconds
    scope all                    or source SOURCE: one alone
    state closed                 or open: the day is not over, or more may come
    log ORIGIN SIZE ROOT LEAVES  the checkpoint it rests on, and how many leaves the day has
    numbered SOURCE INSTANCE FIRST LAST PRODUCED RECORDED SEALED QUERYABLE
    missing SOURCE INSTANCE FIRST LAST       a range that was produced and never recorded
    more-missing SOURCE INSTANCE NUMBERS     numbers in further ranges
    reused SOURCE INSTANCE EVENTS            events under a number that another event has
    unnumbered SOURCE INSTANCE RECORDED SEALED QUERYABLE
    rejected LOG-ID LEAVES       dead letters: recorded and sealed, and nobody's events
    lost LOG-ID OFFSETS          offsets that Kafka lost unrecorded, as leaves of kind 2 say
    unsealed LOG-ID LEAVES       leaves of the day that no checkpoint covers
    verdict complete             or different

Lines of a kind stand together, in that order, each kind in order of its items. PRODUCED is LAST - FIRST + 1:
a source counts its events without a gap. Events without a number can be counted, but nobody can say how many
there should be. A statement about one source has no `rejected`, `lost` and `unsealed`. Source and instance
are percent-encoded; `-` stands for an empty one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal
from urllib.parse import quote, unquote

from auditstream.core.errors import VerificationError
from auditstream.ledger.checkpoints import Checkpoint, CheckpointError
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.merkle import MAX_SIZE
from auditstream.ledger.notes import MAX_NOTE_BYTES, Note, sign_note, verify_note
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64

_FIRST_LINE = "auditstream-completeness/v1"
_ALL = "all"
_NOTHING = "-"

State = Literal["open", "closed"]


class CompletenessError(VerificationError):
    """A text is no completeness statement, or not one of the expected deployment."""

    code = "completeness"
    hint = "Ask for the statement again, and check the deployment's verifier key."


@dataclass(frozen=True, slots=True, order=True)
class RestsOn:
    """A log with leaves of the day.

    Attributes:
        origin: Name of the log.
        size: Leaves under its checkpoint; 0 when there is none.
        root: Their root, 32 bytes.
        leaves: Leaves of the day, under the checkpoint or not.
    """

    origin: str
    size: int
    root: bytes
    leaves: int


@dataclass(frozen=True, slots=True, order=True)
class Numbered:
    """An instance of a source that numbers its events.

    Attributes:
        source, instance: Which one.
        first, last: Numbers of the day: from the one after the last of the days before.
        recorded: How many of the numbers have an event.
        sealed: How many of those are under a checkpoint.
        queryable: How many of those a query finds.
    """

    source: str
    instance: str
    first: int
    last: int
    recorded: int
    sealed: int
    queryable: int

    @property
    def produced(self) -> int:
        """How many events the source produced, by its own numbers."""
        return self.last - self.first + 1

    @property
    def is_complete(self) -> bool:
        """Whether produced = recorded = sealed = queryable."""
        return self.produced == self.recorded == self.sealed == self.queryable


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """A range of numbers without an event."""

    source: str
    instance: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, order=True)
class Counted:
    """A count about an instance of a source."""

    source: str
    instance: str
    count: int


@dataclass(frozen=True, slots=True, order=True)
class Unnumbered:
    """An instance of a source whose events have no numbers.

    Attributes:
        source, instance: Which one.
        recorded, sealed, queryable: Its events of the day.
    """

    source: str
    instance: str
    recorded: int
    sealed: int
    queryable: int


@dataclass(frozen=True, slots=True, order=True)
class OfLog:
    """A count about a log."""

    log_id: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What a statement says.

    Raises:
        CompletenessError: No statement can say so.
    """

    deployment: str
    day: date
    time_s: int
    scope: str = ""
    state: State
    logs: tuple[RestsOn, ...] = ()
    numbered: tuple[Numbered, ...] = ()
    missing: tuple[Missing, ...] = ()
    more_missing: tuple[Counted, ...] = ()
    reused: tuple[Counted, ...] = ()
    unnumbered: tuple[Unnumbered, ...] = ()
    rejected: tuple[OfLog, ...] = ()
    lost: tuple[OfLog, ...] = ()
    unsealed: tuple[OfLog, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.time_s <= MAX_SIZE:
            raise CompletenessError(f"a time is 0 to 2^63 - 1 seconds, found {self.time_s}")
        for log in self.logs:
            if not log.origin.startswith(f"{self.deployment}/"):
                raise CompletenessError(
                    f"the log {log.origin!r} is not of the deployment {self.deployment!r}"
                )
            Checkpoint(log.origin, log.size, log.root)
        for each in self.numbered:
            if each.last < each.first:
                raise CompletenessError(f"numbers {each.first} to {each.last} are no range")
            if not each.queryable <= each.recorded <= each.produced or each.sealed > each.recorded:
                raise CompletenessError(f"counts of {each.source!r} contradict each other: {each}")
        for missing in self.missing:
            if missing.last < missing.first:
                raise CompletenessError(f"numbers {missing.first} to {missing.last} are no range")
        if self._unaccounted():
            raise CompletenessError(f"missing numbers of {self._unaccounted()[0]!r} are not all named")

    @property
    def is_complete(self) -> bool:
        """Whether there is no difference."""
        apart = all(each.recorded == each.sealed == each.queryable for each in self.unnumbered)
        named = (*self.missing, *self.more_missing, *self.reused, *self.rejected, *self.lost, *self.unsealed)
        return apart and not named and all(each.is_complete for each in self.numbered)

    @property
    def text(self) -> str:
        """The text that is signed."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield _FIRST_LINE
        yield self.deployment
        yield f"day {self.day.isoformat()}"
        yield f"time {self.time_s}"
        yield f"scope {f'source {_name(self.scope)}' if self.scope else _ALL}"
        yield f"state {self.state}"
        for log in sorted(self.logs):
            yield f"log {log.origin} {log.size} {to_base64(log.root)} {log.leaves}"
        for n in sorted(self.numbered):
            counts = f"{n.first} {n.last} {n.produced} {n.recorded} {n.sealed} {n.queryable}"
            yield f"numbered {_name(n.source)} {_name(n.instance)} {counts}"
        for m in sorted(self.missing):
            yield f"missing {_name(m.source)} {_name(m.instance)} {m.first} {m.last}"
        for kind, counted in (("more-missing", self.more_missing), ("reused", self.reused)):
            for c in sorted(counted):
                yield f"{kind} {_name(c.source)} {_name(c.instance)} {c.count}"
        for u in sorted(self.unnumbered):
            yield (f"unnumbered {_name(u.source)} {_name(u.instance)} {u.recorded} {u.sealed} {u.queryable}")
        of_logs = (("rejected", self.rejected), ("lost", self.lost), ("unsealed", self.unsealed))
        for kind, of_log in of_logs:
            for o in sorted(of_log):
                yield f"{kind} {o.log_id} {o.count}"
        yield f"verdict {'complete' if self.is_complete else 'different'}"

    def _unaccounted(self) -> list[str]:
        """Return the sources whose missing numbers are not all named."""
        named: dict[tuple[str, str], int] = {}
        for m in self.missing:
            key = (m.source, m.instance)
            named[key] = named.get(key, 0) + m.last - m.first + 1
        for c in self.more_missing:
            key = (c.source, c.instance)
            named[key] = named.get(key, 0) + c.count
        numbered = {(n.source, n.instance): n.produced - n.recorded for n in self.numbered}
        return [key[0] for key in {*named, *numbered} if named.get(key, 0) != numbered.get(key, 0)]


def parse_completeness(text: str) -> Completeness:
    """Return the statement that the text of a note makes; nothing is verified.

    Raises:
        CompletenessError: It is none, or not in the one form that it can have; names the line.
    """
    if len(text) > MAX_NOTE_BYTES:
        raise CompletenessError(f"a statement has at most {MAX_NOTE_BYTES} bytes")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CompletenessError(f"a statement is UTF-8: {error}") from error
    lines = text.split("\n")
    if lines.pop() or len(lines) < 7 or lines[0] != _FIRST_LINE:
        raise CompletenessError(f"a statement begins with {_FIRST_LINE} and ends in a newline")
    found: dict[str, list[list[str]]] = {kind: [] for kind in _READERS}
    for number, line in enumerate(lines[6:-1], start=7):
        kind, *items = line.split(" ")
        if kind not in found:
            raise CompletenessError(f"line {number}: no kind of line: {kind[:40]!r}")
        found[kind].append(items)
    try:
        read = {kind: tuple(map(_READERS[kind], rows)) for kind, rows in found.items()}
        statement = Completeness(
            deployment=lines[1],
            day=date.fromisoformat(_after("day ", lines[2])),
            time_s=from_decimal(_after("time ", lines[3])),
            scope=_scope(_after("scope ", lines[4])),
            state=_state(_after("state ", lines[5])),
            **{_FIELDS[kind]: rows for kind, rows in read.items()},  # type: ignore[arg-type]
        )
    except (ValueError, TypeError, CheckpointError) as error:
        raise CompletenessError(f"not a statement: {error}") from error
    if statement.text != text:
        raise CompletenessError("a statement has one form: its lines are in order, and its verdict follows")
    return statement


def sign_completeness(statement: Completeness, *signers: SignerKey) -> Note:
    """Return the statement signed by the deployment's key.

    Raises:
        CompletenessError: A key is of another deployment, or the statement is longer than a note can be.
    """
    for signer in signers:
        _check_name(statement, signer.name)
    note = sign_note(statement.text, *signers)
    if len(note.to_bytes()) > MAX_NOTE_BYTES:
        raise CompletenessError(
            f"the statement is longer than {MAX_NOTE_BYTES} bytes: narrow it to one source"
        )
    return note


def open_completeness(data: bytes, *deployment_keys: VerifierKey) -> Completeness:
    """Return a statement once a key of its deployment has verified it.

    Raises:
        NoteError: Not a note, nobody known signed it, or a known key's signature does not hold.
        CompletenessError: Not a statement, or of another deployment.
    """
    note, _ = verify_note(data, deployment_keys)
    statement = parse_completeness(note.text)
    for key in deployment_keys:
        _check_name(statement, key.name)
    return statement


def _check_name(statement: Completeness, name: str) -> None:
    if statement.deployment != name:
        raise CompletenessError(f"the key is of {name!r}, the statement of {statement.deployment[:200]!r}")


def _name(text: str) -> str:
    """Return a name as one item of a line."""
    return quote(text, safe=":/.@_~") if text != _NOTHING and text else "%2D" if text else _NOTHING


def _unname(item: str) -> str:
    return "" if item == _NOTHING else unquote(item, errors="strict")


def _signed(item: str) -> int:
    """Return a number that may be negative, as a source may count from anywhere."""
    return -from_decimal(item[1:]) if item.startswith("-") else from_decimal(item)


def _after(start: str, line: str) -> str:
    if not line.startswith(start):
        raise ValueError(f"no {start.strip()}: {line[:80]!r}")
    return line.removeprefix(start)


def _scope(item: str) -> str:
    return "" if item == _ALL else _unname(_after("source ", item))


def _state(item: str) -> State:
    if item == "open":
        return "open"
    if item == "closed":
        return "closed"
    raise ValueError(f"no state: {item[:40]!r}")


def _log(items: Sequence[str]) -> RestsOn:
    origin, size, root, leaves = items
    return RestsOn(origin, from_decimal(size), from_base64(root), from_decimal(leaves))


def _numbered(items: Sequence[str]) -> Numbered:
    source, instance, first, last, _, *counts = items
    return Numbered(
        _unname(source), _unname(instance), _signed(first), _signed(last), *map(from_decimal, counts)
    )


def _missing(items: Sequence[str]) -> Missing:
    source, instance, first, last = items
    return Missing(_unname(source), _unname(instance), _signed(first), _signed(last))


def _counted(items: Sequence[str]) -> Counted:
    source, instance, count = items
    return Counted(_unname(source), _unname(instance), from_decimal(count))


def _unnumbered(items: Sequence[str]) -> Unnumbered:
    source, instance, *counts = items
    return Unnumbered(_unname(source), _unname(instance), *map(from_decimal, counts))


def _of_log(items: Sequence[str]) -> OfLog:
    log_id, count = items
    return OfLog(log_id, from_decimal(count))


_READERS: dict[str, Callable[[Sequence[str]], object]] = {
    "log": _log,
    "numbered": _numbered,
    "missing": _missing,
    "more-missing": _counted,
    "reused": _counted,
    "unnumbered": _unnumbered,
    "rejected": _of_log,
    "lost": _of_log,
    "unsealed": _of_log,
}
_FIELDS = {
    "log": "logs",
    "numbered": "numbered",
    "missing": "missing",
    "more-missing": "more_missing",
    "reused": "reused",
    "unnumbered": "unnumbered",
    "rejected": "rejected",
    "lost": "lost",
    "unsealed": "unsealed",
}
