"""`auditstream apply`: reference data from files."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditstream.cli.context import Context
from auditstream.cli.remarks import remark, remarks
from auditstream.core.errors import RequestError

if TYPE_CHECKING:
    from auditstream.cli.announcing import Announcer
    from auditstream.reference.changes import Change, Difference
    from auditstream.reference.documents import Reading
    from sinks.reference import ReferenceStore

_SUFFIXES = (".yaml", ".yml", ".json")
_COUNTS = ("revision", "kind", "new", "changed", "repeated", "unchanged")
_DIFF = ("kind", "key", "change", "valid_from", "field", "before", "after")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="apply")(apply)


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML or JSON file, or a folder of them.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; write nothing.")
    ] = False,
    actor: Annotated[str, typer.Option(help="Who says so; the user of the system by default.")] = "",
    without_event: Annotated[
        bool,
        typer.Option("--without-event", help="Change it although no event tells of it: Kafka is away."),
    ] = False,
) -> None:
    """Record who owns what, what it costs and what is allowed: tenants, credentials, prices, budgets, ...

    Each document has `kind` and the fields of its table. Documents without `valid_from` hold from now on.
    Applying the same again changes nothing. Nothing is written unless every document is valid.
    Every change is an event `ai.config.change`, which Kafka has before the change takes effect: without Kafka
    nothing is changed. --without-event does it all the same; the revision then says how much came so.
    """
    from auditstream.cli import running
    from auditstream.cli.announcing import announced
    from sinks.reference import connect_reference

    settings = running.find(context.obj).settings
    store = connect_reference(settings.clickhouse)
    announcer = None if without_event else partial(announced, settings)
    actor = actor or getpass.getuser()
    try:
        apply_to(store, context.obj, file, actor=actor, dry_run=dry_run, announcer=announcer)
    finally:
        store.close()


def apply_to(
    store: ReferenceStore,
    context: Context,
    path: Path,
    *,
    actor: str,
    dry_run: bool,
    now: datetime | None = None,
    announcer: Announcer | None = None,
) -> Sequence[Change]:
    """Read the documents and apply them, as `apply_reading` does.

    Args:
        store: Where the facts are.
        context: Global options.
        path: File or folder.
        actor: Who says so.
        dry_run: Whether only to print.
        now: From when documents hold that do not say; the time of the call when None.
        announcer: Lends what tells of the changes before they take effect; None for changes without events.

    Raises:
        RequestError: A document is not valid; lists every problem. Nothing was written.
        RetryableError: As `apply_reading` does.
    """
    now = now or datetime.now(UTC)
    reading = read_files(path, now)
    return apply_reading(store, context, reading, actor=actor, dry_run=dry_run, now=now, announcer=announcer)


def apply_reading(
    store: ReferenceStore,
    context: Context,
    reading: Reading,
    *,
    actor: str,
    dry_run: bool,
    now: datetime,
    announcer: Announcer | None,
) -> Sequence[Change]:
    """Tell of what valid documents change, write it, print it, and return the changes.

    Args:
        store: Where the facts are.
        context: Global options.
        reading: The documents, without a problem.
        actor: Who says so.
        dry_run: Whether only to print.
        now: Time of the changes.
        announcer: Lends what tells of the changes before they take effect; None for changes without events.

    Raises:
        StoreBusyError: Somebody else was writing. Nothing of this was written.
        RetryableError: The changes could not be told of, or no answer. Nothing of this takes effect.
    """
    from auditstream.emit.config_changes import Applied
    from auditstream.reference.changes import difference
    from auditstream.reference.dangling import dangling

    base = store.newest()
    snapshot = store.load(base)
    found = difference(reading.stated, snapshot, now=now)
    remarks(context, dangling(reading.stated, snapshot))
    remarks(context, _hidden(found.changes))
    if dry_run:
        _print_diff(context, found)
        return found.changes
    if announcer is None or not found.entries:
        revision = store.append(found.entries, base=base, actor=actor)
        if found.entries:
            typer.echo(
                f"warning: revision {revision}: no event tells of {len(found.changes)} changes", err=True
            )
    else:
        with announcer() as announce:
            revision = store.append(
                found.entries,
                base=base,
                actor=actor,
                announce=lambda revision: announce(found.changes, Applied(revision, actor, now)),
            )
    _print_counts(context, found, revision)
    return found.changes


def read_files(path: Path, now: datetime) -> Reading:
    """Return the documents of a file, or of every YAML and JSON file under a folder, in order of their names.

    Raises:
        RequestError: There are none, a file cannot be read, or a document is not valid; lists every problem.
    """
    from auditstream.reference.documents import Reading

    reading = Reading()
    for file in _files(path):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        try:
            reading.add(file.read_text(encoding="utf-8"), name, now=now)
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{file}: {error}") from error
    refuse_problems(reading)
    if not reading.stated:
        raise RequestError(f"{path}: no documents", hint=f"Files end with {', '.join(_SUFFIXES)}.")
    return reading


def refuse_problems(reading: Reading) -> None:
    """Return when every document is valid.

    Raises:
        RequestError: One is not; lists every problem.
    """
    if reading.problems:
        lines = "".join(f"\n  {problem}" for problem in reading.problems)
        raise RequestError(f"{len(reading.problems)} problems, nothing was written:{lines}")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in _SUFFIXES)
    if not path.is_file():
        raise RequestError(f"{path}: no such file or folder")
    return [path]


def _print_counts(context: Context, found: Difference, revision: int) -> None:
    from auditstream.cli.printing import print_rows

    rows = [[revision, name, *each.values()] for name, each in found.counts().items()]
    print_rows(context, _COUNTS, rows)
    summary = f"revision {revision}: {len(found.changes)} changes"
    remark(context, summary if found.entries else f"0 changes: revision {revision} says all of it")


def _print_diff(context: Context, found: Difference) -> None:
    from auditstream.cli.printing import print_rows

    print_rows(context, _DIFF, (row for change in found.changes for row in _diff_rows(change)))
    remark(context, f"{len(found.changes)} changes; nothing was written (--dry-run)")


def _diff_rows(change: Change) -> Iterator[Sequence[Any]]:
    how = "new" if change.before is None else "changed"
    about = (change.kind.name, "/".join(change.after.key), how, change.after.valid_from)
    for name, (before, after) in change.differences().items():
        yield (*about, name, before, after)


def _hidden(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        for start in change.hides:
            key = "/".join(change.after.key)
            yield f"{change.kind.name} {key}: also replaces what holds from {start:%Y-%m-%dT%H:%M:%SZ}"
