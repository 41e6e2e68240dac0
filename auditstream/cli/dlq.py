"""`auditstream dlq`: records that are no events, and sending them again."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from auditstream.core.settings import Settings
    from auditstream.query.dead_letters import Chosen, Count, DeadLetter
    from auditstream.query.reader import Reader

_WITHIN_S = 30.0
"""How long a message may wait for its acknowledgement."""

_ANSWER_WITHIN_S = 600.0
_PARTIAL = 7

ReasonOption = Annotated[str, typer.Option(help="Only those refused for this reason, as unknown_schema.")]
TopicOption = Annotated[str, typer.Option(help="Only those that came from this topic.")]
SinceOption = Annotated[str | None, typer.Option(help="Only the last 15m, 2h, 7d.")]
FromOption = Annotated[str | None, typer.Option("--from", help="First moment, ISO 8601.")]
ToOption = Annotated[str | None, typer.Option("--to", help="First moment after, ISO 8601.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(name="dlq", help="Dead letters: records that are no events.", no_args_is_help=True)
    group.command("list")(list_)
    group.command()(show)
    group.command()(replay)
    app.add_typer(group)


def list_(
    context: typer.Context,
    *,
    reason: ReasonOption = "",
    topic: TopicOption = "",
    since: SinceOption = None,
    start: FromOption = None,
    end: ToOption = None,
    limit: Annotated[int, typer.Option(help="Dead letters at most.")] = 50,
) -> None:
    """List dead letters, the newest first: their leaf, why they are no events, and where they came from."""
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import print_rows
    from auditstream.query import dead_letters

    chosen = _chosen((), reason, topic, (since, start, end))
    asked = Reading("dlq list", f"{reason} {topic}".strip(), dead_letters.READ_FROM)
    with told_reader(running.find(context.obj), asked) as reader:
        found = dead_letters.listed(reader, chosen, limit=limit)
    print_rows(context.obj, found.columns, found.rows)
    if len(found.rows) == limit and not context.obj.quiet:
        sys.stderr.write(f"{limit} dead letters, the newest; there may be more: --limit, or narrower\n")


def show(
    context: typer.Context,
    leaf: Annotated[str, typer.Argument(help="As `dlq list` names it: topic/partition/epoch/index.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Also write the bytes as received to this file.")] = None,
) -> None:
    """Show one dead letter, its bytes in hexadecimal digits."""
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.files import write_bytes
    from auditstream.cli.printing import print_document
    from auditstream.query import dead_letters

    chosen = dead_letters.Chosen((leaf,))
    with told_reader(running.find(context.obj), Reading("dlq show", leaf, dead_letters.READ_FROM)) as reader:
        dead_letters.counts(reader, chosen)
        (listed,) = dead_letters.listed(reader, chosen, limit=1).records()
        (letter,) = dead_letters.letters(reader, chosen)
    if out is not None:
        write_bytes(out, letter.value or b"")
    size = None if letter.value is None else len(letter.value)
    print_document(
        context.obj, {**listed, "schema_id": letter.schema_id, "bytes": size, "value": letter.value}
    )


def replay(
    context: typer.Context,
    leaves: Annotated[list[str] | None, typer.Argument(help="Leaves, as `dlq list` names them.")] = None,
    *,
    reason: ReasonOption = "",
    topic: TopicOption = "",
    since: SinceOption = None,
    start: FromOption = None,
    end: ToOption = None,
    all_: Annotated[bool, typer.Option("--all", help="Every dead letter that there is.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be sent, and send nothing.")
    ] = False,
) -> int:
    """Send dead letters again: the same bytes, to the topic and partition that they came from.

    For what is an event by now, as when its schema is registered at last. What is none yet becomes a dead
    letter again. An event tells of the replay before it begins; headers replay_of and replay_reason name the
    leaf. Sent twice, an event is still one event. Null values are not sent, nor is what is too large for a
    message: that is named on stderr, and the exit code is 7.
    """
    from auditstream.cli import running
    from auditstream.cli.accessing import Reading, told_reader
    from auditstream.cli.printing import print_document
    from auditstream.core.errors import RequestError
    from auditstream.query import dead_letters

    chosen = _chosen(tuple(leaves or ()), reason, topic, (since, start, end))
    if chosen.is_all and not all_:
        hint = "Name leaves, or --reason, --topic, --since; or say that all are meant: --all."
        raise RequestError("dlq replay: which dead letters?", hint=hint)
    deployment = running.find(context.obj)
    asked = Reading("dlq replay", " ".join([*chosen.leaves, reason, topic]).strip(), dead_letters.READ_FROM)
    with told_reader(deployment, asked, answer_within_s=_ANSWER_WITHIN_S) as reader:
        counts = dead_letters.counts(reader, chosen)
        sent, too_large = ({}, 0) if dry_run else _sent(deployment.settings, reader, chosen, counts)
    letters, nulls = (sum(getattr(each, name) for each in counts) for name in ("letters", "nulls"))
    print_document(
        context.obj,
        {
            "dead_letters": letters,
            "null_values": nulls,
            "too_large": too_large,
            "replayed": sum(sent.values()),
            "topics": sent,
            "reasons": {each.reason: each.letters for each in counts},
        },
    )
    return _PARTIAL if too_large else 0


def _sent(
    settings: Settings, reader: Reader, chosen: Chosen, counts: list[Count]
) -> tuple[dict[str, int], int]:
    """Tell of the replay, then send; return how many by topic, and how many were too large."""
    from auditstream.cli.accessing import actor
    from auditstream.cli.announcing import nothing_changed
    from auditstream.core.errors import RetryableError
    from auditstream.emit.announcements import announcer
    from auditstream.emit.dead_letter_replay import replay as send_again
    from auditstream.emit.dead_letter_replay import replay_event
    from auditstream.emit.kafka_way import KafkaWay
    from auditstream.query.dead_letters import letters
    from streams.kafka_security import librdkafka_settings

    if not any(each.letters - each.nulls for each in counts):
        return {}, 0
    left_out: list[str] = []

    def too_large(letter: DeadLetter, reason: str) -> None:
        left_out.append(letter.leaf)
        sys.stderr.write(f"left out: {letter.leaf} {reason}\n")

    with nothing_changed(), announcer(settings, within_s=_WITHIN_S) as announce:
        announce([replay_event(counts, actor=actor(settings), at=datetime.now(UTC))])
    way = KafkaWay(librdkafka_settings(settings.kafka), timeout_s=_WITHIN_S)
    try:
        sent = dict(send_again(letters(reader, chosen), way, too_large=too_large))
    except RetryableError:
        way.abandon()
        raise
    return sent, len(left_out)


def _chosen(
    leaves: tuple[str, ...], reason: str, topic: str, times: tuple[str | None, str | None, str | None]
) -> Chosen:
    from auditstream.query.dead_letters import Chosen
    from auditstream.query.periods import period

    since, start, end = times
    return Chosen(leaves, reason, topic, period(datetime.now(UTC), since=since, start=start, end=end))
