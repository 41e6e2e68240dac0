"""`auditstream status`: what is recorded, and how far that is behind Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from auditstream.cli.context import Context
    from auditstream.core.settings import Settings
    from auditstream.query.lag import PartitionLag
    from auditstream.query.recorded import Recorded

_LOG_COLUMNS = (
    "log_id", "recorded", "next_index", "dense", "segments", "dead_letters", "gaps", "duplicates",
    "committed", "end_offset", "lag", "last_inserted_at", "last_insert_age_s", "checkpoint_size",
    "checkpoint_age_s",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(context: typer.Context) -> None:
    """Show recorded counts and lag by log, dead letters, gaps, repeats, unpriced events and checkpoints.

    Also when each log last got rows, and how long ago the last segment was committed. json and jsonl print
    one object; csv prints the logs.
    """
    from auditstream.cli import running
    from auditstream.query.recorded import recorded

    deployment = running.find(context.obj)
    reader = running.open_reader(deployment)
    try:
        state = recorded(reader)
    finally:
        reader.close()
    lags, remark = _lags(deployment.settings)
    _print(context.obj, summary(state, lags, remark))


def summary(state: Recorded, lags: list[PartitionLag] | None, remark: str = "") -> dict[str, Any]:
    """Return the whole answer as one object.

    Args:
        state: What the store holds.
        lags: Offsets by partition, None when Kafka did not answer.
        remark: Why it did not.
    """
    leaves = state.total("recorded")
    dead, gaps, duplicates = (state.total(name) for name in ("dead_letters", "gaps", "duplicates"))
    return {
        "recorded": leaves,
        "events": leaves - dead - gaps - duplicates,
        "duplicates": duplicates,
        "dead_letters": dead,
        "gaps": gaps,
        "dead_letters_by_reason": state.reasons,
        "unpriced": state.unpriced,
        "segments": state.total("segments"),
        "dense": all(log["dense"] for log in state.logs),
        # A segment's plan is committed just before its insert; Kafka itself keeps no times of commits.
        "last_commit_age_s": state.last_insert_age_s,
        "lag": None if lags is None else sum(each.lag for each in lags),
        "kafka": remark or "reachable",
        "logs": _logs(state, lags or []),
        "unrecorded_partitions": _unrecorded(state, lags or []),
        "checkpoints": state.checkpoints,
    }


def _logs(state: Recorded, lags: list[PartitionLag]) -> list[dict[str, Any]]:
    """Return the logs with the offsets of their partitions; those of an earlier incarnation have none."""
    by_partition = {(each.topic, each.partition): each for each in lags}
    newest: dict[tuple[str, int], str] = {}
    for log in sorted(state.logs, key=lambda each: each["last_inserted_at"]):
        newest[log["kafka_topic"], log["kafka_partition"]] = log["log_id"]
    checkpoints = {each["log_id"]: each for each in state.checkpoints}
    return [
        log
        | _offsets(by_partition.get(key) if newest[key] == log["log_id"] else None)
        | _checkpoint(checkpoints.get(log["log_id"]))
        for log in state.logs
        for key in [(log["kafka_topic"], log["kafka_partition"])]
    ]


def _offsets(lag: PartitionLag | None) -> dict[str, int | None]:
    if lag is None:
        return {"committed": None, "end_offset": None, "lag": None}
    return {"committed": lag.committed, "end_offset": lag.end, "lag": lag.lag}


def _checkpoint(newest: dict[str, Any] | None) -> dict[str, Any]:
    if newest is None:
        return {"checkpoint_size": None, "checkpoint_age_s": None}
    return {"checkpoint_size": newest["tree_size"], "checkpoint_age_s": newest["checkpoint_age_s"]}


def _unrecorded(state: Recorded, lags: list[PartitionLag]) -> list[dict[str, Any]]:
    """Return the partitions that have no log yet."""
    known = {(log["kafka_topic"], log["kafka_partition"]) for log in state.logs}
    return [
        {"kafka_topic": each.topic, "kafka_partition": each.partition, **_offsets(each)}
        for each in lags
        if (each.topic, each.partition) not in known
    ]


def _lags(settings: Settings) -> tuple[list[PartitionLag] | None, str]:
    """Return the offsets, or None and the reason why Kafka gives none."""
    from auditstream.cli.kafka_lags import kafka_lags
    from auditstream.core.errors import RetryableError

    try:
        return kafka_lags(settings), ""
    except RetryableError as error:
        return None, error.message


def _print(context: Context, answer: dict[str, Any]) -> None:
    from auditstream.cli.context import Output
    from auditstream.cli.printing import form_of, print_document, print_rows

    form = form_of(context)
    logs = [[log[name] for name in _LOG_COLUMNS] for log in answer["logs"]]
    if form is Output.CSV:
        print_rows(context, _LOG_COLUMNS, logs)
    elif form is Output.TABLE:
        totals = {name: value for name, value in answer.items() if not isinstance(value, list)}
        print_document(context, totals)
        if logs:
            typer.echo()
            print_rows(context, _LOG_COLUMNS, logs)
        if answer["unrecorded_partitions"]:
            typer.echo()
            first = answer["unrecorded_partitions"][0]
            print_rows(
                context, list(first), [list(each.values()) for each in answer["unrecorded_partitions"]]
            )
    else:
        print_document(context, answer)
