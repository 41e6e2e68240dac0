"""What a recorder remembers of logs whose partitions went to other workers: nothing."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from auditstream.core.ports import LogId
from auditstream.detection.rules.packaged import shipped_rules
from auditstream.detection.rules.reading import read_rules
from streams.recording.assembly import new_recorder
from tests.support.fault_worker import NoFacts, PackagedSchemas
from tests.support.recorders import KAFKA, LOG, KeptHistory, segment_of

OTHER = LogId(LOG.topic, 1, LOG.epoch)


class NotedHistory(KeptHistory):
    """Notes which log is read back."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, LogId]] = []

    def first_ids(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        self.read.append(("ids", log))
        return super().first_ids(log, from_index, to_index)

    def first_calls(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        self.read.append(("calls", log))
        return super().first_calls(log, from_index, to_index)

    def recent(self, log: LogId, columns: Sequence[str], from_index: int, to_index: int) -> pl.DataFrame:
        self.read.append(("recent", log))
        return super().recent(log, columns, from_index, to_index)


def test_a_log_that_went_to_another_worker_is_read_back_whole_when_it_comes_again() -> None:
    history = NotedHistory()
    recorder = new_recorder(
        PackagedSchemas(), history, NoFacts(), KAFKA, rules=read_rules(shipped_rules())[0]
    )
    for log in (LOG, OTHER):
        recorder.build(segment_of([{}], log=log))

    recorder.keep_only({OTHER})

    for log in (LOG, OTHER):
        recorder.build(segment_of([{}], log=log, lo=1))
    assert {log for _, log in history.read} == {LOG}
    assert len(history.read) == 4, "ids, calls, acts of sequences, hits of correlations"
