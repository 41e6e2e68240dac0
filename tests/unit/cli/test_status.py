"""What status makes of the store's logs and Kafka's offsets."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from auditstream.cli import status
from auditstream.cli.context import Context, Output
from auditstream.cli.printing import FORMS
from auditstream.query.lag import PartitionLag
from auditstream.query.recorded import Recorded

TOPIC = "audit.events.v1"


def log_of(epoch: str, minute: int, **fields: object) -> dict[str, Any]:
    return {
        "log_id": f"{TOPIC}/0/{epoch}",
        "kafka_topic": TOPIC,
        "kafka_partition": 0,
        "epoch": epoch,
        "recorded": 10,
        "next_index": 10,
        "dense": True,
        "segments": 2,
        "dead_letters": 1,
        "gaps": 0,
        "duplicates": 2,
        "last_offset": 9,
        "last_timestamp": datetime(2026, 3, 1, 12, minute, tzinfo=UTC),
        "last_inserted_at": datetime(2026, 3, 1, 12, minute, 1, tzinfo=UTC),
        "last_insert_age_s": 3_600.0 - 60 * minute,
        **fields,
    }


STATE = Recorded(
    logs=[log_of("aa", 50, gaps=3), log_of("bb", 10, dense=False)],
    reasons={"contract": 2},
    unpriced=1,
    checkpoints=[
        {"log_id": f"{TOPIC}/0/aa", "origin": "x", "tree_size": 8, "checkpoint_age_s": 7.5, "signed_at": None}
    ],
)
LAGS = [PartitionLag(TOPIC, 0, committed=10, end=14, lag=4), PartitionLag(TOPIC, 1, None, 3, 3)]


def test_the_logs_are_added_up_and_the_newest_counts_for_the_age() -> None:
    answer = status.summary(STATE, LAGS)

    totals = ("recorded", "events", "duplicates", "dead_letters", "gaps", "segments", "dense", "lag")
    assert [answer[name] for name in totals] == [20, 11, 4, 2, 3, 4, False, 7]
    assert answer["last_commit_age_s"] == 600.0


def test_a_log_has_the_offsets_of_its_partition_unless_it_is_of_an_earlier_incarnation() -> None:
    newest, earlier = status.summary(STATE, LAGS)["logs"]

    assert (newest["committed"], newest["end_offset"], newest["lag"]) == (10, 14, 4)
    assert (earlier["committed"], earlier["end_offset"], earlier["lag"]) == (None, None, None)
    assert (newest["checkpoint_size"], earlier["checkpoint_size"]) == (8, None)
    assert (newest["checkpoint_age_s"], earlier["checkpoint_age_s"]) == (7.5, None)


def test_a_partition_without_rows_is_named() -> None:
    (unrecorded,) = status.summary(STATE, LAGS)["unrecorded_partitions"]

    assert (unrecorded["kafka_partition"], unrecorded["committed"], unrecorded["lag"]) == (1, None, 3)


def test_without_kafka_the_store_speaks_alone() -> None:
    answer = status.summary(STATE, None, "cannot read offsets")

    assert (answer["lag"], answer["kafka"], answer["recorded"]) == (None, "cannot read offsets", 20)


def test_nothing_recorded_has_no_age() -> None:
    assert status.summary(Recorded([], {}, 0, []), [])["last_commit_age_s"] is None


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_when_each_log_last_got_rows(
    form: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    status._print(Context(output=form), status.summary(STATE, LAGS))

    out = capsys.readouterr().out
    assert "2026-03-01T12:50:01Z" in out
    assert "2026-03-01T12:10:01Z" in out
    if form in {Output.JSON, Output.JSONL}:
        assert json.loads(out)["last_commit_age_s"] == 600.0
    else:
        assert "last_insert_age_s" in out
