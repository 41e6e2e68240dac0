"""`auditstream evidence statement`: whether a day is complete, signed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditstream.cli.context import Context
from auditstream.cli.waiting import waiting
from auditstream.core.errors import PartialResultError, RequestError

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.ledger.checkpoints import Checkpoint
    from auditstream.ledger.completeness import Completeness
    from auditstream.sealer.key_file import KeyRing

_ANSWER_WITHIN_S = 600.0
_COLUMNS = ("source", "instance", "produced", "recorded", "sealed", "queryable", "difference")


def statement(
    context: typer.Context,
    *,
    day: Annotated[str, typer.Option(help="Day as 2026-01-31 (UTC, by the broker's clock), or `today`.")],
    source: Annotated[str, typer.Option(help="One source alone; all when not given.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write the signed statement to.")
    ] = None,
    publish: Annotated[
        bool,
        typer.Option("--publish", help="Put it beside the published logs, in place of the day's former one."),
    ] = False,
) -> int:
    """State how many of a day's events were produced, recorded, sealed and can be queried; signed.

    Produced is what a source's own numbers (source_seq) say. Prints a line a source instance; with --out,
    also writes the signed note, which names the checkpoints that it rests on. Exit code 7 when there is a
    difference: missing numbers, leaves that are not sealed yet, dead letters (whose source nobody knows, so
    that one source's statement leaves them out). A day that is not over, or of which Kafka may still hold
    something, is stated as open.
    """
    from datetime import UTC, datetime

    from auditstream.access.evidence_questions import behind_of
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.kafka_lags import kafka_lags
    from auditstream.cli.sealing import key_path, published_place
    from auditstream.evidence.completeness import Question, completeness
    from auditstream.evidence.statements import STATEMENTS
    from auditstream.ledger.completeness import sign_completeness
    from auditstream.sealer.key_file import load_ring

    if publish and source:
        raise RequestError("--publish: only without --source; what is published is about the whole day")
    deployment = running.find(context.obj)
    settings = deployment.settings
    now = datetime.now(UTC)
    about = _day(day, now.date())
    ring = load_ring(key_path(settings))
    asked = Reading("evidence statement", f"{about} {source}", ("events", "events_current"), whole=True)
    with (
        told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader,
        waiting(context.obj, "counting"),
    ):
        behind = behind_of(reader, lambda: kafka_lags(settings), about)
        question = Question(settings.evidence.deployment_name, about, now, source, behind)
        found = completeness(reader, question, _checkpoints(settings, ring, question.deployment))
    note = sign_completeness(found, *ring.signers(question.deployment)[-1:])
    if out is not None:
        _write(out, note.to_bytes())
    if publish:
        register = published_place(settings).register(f"{STATEMENTS}/{question.day}")
        register.replace(register.read(), note.to_bytes())
    _print(context.obj, found)
    return 0 if found.is_complete else PartialResultError.exit_code


def _day(text: str, today: date) -> date:
    if text == "today":
        return today
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestError(f"--day: {text!r} is not a day as 2026-01-31") from error


def _checkpoints(settings: Settings, ring: KeyRing, deployment: str) -> dict[str, Checkpoint]:
    """Return the published checkpoint of every listed log, verified."""
    from auditstream.cli.sealing import published_place
    from auditstream.core.clock import SystemClock
    from auditstream.ledger.checkpoints import open_checkpoint
    from auditstream.ledger.tiles import CHECKPOINT
    from auditstream.sealer.listing import Listing

    place = published_place(settings)
    listed = Listing(place, deployment, SystemClock(), settings.evidence.fresh_s).published(ring)
    found: dict[str, Checkpoint] = {}
    for log in listed.logs if listed is not None else ():
        log_id = log.origin.removeprefix(f"{deployment}/")
        published = place.store(log_id).read(CHECKPOINT)
        if published is not None:
            found[log_id] = open_checkpoint(published, *ring.verifiers(log.origin)).checkpoint
    return found


def _print(context: Context, found: Completeness) -> None:
    from auditstream.cli.printing import print_rows

    missing: dict[tuple[str, str], list[str]] = {}
    for m in found.missing:
        missing.setdefault((m.source, m.instance), []).append(
            f"missing {m.first}" if m.first == m.last else f"missing {m.first} to {m.last}"
        )
    for c in found.more_missing:
        missing.setdefault((c.source, c.instance), []).append(f"missing {c.count} more")
    for c in found.reused:
        missing.setdefault((c.source, c.instance), []).append(f"{c.count} under numbers of others")
    rows: list[tuple[object, ...]] = []
    for n in found.numbered:
        said = list(missing.get((n.source, n.instance), ()))
        said += [f"{n.recorded - n.sealed} not sealed"] if n.sealed < n.recorded else []
        said += [f"{n.recorded - n.queryable} not found"] if n.queryable < n.recorded else []
        rows.append((n.source, n.instance, n.produced, n.recorded, n.sealed, n.queryable, "; ".join(said)))
    rows += [
        (u.source, u.instance, None, u.recorded, u.sealed, u.queryable, "without numbers")
        for u in found.unnumbered
    ]
    print_rows(context, _COLUMNS, rows)
    for line in _remarks(found):
        if not context.quiet:
            typer.echo(line, err=True)


def _remarks(found: Completeness) -> list[str]:
    lines = [f"{each.log_id}: {each.count} dead letters" for each in found.rejected]
    lines += [f"{each.log_id}: {each.count} offsets that Kafka lost unrecorded" for each in found.lost]
    lines += [f"{each.log_id}: {each.count} leaves are not sealed" for each in found.unsealed]
    verdict = "complete" if found.is_complete else "not complete"
    return [*lines, f"{found.day.isoformat()} is {found.state}, and {verdict}"]


def _write(path: Path, note: bytes) -> None:
    try:
        path.write_bytes(note)
    except OSError as error:
        raise RequestError(f"--out: {error.strerror}: {path}") from error
